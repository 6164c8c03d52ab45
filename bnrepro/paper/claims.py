"""What the paper claims and can be tested, C1 to C25, in our own words.

C25 is not the paper's: it is what later work holds against its explanation. Nor are those of
`LABORATORY`, E1, A1 and further: what the laboratory tests of the reasons that others have given.
"""

from bnrepro.paper.laws import LAWS
from bnrepro.paper.stated import Claim

CLAIMS = (
    Claim(
        "C1",
        "2",
        "If the gradient step ignores the normalization, the bias grows without bound while "
        "output and loss stand still.",
    ),
    Claim(
        "C2",
        "3.3",
        "Scaling the weights changes neither the output of batch normalization nor the gradient "
        "passed down; the gradient of the scaled weights is smaller by the same factor.",
    ),
    Claim(
        "C3",
        "3.3",
        "Larger weights get smaller gradients, so batch normalization stabilizes the growth of "
        "the parameters.",
    ),
    Claim(
        "C4",
        "3.3",
        "The Jacobian between two consecutive normalized layers has singular values close to 1 "
        "(a conjecture).",
    ),
    Claim(
        "C5",
        "3",
        "With gamma the standard deviation and beta the mean, batch normalization is the "
        "identity: the network loses no capacity.",
    ),
    Claim("C6", "3.2", "A bias before batch normalization is redundant: beta takes its role."),
    Claim("C7", "3", "Over a mini-batch, normalized values have mean 0 and variance 1."),
    Claim(
        "C8",
        "3.2, 4.2.3",
        "In a convolution, batch normalization is joint over batch and locations: one gamma and "
        "one beta per feature map, and shifted inputs give shifted outputs.",
    ),
    Claim(
        "C9",
        "3.1",
        "Inference uses population statistics, with the variance corrected by m/(m-1); an output "
        "then depends on its own input only.",
    ),
    Claim(
        "C10",
        "3.1",
        "At inference batch normalization is one affine map, which folds into the layer before it.",
    ),
    Claim(
        "C11",
        "4.1",
        "With batch normalization the distribution of a sigmoid's input stays more stable over "
        "training.",
    ),
    Claim(
        "C12",
        "4.1",
        "On MNIST the network with batch normalization trains faster and ends at a higher test "
        "accuracy.",
    ),
    Claim(
        "C13",
        "4.2.2",
        "Batch normalization alone needs less than half the steps to the accuracy of the network "
        "without it.",
    ),
    Claim(
        "C14",
        "4.2.2, 3.3",
        "Learning rates 5 and 30 times as high train with batch normalization; without it, "
        "5 times as high diverges.",
    ),
    Claim(
        "C15",
        "4.2.2",
        "30 times the learning rate is slower at first than 5 times and ends at a higher accuracy.",
    ),
    Claim(
        "C16",
        "4.2.2",
        "A deep network of sigmoids trains with batch normalization and stays at chance without.",
    ),
    Claim(
        "C17",
        "3.4, 4.2.1",
        "With batch normalization dropout can be removed or reduced without more overfitting.",
    ),
    Claim(
        "C18",
        "4.2.1",
        "A fifth of the L2 weight, six times faster decay, no local response normalization, "
        "thorough shuffling and weaker distortions each help or do no harm.",
    ),
    Claim(
        "C19",
        "3.4",
        "Batch normalization regularizes, because an example is seen together with the others of "
        "its mini-batch.",
    ),
    Claim(
        "C20",
        "1, 3.3",
        "With batch normalization training hardly depends on the scale of the initial weights.",
    ),
    Claim(
        "C21",
        "3.2, 5",
        "Batch normalization belongs before the activation, where values are closer to Gaussian.",
    ),
    Claim(
        "C22",
        "3",
        "Full whitening needs more examples in a mini-batch than features; normalizing each "
        "feature by itself does not.",
    ),
    Claim("C23", "4.2.3", "The mean of six networks' class probabilities beats a single network."),
    Claim(
        "C24",
        "5",
        "Recomputing the population statistics adapts a trained network to another domain "
        "(named as future work).",
    ),
    Claim(
        "C25",
        "",
        "Batch normalization helps by a smoother loss, not by less internal covariate shift "
        "(Santurkar et al. 2018, arXiv 1805.11604).",
    ),
)

LABORATORY = (
    Claim(
        "E1",
        "",
        "Features of unequal scale, or with a mean that is not zero, make gradient descent slow; "
        "standardized, by batch normalization too, they make it fast (LeCun, Kanter and Solla "
        "1990).",
    ),
    Claim(
        "E2",
        "",
        "Correlated features make gradient descent slow as well; standardization and batch "
        "normalization do nothing about that, whitening does.",
    ),
    Claim(
        "E3",
        "",
        "The shape of the error surface decides between arriving, zigzag and divergence; Adam and "
        "RMSprop mend the shape only along the axes of the weights (Kingma and Ba 2015), and noise "
        "in the gradient leaves an error that only a decaying rate takes away (Robbins and Monro "
        "1951).",
    ),
    Claim(
        "A1",
        "",
        "Units that are moved and scaled at random in every step leave batch normalization its "
        "benefit: stable distributions are not its reason (Santurkar et al. 2018, section 2.1).",
    ),
    Claim(
        "A2",
        "",
        "Along the gradient, loss and gradient change less with batch normalization: the error "
        "surface is smoother (Santurkar et al. 2018, section 3.2).",
    ),
    Claim(
        "A3",
        "",
        "Batch normalization does not lessen internal covariate shift, as the change of a layer's "
        "gradient when the layers before it make their step (Santurkar et al. 2018, section 2.2).",
    ),
    Claim(
        "A4",
        "",
        "Divided by an l_p norm in place of the deviation, values train as well: l1 best in a deep "
        "linear network (Santurkar et al. 2018, section 3.3).",
    ),
    Claim(
        "A5",
        "",
        "In a deep linear network, too, loss and gradient change less along the gradient with "
        "batch normalization (Santurkar et al. 2018, figure 10).",
    ),
    Claim(
        "B1",
        "",
        "Around a deep network without shortcuts the loss rises more along random directions, and "
        "bends down at more places, than around one with them, the more so the deeper they are (Li "
        "et al. 2018, arXiv 1712.09913, section 6).",
    ),
    Claim(
        "B2",
        "",
        "Beside the trained weights the loss is larger with the moving averages of batch "
        "normalization than with statistics computed anew.",
    ),
    Claim(
        "B3",
        "",
        "Along filter-normalized directions a solution of small mini-batches is flatter than one "
        "of large ones; on the way from one to the other it looks wider, and with weight decay, "
        "which shortens its weights more, narrower (Li et al. 2018, section 3).",
    ),
    Claim(
        "B4",
        "",
        "The first two principal components have most of the variation of the weights along a "
        "training (Li et al. 2018, section 7), and another share of it than of a walk without an "
        "aim.",
    ),
    Claim(
        "F1",
        "",
        "Batch normalization widens the window of good learning rates, of gradient descent and "
        "momentum more than of Adam, and costs no accuracy at the best one (Ioffe and Szegedy "
        "2015, section 3.3; Santurkar et al. 2018).",
    ),
    Claim(
        "F2",
        "",
        "With batch normalization more depths and more scales of the initial weights train; "
        "without it deep networks with ReLU need c = sqrt(2) (Glorot and Bengio 2010; He et al. "
        "2015).",
    ),
    Claim(
        "F3",
        "",
        "Descent over single examples or mini-batches needs fewer examples than descent over all "
        "at once, and its loss fluctuates more (Bottou 2010).",
    ),
    Claim(
        "F4",
        "",
        "A rate that decays ends at a smaller training loss than a constant one (Robbins and Monro "
        "1951); under batch normalization with weight decay the effective rate eta / |w|^2 falls "
        "less than the rate (van Laarhoven 2017).",
    ),
    Claim(
        "D1",
        "",
        "In small mini-batches batch normalization becomes worse, group normalization does not; "
        "batch renormalization lies between them (Wu and He 2018, Ioffe 2017).",
    ),
    Claim(
        "D1b",
        "",
        "Where mini-batches are no sample of the data, inference with moving averages fails after "
        "batch normalization and not after batch renormalization (Ioffe 2017).",
    ),
    Claim(
        "D2",
        "",
        "Moving averages are far from the statistics that they stand for while the weights change "
        "fast; statistics that are computed anew are not (Wu and Johnson 2021).",
    ),
    Claim(
        "D3",
        "",
        "On weights before batch normalization, decay regularizes nothing: it sets the effective "
        "learning rate, and with it by how much a step turns them (van Laarhoven 2017; Hoffer et "
        "al. 2018).",
    ),
    Claim(
        "D4",
        "",
        "Without batch normalization the values of a deep residual network grow exponentially with "
        "depth, and the first large step throws the loss off; with it neither is so, and larger "
        "rates are borne (Bjorck et al. 2018).",
    ),
    Claim(
        "D4b",
        "",
        "At a small rate residual networks train alike with batch normalization and without it; "
        "its gain comes with the larger rates that it bears. Without it the gradients by the "
        "outputs are at first alike for all examples (Bjorck et al. 2018).",
    ),
    Claim(
        "D5",
        "",
        "Batch normalization by itself does not make any depth trainable: at initialization it "
        "makes gradients grow exponentially backward, which layers that add their inputs avoid "
        "(Yang et al. 2019).",
    ),
    Claim(
        "D6",
        "",
        "Weight normalization that is fitted to the first mini-batch learns sooner than the plain "
        "network, the fit widens the range of rates that train, and the mean of each mini-batch "
        "adds to it (Salimans and Kingma 2016).",
    ),
    Claim(
        "D7",
        "",
        "Residual networks whose branches begin by adding nothing (SkipInit, De and Smith 2020, "
        "also with scaled weights, Brock et al. 2021; Fixup, Zhang et al. 2019) train at any depth "
        "without it, at smaller rates.",
    ),
    Claim(
        "D8",
        "",
        "Statistics of M examples in place of the population's act as a penalty that shrinks like "
        "1/M (Luo et al. 2019); with its length apart from its direction least squares is not "
        "convex any more, and descent still arrives linearly (Kohler et al. 2019).",
    ),
    Claim(
        "G1",
        "",
        "Batch normalization takes over a part of what dropout does, so that dropout gains less "
        "beside it; and dropout before batch normalization leaves inference with variances that "
        "are too large (Li et al. 2018).",
    ),
    Claim(
        "G2",
        "",
        "With statistics over a part of the mini-batch (ghost batches) a network generalizes "
        "better, down to a size below which they are too noisy (Hoffer et al. 2017); it is their "
        "noise that does it (Luo et al. 2019).",
    ),
    Claim(
        "G3",
        "",
        "Half of what batch normalization gains in test accuracy is had by keeping the last layer "
        "alone from growing, which its initial size alone does not do (after Dauphin and Cubuk "
        "2021).",
    ),
    Claim(
        "G3b",
        "",
        "So it is where every training image is learnt by heart: there logits grow without batch "
        "normalization, and half of its gain is had by keeping the last layer alone from it (after "
        "Dauphin and Cubuk 2021).",
    ),
    Claim(
        "R1",
        "",
        "In a recurrent network batch normalization of the input connections trains faster and "
        "does not generalize better, and of the recurrent connections it does not help (Laurent "
        "et al. 2015).",
    ),
    Claim(
        "R2",
        "",
        "Batch normalization of the recurrent connections too, with statistics of each step and "
        "gammas that begin at 0.1, trains faster and generalizes better (Cooijmans et al. 2016).",
    ),
    Claim(
        "R3",
        "",
        "Layer normalization makes recurrent networks train faster (Ba et al. 2016).",
    ),
)


def claim(identifier: str) -> Claim:
    """The claim called `C1` to `C25`, one of the laboratory's, or the law called `X1` and so on.

    Raises:
        KeyError: if there is none of that name.
    """
    for candidate in (*CLAIMS, *LABORATORY, *LAWS):
        if candidate.identifier == identifier:
            return candidate
    raise KeyError(
        f"{identifier}: expected C1 to C{len(CLAIMS)}, E1 and further, or X1 to X{len(LAWS)}"
    )
