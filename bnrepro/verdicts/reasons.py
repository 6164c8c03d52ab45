"""What is said beside verdicts: how far they carry, and why a claim does not hold.

Why it does not hold in its exact experiment, as it was found when the reason was looked for.
Reasons for what the studies show lie beside their records, in `results/<figure>/NOTES.md`, to which
the report links.
"""

from collections.abc import Sequence

from bnrepro.verdicts.criteria import HINT_SEEDS, VERDICT_SEEDS
from bnrepro.verdicts.verdict import Verdict

CAUTION = (
    f"A verdict on trainings needs {VERDICT_SEEDS} seeds; from {HINT_SEEDS} on it is a hint: where "
    f"nothing differs, {HINT_SEEDS} seeds lie on the claim's side by chance in "
    f"{100 / 2**HINT_SEEDS:.3g} % of the cases, {VERDICT_SEEDS} in {100 / 2**VERDICT_SEEDS:.2g} %. "
    "No verdict is corrected for their number. Coverage: how often such an interval holds the "
    "median, or, in a simulation, the ratio of two."
)
_REASONS = {
    "C3": (
        "The gradient is perpendicular to a kernel and shrinks with its length, so that without "
        "decay |w|^4 = |w_0|^4 + 2 eta^2 G t: the effective rate eta / |w|^2 forgets the rate once "
        "the length has forgotten where it began. He's weights begin long; in so few steps even "
        "the largest rate adds only a part to that, and the rates in effect are nearly as far "
        "apart as the rates are."
    ),
    "C4": (
        "The paper argues from uncorrelated Gaussian layers and a linear map between them that "
        "keeps them so. Orthogonal weights do; the singular values of a square matrix of "
        "independent weights spread over 0 to 2 whatever normalizes them, 68 % of them above 1/2 "
        "(the quarter-circle law). ReLU sets those of inactive units to 0, and over depth the "
        "spreads multiply: with ReLU and batch normalization gradients grow exponentially (Yang "
        "et al. 2019, arXiv 1902.08129)."
    ),
    "A1": (
        "The noise delays batch normalization, it does not stop it: at the end noisy batch "
        "normalization is about where batch normalization was at three quarters of the steps, and "
        "the distance does not widen (noisy_batch/gap.csv). Santurkar et al. compare after 15,000 "
        "steps, when curves have levelled off; 400 steps are all slope."
    ),
    "A2": (
        "With Glorot's weights the network without batch normalization begins on a plateau: its "
        "loss stays at that of chance for the first hundred steps, its gradient is a tenth to a "
        "hundredth of that with batch normalization, and of a tiny gradient the changes are tiny. "
        "Measurements at steps of equal ratios are mostly of that time. When it learns, its "
        "surface becomes rough at once (smoothness/landscape.png), but its gradient is still the "
        "shorter one, which makes absolute changes small; at long steps, relative to gradient and "
        "weights, they are the larger ones by far."
    ),
    "A4": (
        "The largest of a thousand values is one example's, and another one's after the next step: "
        "with l infinity the gradient jumps however short a step is (effective beta times the rate "
        "is 10, with the deviation 1, though the greatest change is no larger), is nearly as long "
        "as with the deviation, and leads nowhere at this rate. That changes along the gradient "
        "are greater with every norm than without is what A5 finds."
    ),
    "A5": (
        "At equal rates the network without batch normalization hardly moves: its gradient is "
        "about a fifth as long, and of a short gradient the changes are small. Rate times "
        "effective beta is about 1 with batch normalization, near the edge of what descent bears, "
        "and 0.02 without: that network could take a larger rate, and learns faster "
        "with it (covariate_shift). At equal shares of weights and gradient the difference is a "
        "factor of two, and has the same sign."
    ),
    "B3": (
        "Weight decay moves the picture as they say, and not far enough. It halves the kernels of "
        "small mini-batches and leaves those of large ones. The same step beyond an end turned the "
        "former by less than the latter, and now turns them by three times as much; the "
        "difference of both rises shrinks to a twenty-fifth. But the solution of small "
        "mini-batches is so much the flatter one here that three times the turn does not make up "
        "for it. With moving averages nothing can be said at that point: beyond short kernels "
        "some variances on the line are below 0."
    ),
    "C19": (
        "Not down to four: over 16 examples instead of 256 the gap is smaller on every seed, but "
        "statistics of four are so noisy that the network no longer learns all of its training "
        "images (laboratory/ghost_batches/sizes.csv), and a rank correlation over all sizes allows "
        "for no turn."
    ),
    "C24": (
        "New means and variances take back what shifts and widens the inputs of the units, as "
        "noise does. The first layer makes of a negative the same numbers with the opposite sign, "
        "plus a constant: its new statistics take the constant away, and what is left is the "
        "opposite of every feature that the network knows. Rotation moves what is where, of which "
        "a mean and a variance per unit know nothing."
    ),
    "D1b": (
        "Ioffe's mini-batches hold two images each of 16 classes of a thousand; here they are of "
        "four of ten, drawn anew for each. The mean image of such a mini-batch varies by only a "
        "seventh more than that of eight shuffled ones: it is nearly a sample."
    ),
    "E3": (
        "At a constant rate every step of RMSprop is about as long as the rate, however small the "
        "gradient: a thousandth of the distance asks for a small rate and a thousand steps, on a "
        "good surface too, where gradient descent needs fewer. And Adam has momentum, to which a "
        "condition number of 100 is no hindrance (the heavy ball, too, needs few steps there, "
        "laboratory/error_surface/scales.csv): there it gains nothing by dividing, and a turn has "
        "nothing to take."
    ),
    "F1": (
        "With sigmoid Adam is better without batch normalization, and so is its loss on the "
        "mini-batches that it trains on (laboratory/rate_sensitivity/rates.csv): the moving "
        "averages are not to blame. Adam divides by the size of the gradient and so mends by "
        "itself what makes this network hard for gradient descent, gradients that shrink from "
        "layer to layer; what batch normalization then adds may be the noise of its mini-batches, "
        "which was not measured. This is after 400 steps."
    ),
    "F4": (
        "Not each decay: in a short training 1 / (1 + k t) has spent its large rates after the "
        "first steps and is still on its way when the constant rate has come down to its noise "
        "(laboratory/rate_decay/decays.csv). What a decay takes from the noise it must not take "
        "from the way: the cosine, which keeps large rates longest, ends lowest in all three."
    ),
    "G2": (
        "Noise that is drawn for each unit by itself leaves the gap as it is with whole "
        "mini-batches. That of a part is another: whoever is in it moves all units together, and "
        "an example's own value is in its own statistics, so that what is unusual in it is damped. "
        "Which of the two helps was not measured."
    ),
    "G3": (
        "Logits grow with what is learnt, and after these 600 steps the network without batch "
        "normalization is right on less than half of its training images: those that learn more, "
        "with batch normalization or at the larger rate that a penalty bears, have the longer ones "
        "(last_layer/variants.csv). What Dauphin and Cubuk speak of begins where every training "
        "image is learnt by heart, which takes a longer training."
    ),
    "R1": (
        "So short a training shows no image twice, and nothing is learnt by heart: accuracies in "
        "mini-batches and on test images are about the same, and whoever trains faster is ahead on "
        "both (laboratory/recurrent/ends.csv). Laurent et al. speak of trainings that overfit."
    ),
    "R2": (
        "In mini-batches it is right as often as the other networks, in inference it is not. The "
        "statistics of a step are measured while the steps before it are normalized by the same "
        "60 images, and their averages, moving ones or Algorithm 2's, belong to no network that "
        "was ever run: from step to step the states move away from what was measured. Cooijmans et "
        "al. train other networks, on other tasks and for longer."
    ),
    "R3": (
        "Its best rate is the smallest of the four that were tried: at a still smaller one it "
        "might do better. What may be behind it: layer normalization brings the sums of every row "
        "to the same size, also those of the nearly empty rows with which an image begins and "
        "ends, and which without it say as little as they show."
    ),
}


def reason(claim: str, verdicts: Sequence[str]) -> str | None:
    """Why some of the verdicts on a claim are `not reproduced`; None where all is well."""
    return _REASONS.get(claim) if "not reproduced" in verdicts else None


def reasons_for(verdicts: Sequence[Verdict]) -> list[str]:
    """Why claims among some verdicts are not reproduced, one reason a claim."""
    claims = dict.fromkeys(verdict.claim for verdict in verdicts)
    found = (
        reason(one, [each.verdict for each in verdicts if each.claim == one]) for one in claims
    )
    return [why for why in found if why]
