"""Laws around batch normalization that hold exactly, X1 to X15, each with the work that says it."""

from bnrepro.paper.stated import Law

_SANTURKAR = "Santurkar et al. 2018, arXiv 1805.11604"

LAWS = (
    Law(
        "X1",
        f"{_SANTURKAR}, theorem 4.1",
        "Through batch normalization, |dL/dy|^2 = (gamma^2 / sigma^2) (|g|^2 - (1.g)^2 / m - "
        "(g.y_hat)^2 / m) with g = dL/dz. The theorem prints 1/sqrt(m) in the last term, an "
        "erratum: |y_hat| is sqrt(m).",
    ),
    Law(
        "X2",
        f"{_SANTURKAR}, theorem 4.2",
        "Along G = dL/dy the curvature through batch normalization is (gamma^2 / sigma^2) G.H_z G "
        "- (gamma / (m sigma^2)) (g.y_hat) |G|^2, H_z being the Hessian by z.",
    ),
    Law(
        "X3",
        f"{_SANTURKAR}, lemma 4.5",
        "With k = (W*.W0) / |W*|^2, k W* is as good as the optimum W* and nearer to W0: "
        "|W0 - k W*|^2 = |W0 - W*|^2 - (|W*|^2 - W*.W0)^2 / |W*|^2.",
    ),
    Law(
        "X4",
        "Ioffe and Szegedy 2015, section 3.3; Arora et al. 2018, arXiv 1812.03981",
        "With kernels a W before batch normalization the network is the same, gradients are "
        "smaller by a and curvatures by a^2, and W.dL/dW = 0, so that any absolute measure of "
        "smoothness can be had by rescaling.",
    ),
    Law(
        "X5",
        "van Laarhoven 2017, arXiv 1706.05350; Wan et al. 2021, arXiv 2006.08419",
        "Weight decay on a scale-invariant kernel ends in an equilibrium: |w|^4 = eta G / "
        "(2 lambda (1 - mu)), and each step turns w by sqrt(2 eta lambda / (1 + mu)).",
    ),
    Law(
        "X6",
        "Yang et al. 2019, arXiv 1902.08129",
        "At initialization the squared gradient grows backward through every layer with batch "
        "normalization: by (B - 2) / (B - 3) without an activation, by pi / (pi - 1) with ReLU "
        "and large batches B; without normalization and with He's weights it does not.",
    ),
    Law(
        "X7",
        "Luo et al. 2019, arXiv 1809.00846",
        "Over M independent values of variance s^2 and excess kurtosis r, Var mean = s^2 / M, "
        "Var deviation = s^2 (r + 2) / (4 M) to first order, and E variance = s^2 (M - 1) / M. "
        "Neighbours in a feature map correlate, so that M is smaller than the number of values.",
    ),
    Law(
        "X8",
        "Wu and Johnson 2021, arXiv 2105.07576",
        "A moving average of momentum a stays v a / (1 - a) behind what moves by v a step, keeps "
        "(1 - a) / (1 + a) of the noise's variance, and a^t of its first value.",
    ),
    Law(
        "X9",
        "Wu and He 2018, arXiv 1803.08494; Ioffe 2017, arXiv 1702.03275",
        "Group normalization with one group is layer normalization, with a group a channel "
        "instance normalization, and so is batch normalization of a single image; none of the "
        "three sees the other examples. Batch renormalization with r = 1, d = 0 is batch "
        "normalization, and unclipped it has inference's values.",
    ),
    Law(
        "X10",
        "Salimans and Kingma 2016, arXiv 1602.07868",
        "With w = g v / |v|, dL/dg = dL/dw.v / |v| and dL/dv = (g / |v|) dL/dw - "
        "(g dL/dg / |v|^2) v is orthogonal to v, whose length never falls; the first batch can "
        "give every unit mean 0 and variance 1; mean-only batch normalization takes the batch "
        "mean out of the gradient.",
    ),
    Law(
        "X11",
        "LeCun et al. 1998, Efficient BackProp; Polyak 1964",
        "On a quadratic with condition number k gradient descent needs ln(1000) / "
        "ln((k + 1) / (k - 1)) steps for a factor of 1000; scales, means and correlation of the "
        "features set k, and batch normalization of the inputs is standardization.",
    ),
    Law(
        "X12",
        "Li, Chen, Hu, Yang 2018, arXiv 1801.05134",
        "Dropout that keeps a share p before batch normalization makes the variance of training "
        "(v + c^2) / p - c^2, with mean c and variance v at inference: the moving variance is off "
        "by that ratio.",
    ),
    Law(
        "X13",
        "Li et al. 2018, arXiv 1712.09913",
        "A loss curve along a filter-normalized direction does not see the scale of normalized "
        "kernels, with frozen statistics only if these are scaled along; in a ReLU network "
        "without normalization it does not see a scale that one layer gives to the next.",
    ),
    Law(
        "X14",
        "Miyato et al. 2018, arXiv 1802.05957",
        "W / s(W), with s by power iteration, has largest singular value 1, and its gradient is "
        "(dL/dW_bar - <dL/dW_bar, W_bar> u v^T) / s.",
    ),
    Law(
        "X15",
        "Kohler et al. 2019, arXiv 1805.10694",
        "Least squares through batch normalization and its best gain is to minimize "
        "-(u.w)^2 / (w.S w) with u = E[y x], S = E[x x^T]: free of scale, with its minimum at "
        "S^-1 u, the direction of ordinary least squares.",
    ),
)
