"""Section 3.3's conjecture: singular values of layer Jacobians close to 1.

Paper: "the precise effect of Batch Normalization on gradient propagation remains an area of further
study"; the conjecture is argued for two normalized, uncorrelated Gaussian layers and a linear
transformation between them. Yang et al. 2019 (https://arxiv.org/abs/1902.08129) show that gradients
of deep networks with batch normalization grow exponentially with depth. Here it is looked at in
networks as they are initialized, between normalized layers x_hat and z_hat = BN(W F(x_hat)):

    frozen statistics, one example:  d z_hat / d x_hat = diag(1/sigma) W diag(F'(x_hat))
    whole batch, unit k:             P_k = (I - 1 1^T / m - z_hat_k z_hat_k^T / m) / sigma_k
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf

from bnrepro.lab.setting import batch_normalization, digits, random
from bnrepro.lab.tables import write_table
from bnrepro.verdicts.criteria import ROUNDING_BOUND, Criterion
from bnrepro.verdicts.verdict import Verdict, judge

CRITERIA = {
    "C4.gradient": Criterion(
        "C4",
        "gradient through the layer against the Jacobian of Algorithm 1 as a matrix: largest "
        "relative error",
        "at most",
        ROUNDING_BOUND,
    ),
    "C4.layer": Criterion(
        "C4",
        "Jacobian of one linear layer at initialization, statistics frozen: share of its "
        "singular values between 1/2 and 2",
        "at least",
        0.9,
    ),
    "C4.orthogonal": Criterion(
        "C4",
        "Jacobian of one linear layer of orthogonal weights, which keep uncorrelated values so, "
        "as the paper's argument assumes: the same share",
        "at least",
        0.9,
    ),
    "C4.relu": Criterion(
        "C4",
        "Jacobian of one layer with ReLU: the same share",
        "at least",
        0.9,
        beyond="the paper conjectures it of a linear map between uncorrelated Gaussian layers",
    ),
    "C4.batch": Criterion(
        "C4",
        "Jacobian of one linear layer through the statistics of the batch, without the "
        "directions that they remove: the same share",
        "at least",
        0.9,
    ),
    "C4.depth": Criterion(
        "C4",
        "Jacobian of 20 layers with ReLU together: the same share",
        "at least",
        0.9,
        beyond="the paper conjectures it of one such step, and of a linear one",
    ),
}

HISTOGRAM_COLUMNS = ("network", "statistics", "log10_low", "log10_high", "share")
DEPTH_COLUMNS = (
    "network",
    "statistics",
    "depth",
    "median",
    "largest",
    "condition",
    "share_within_factor_2",
)

DEPTH = 20
_FROZEN_UNITS, _FROZEN_EXAMPLES, _WATCHED_EXAMPLES = 64, 256, 8
# A batch's Jacobian has (examples x units)^2 entries.
_BATCH_UNITS, _BATCH_EXAMPLES = 10, 20
_BATCH_DEPTHS = (1, 2, 5, 10, 20)
# A singular value below this share of a matrix's largest is 0 but for rounding.
_NULL = 1e-12
# A condition number of 1e12 leaves four of double precision's sixteen digits.
_DIGITS = {"condition": 3}
_BINS = np.linspace(-3, 1, 41)


@dataclass(frozen=True)
class Network:
    """A network as it is initialized: what stands between two of its normalized layers."""

    name: str
    normalized: bool
    relu: bool
    orthogonal: bool = False

    def weights(self, layer: int, units: int) -> np.ndarray:
        """W of a layer, (inputs, units), scaled so that variances stay without normalization."""
        drawn = random(f"jacobian W {layer}", units, units)
        scale = np.sqrt(2.0 if self.relu else 1.0)
        if self.orthogonal:
            return scale * np.linalg.qr(drawn)[0]
        return scale * drawn / np.sqrt(units)

    def activate(self, values: np.ndarray) -> np.ndarray:
        """F."""
        return np.maximum(values, 0) if self.relu else values

    def slope(self, values: np.ndarray) -> np.ndarray:
        """F'."""
        return (values > 0).astype(float) if self.relu else np.ones_like(values)

    def deviation(self, sums: np.ndarray) -> np.ndarray:
        """Sigma of each unit of W F(x), (units,); 1 without normalization."""
        return sums.std(axis=0) if self.normalized else np.ones(sums.shape[1])


NETWORKS = (
    Network("BN linear", normalized=True, relu=False),
    Network("BN ReLU", normalized=True, relu=True),
    Network("BN linear orthogonal", normalized=True, relu=False, orthogonal=True),
    Network("no BN linear", normalized=False, relu=False),
    Network("no BN ReLU", normalized=False, relu=True),
)


def verdicts(folder: Path) -> list[Verdict]:
    """C4; writes `jacobian_histogram.csv` and `jacobian_depth.csv`."""
    layers, courses = {}, {}
    for network in NETWORKS:
        layers[network.name, "frozen"], courses[network.name, "frozen"] = frozen(network)
        if network.normalized:
            layers[network.name, "batch"], courses[network.name, "batch"] = batch(network)
    write_table(
        folder / "jacobian_histogram.csv",
        HISTOGRAM_COLUMNS,
        [(*key, *bar) for key, values in layers.items() for bar in histogram(values)],
    )
    write_table(
        folder / "jacobian_depth.csv",
        DEPTH_COLUMNS,
        [
            (*key, depth, *summary(values))
            for key, course in courses.items()
            for depth, values in course.items()
        ],
        digits=_DIGITS,
    )
    linear, orthogonal = layers["BN linear", "frozen"], layers["BN linear orthogonal", "frozen"]
    deep = courses["BN ReLU", "frozen"][DEPTH]
    return [
        judge(CRITERIA["C4.gradient"], backpropagation_error()),
        judge(
            CRITERIA["C4.layer"],
            share_within(linear),
            f"root mean square {np.sqrt((linear**2).mean()):.2f}",
        ),
        judge(CRITERIA["C4.orthogonal"], share_within(orthogonal)),
        judge(CRITERIA["C4.relu"], share_within(layers["BN ReLU", "frozen"])),
        judge(CRITERIA["C4.batch"], share_within(layers["BN linear", "batch"])),
        judge(CRITERIA["C4.depth"], share_within(deep), f"the largest is {deep.max():.3g}"),
    ]


def frozen(network: Network) -> tuple[np.ndarray, dict[int, np.ndarray]]:
    """Singular values of single layers, and of the first layers together for every depth.

    For single examples; the statistics are those of the whole batch, taken for constants.
    """
    products = np.tile(np.eye(_FROZEN_UNITS), (_WATCHED_EXAMPLES, 1, 1))
    singles, course = [], {}
    values = inputs(_FROZEN_EXAMPLES, _FROZEN_UNITS)
    for layer in range(1, DEPTH + 1):
        weights, sums = propagate(network, values, layer)
        factors = weights.T / network.deviation(sums)[:, None]  # (units, inputs)
        jacobians = factors * network.slope(values[:_WATCHED_EXAMPLES])[:, None, :]
        products = jacobians @ products
        singles.append(singular_values(jacobians))
        course[layer] = singular_values(products)
        values = normalize(network, sums)
    return np.concatenate(singles), course


def batch(network: Network) -> tuple[np.ndarray, dict[int, np.ndarray]]:
    """Singular values as in `frozen`, through the statistics of the batch, all examples together.

    The mean and the scale of every unit are directions that normalization removes: 2 of the m
    singular values of every unit are 0, and are left out.
    """
    values = inputs(_BATCH_EXAMPLES, _BATCH_UNITS)
    kept = (_BATCH_EXAMPLES - 2) * _BATCH_UNITS
    product = np.eye(_BATCH_EXAMPLES * _BATCH_UNITS)
    singles, course = [], {}
    for layer in range(1, DEPTH + 1):
        weights, sums = propagate(network, values, layer)
        jacobian = batch_jacobian(weights, sums, network.slope(values))
        product = jacobian @ product
        if layer in _BATCH_DEPTHS:
            singles.append(singular_values(jacobian)[:kept])
            course[layer] = singular_values(product)[:kept]
        values = normalize(network, sums)
    return np.concatenate(singles), course


def batch_jacobian(weights: np.ndarray, sums: np.ndarray, slopes: np.ndarray) -> np.ndarray:
    """d z_hat / d x_hat of a whole batch, (examples * units, examples * inputs).

    `sums` is W F(x_hat), (examples, units); `slopes` is F'(x_hat), (examples, inputs).
    """
    m, units = sums.shape
    z_hat = (sums - sums.mean(axis=0)) / sums.std(axis=0)
    projections = np.eye(m) - 1 / m - z_hat.T[:, :, None] * z_hat.T[:, None, :] / m
    projections /= sums.std(axis=0)[:, None, None]  # (units, examples, examples)
    jacobian = np.einsum("kij,lk,jl->ikjl", projections, weights, slopes)
    return jacobian.reshape(m * units, -1)


def backpropagation_error() -> float:
    """Largest relative difference between a gradient through the layer and by the matrix above."""
    network = NETWORKS[1]
    values = inputs(_BATCH_EXAMPLES, _BATCH_UNITS)
    weights, sums = propagate(network, values, 1)
    direction = random("jacobian dz", _BATCH_EXAMPLES, _BATCH_UNITS)
    x_hat, layer = tf.constant(values), batch_normalization()
    with tf.GradientTape() as tape:
        tape.watch(x_hat)
        z_hat = layer(tf.matmul(tf.nn.relu(x_hat), weights), training=True)
        value = tf.reduce_sum(z_hat * direction)
    gradient = tape.gradient(value, x_hat).numpy().ravel()
    expected = direction.ravel() @ batch_jacobian(weights, sums, network.slope(values))
    return float(np.abs(gradient - expected).max() / np.abs(expected).max())


def inputs(examples: int, units: int) -> np.ndarray:
    """The first normalized layer, x_hat: a random projection of digits, (examples, units)."""
    images, _ = digits(examples)
    sums = images @ random("jacobian input", images.shape[1], units)
    return (sums - sums.mean(axis=0)) / sums.std(axis=0)


def propagate(network: Network, values: np.ndarray, layer: int) -> tuple[np.ndarray, np.ndarray]:
    """W of the next layer, and W F(x)."""
    weights = network.weights(layer, values.shape[1])
    return weights, network.activate(values) @ weights


def normalize(network: Network, sums: np.ndarray) -> np.ndarray:
    """What the next layer sees."""
    if not network.normalized:
        return sums
    return (sums - sums.mean(axis=0)) / network.deviation(sums)


def singular_values(matrices: np.ndarray) -> np.ndarray:
    """The singular values of matrices, largest first for each; 0 where only rounding is left."""
    values = np.linalg.svd(matrices, compute_uv=False)
    return np.where(values > _NULL * values.max(axis=-1, keepdims=True), values, 0.0).ravel()


def share_within(values: np.ndarray) -> float:
    """The share of singular values between 1/2 and 2."""
    return float(((values >= 0.5) & (values <= 2)).mean())


def summary(values: np.ndarray) -> tuple[float, float, float, float]:
    """Median, largest, condition number without null directions, share between 1/2 and 2."""
    condition = values.max() / values[values > 0].min()
    return float(np.median(values)), float(values.max()), float(condition), share_within(values)


def histogram(values: np.ndarray) -> list[tuple[float, float, float]]:
    """(low, high, share) of log10 of the values; the outer bins take what lies beyond."""
    logarithms = np.log10(np.maximum(values, np.finfo(float).tiny))
    inside = np.clip(logarithms, _BINS[0], np.nextafter(_BINS[-1], 0))
    counts, _ = np.histogram(inside, _BINS)
    edges = np.round(_BINS, 6)
    return [
        (float(low), float(high), float(count / len(values)))
        for low, high, count in zip(edges[:-1], edges[1:], counts, strict=True)
    ]
