"""When a claim counts as reproduced: what is measured and the bound it is held against.

A `Criterion` judges one computed number; a `SeedCriterion` judges one number per seed, where every
seed, or the whole interval of their median, must lie on the bound's side. The criteria on records
stand in `exhibits/<question>/claims.py`, beside what measures them.

What is measured and the bounds were committed before the first record of any study, but for what
says `after_records`. Later than the records, and only so that less is claimed: that fewer than
`VERDICT_SEEDS` seeds give a hint instead of a verdict; that Inception's accuracy, where it is the
target, is drawn with the seeds in an interval; that a share of the way to it is taken on each seed;
that six networks of one ensemble have no interval; and which criteria ask for more than the paper
claims (`beyond`).
"""

from dataclasses import dataclass
from typing import Literal

from bnrepro.paper.claims import claim

# What a verdict rests on, so that each kind is counted by itself.
Group = Literal["exact experiment", "training", "beyond the claim", "after the records"]

# Where nothing differs, n seeds lie on one side with a chance of 1 in 2**n: at 3 that is 12.5 % a
# side, a hint; at 6 it is 1.6 %, a verdict. Fewer than 3 give neither.
HINT_SEEDS = 3
VERDICT_SEEDS = 6
# A number of double precision below this is 0 but for rounding.
ROUNDING = 1e-12
# Whitening divides by the roots of the eigenvalues of the covariance, of which the smallest is a
# thirty-millionth of the largest where there is one example more than features.
WHITENING_ROUNDING = 1e-7


@dataclass(frozen=True)
class Criterion:
    """A bound on one computed number; `beyond` says in what it asks for more than the paper."""

    claim: str
    measure: str
    relation: Literal["at least", "at most", "exactly"]
    bound: float
    # Below this the number is 0 but for rounding, and its digits differ between processors.
    rounding: float = ROUNDING
    beyond: str = ""

    @property
    def section(self) -> str:
        """The section in which the paper makes the claim."""
        return claim(self.claim).section

    @property
    def group(self) -> Group:
        """What a verdict by it rests on."""
        return "beyond the claim" if self.beyond else "exact experiment"

    @property
    def text(self) -> str:
        """The criterion in words."""
        bound = f"{self.relation} {self.bound:g}"
        return f"{bound}; beyond the claim: {self.beyond}" if self.beyond else bound

    def holds(self, value: float) -> bool:
        """Whether the number is on the claim's side of the bound; NaN never is."""
        if self.relation == "exactly":
            return value == self.bound
        return value >= self.bound if self.relation == "at least" else value <= self.bound


@dataclass(frozen=True)
class SeedCriterion:
    """A bound on a number that every seed has, or every network of one ensemble (`each`).

    `after_records`: it was written when the records that it judges had been seen.
    """

    claim: str
    sentence: str
    measure: str
    relation: Literal["above", "below"]
    bound: float
    each: Literal["seed", "network"] = "seed"
    after_records: bool = False

    @property
    def section(self) -> str:
        """The section in which the paper makes the claim."""
        return claim(self.claim).section

    @property
    def group(self) -> Group:
        """What a verdict by it rests on."""
        return "after the records" if self.after_records else "training"

    @property
    def text(self) -> str:
        """The criterion in words."""
        rule = f"{self.measure}: {self.relation} {self.bound:g} for every {self.each}"
        if self.each == "seed":
            rule += f", or by the interval of the median; below {VERDICT_SEEDS} seeds a hint"
        return f"{rule}; written after the records were seen" if self.after_records else rule


# Rounding in double precision, with three digits to spare for sums over a batch.
_ROUNDING = 1e-9

EXACT = {
    "C1.toy_bias": Criterion(
        "C1",
        "toy x = u + b: growth of b in the second half of training over that in the first",
        "at least",
        0.9,
    ),
    "C1.toy_loss": Criterion(
        "C1", "toy x = u + b: relative change of the loss", "at most", _ROUNDING
    ),
    "C1.network_bias": Criterion(
        "C1",
        "network, mean outside the gradient: growth of |b| in the second half over the first",
        "at least",
        0.5,
    ),
    "C1.network_loss": Criterion(
        "C1",
        "network, mean outside the gradient: fall of the loss in the second half",
        "at most",
        0.05,
    ),
    "C1.network_scale": Criterion(
        "C1",
        "network, mean and variance outside the gradient: growth of |W|, |b| over that with "
        "batch normalization",
        "at least",
        2.0,
    ),
    "C1.batch_normalization": Criterion(
        "C1", "the same network with batch normalization: growth of |b|", "at most", _ROUNDING
    ),
    "C2.output": Criterion(
        "C2",
        "BN(aWu) against BN(Wu), a = 0.1 to 100, epsilon = 0: largest relative error",
        "at most",
        _ROUNDING,
    ),
    "C2.gradient_of_input": Criterion(
        "C2",
        "gradient to u through BN(aWu) against that through BN(Wu): largest relative error",
        "at most",
        _ROUNDING,
    ),
    "C2.gradient_of_weights": Criterion(
        "C2",
        "a times the gradient of aW against the gradient of W: largest relative error",
        "at most",
        _ROUNDING,
    ),
    "C2.epsilon": Criterion(
        "C2",
        "epsilon = 1e-3, 1e-5: largest error of BN(aWu) against the exact law "
        "BN(Wu; epsilon / a^2)",
        "at most",
        _ROUNDING,
    ),
    "C2.orthogonal": Criterion(
        "C2",
        "gradient of each unit's weights: largest cosine with these weights",
        "at most",
        _ROUNDING,
    ),
    "C2.growth": Criterion(
        "C2",
        "|W|^2 after a step of gradient descent against |W|^2 + rate^2 |gradient|^2: "
        "largest relative error",
        "at most",
        _ROUNDING,
    ),
    "C2.monotone": Criterion(
        "C2", "share of 100 steps of gradient descent in which |W| grows", "exactly", 1
    ),
    "C4.gradient": Criterion(
        "C4",
        "gradient through the layer against the Jacobian of Algorithm 1 as a matrix: largest "
        "relative error",
        "at most",
        _ROUNDING,
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
    "C5.layer": Criterion(
        "C5",
        "gamma = sqrt(variance + epsilon), beta = mean: largest |y - x|",
        "at most",
        _ROUNDING,
    ),
    "C5.network": Criterion(
        "C5",
        "trained network with such layers put in: change of its loss",
        "at most",
        _ROUNDING,
    ),
    "C6.gradient": Criterion(
        "C6",
        "gradient of a bias before batch normalization over that of its kernel",
        "at most",
        _ROUNDING,
    ),
    "C6.output": Criterion("C6", "any other bias: largest change of y", "at most", _ROUNDING),
    "C6.training": Criterion(
        "C6",
        "training with and without the bias: difference of the final losses",
        "at most",
        _ROUNDING,
    ),
    "C7.mean": Criterion("C7", "largest |mean| of a normalized unit", "at most", _ROUNDING),
    "C7.variance": Criterion(
        "C7", "largest |variance - 1| of a normalized unit, epsilon = 0", "at most", _ROUNDING
    ),
    "C7.epsilon": Criterion(
        "C7",
        "epsilon = 1e-3: largest |variance - v / (v + epsilon)|, v the variance before",
        "at most",
        _ROUNDING,
    ),
    "C8.parameters": Criterion(
        "C8", "learned parameters of batch normalization, per feature map", "exactly", 2
    ),
    "C8.joint": Criterion(
        "C8",
        "output against normalization over batch and locations jointly: largest error",
        "at most",
        _ROUNDING,
    ),
    "C8.shift": Criterion(
        "C8",
        "circular convolution and batch normalization of a shifted image against the shifted "
        "output: largest error",
        "at most",
        _ROUNDING,
    ),
    "C8.per_activation": Criterion(
        "C8", "the same with normalization per activation: largest error", "at least", 0.01
    ),
    "C9.variance": Criterion(
        "C9",
        "Algorithm 2's variance of the first layer, batches of 2 to 128: largest relative error",
        "at most",
        0.05,
    ),
    "C9.correction": Criterion(
        "C9",
        "the same variance without m/(m-1), batches of 2: relative error",
        "at least",
        0.4,
    ),
    "C9.accuracy": Criterion(
        "C9",
        "accuracy by population statistics minus by the statistics of batches of 2",
        "at least",
        0.05,
    ),
    "C9.alone": Criterion(
        "C9",
        "class scores of an example alone against the same in a batch: largest difference",
        "at most",
        _ROUNDING,
    ),
    "C10.mlp": Criterion(
        "C10",
        "fully connected network with its normalization folded into W and b: largest "
        "relative difference of the class scores",
        "at most",
        _ROUNDING,
    ),
    "C10.cnn": Criterion(
        "C10",
        "convolutional network, likewise folded: largest relative difference of the class scores",
        "at most",
        _ROUNDING,
    ),
    "C22.rank": Criterion(
        "C22",
        "rank of the covariance of m examples against min(features, m - 1): largest difference",
        "exactly",
        0,
    ),
    "C22.whitening": Criterion(
        "C22",
        "as many examples as features, whitened: distance of their covariance from the identity",
        "at least",
        0.5,
    ),
    "C22.enough": Criterion(
        "C22",
        "one example more than features, whitened: the same distance",
        "at most",
        1e-6,
        rounding=WHITENING_ROUNDING,
    ),
    "C22.elementwise": Criterion(
        "C22",
        "each feature normalized by itself, 2 or more examples: largest |variance - 1|",
        "at most",
        _ROUNDING,
    ),
}
