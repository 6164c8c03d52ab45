"""Section 3: why each feature is normalized by itself, and not all of them whitened together.

The covariance of m examples has rank m - 1 at most, and whitening needs its inverse root.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from bnrepro.lab.setting import batch_normalization, random
from bnrepro.lab.tables import write_table
from bnrepro.verdicts.criteria import ROUNDING_BOUND, Criterion
from bnrepro.verdicts.verdict import Verdict, judge

# Whitening divides by the roots of the eigenvalues of the covariance, of which the smallest is a
# thirty-millionth of the largest where there is one example more than features.
WHITENING_ROUNDING = 1e-7

CRITERIA = {
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
        ROUNDING_BOUND,
    ),
}

_FEATURES = 32
_EXAMPLES = (2, 4, 8, 16, 31, 32, 33, 48, 64, 128)


class Row(NamedTuple):
    """One mini-batch; the errors are how far both normalizations miss their aim."""

    examples: int
    features: int
    rank: int  # of the covariance
    whitened_error: float
    normalized_error: float


COLUMNS = Row._fields


def verdicts(folder: Path) -> list[Verdict]:
    """C22; writes `whitening.csv`."""
    rows = [measure(examples) for examples in _EXAMPLES]
    write_table(folder / "whitening.csv", COLUMNS, rows, WHITENING_ROUNDING)
    whitened = {row.examples: row.whitened_error for row in rows}
    rank_error = max(abs(row.rank - min(_FEATURES, row.examples - 1)) for row in rows)
    return [
        judge(CRITERIA["C22.rank"], rank_error, f"m = 2 to {_EXAMPLES[-1]}, {_FEATURES} features"),
        judge(CRITERIA["C22.whitening"], whitened[_FEATURES]),
        judge(CRITERIA["C22.enough"], whitened[_FEATURES + 1]),
        judge(CRITERIA["C22.elementwise"], max(row.normalized_error for row in rows)),
    ]


def measure(examples: int) -> Row:
    """What whitening and batch normalization make of a mini-batch of some examples."""
    # Features that are correlated, as those of a network are.
    mixing = random("mixing", _FEATURES, _FEATURES)
    values = random("features", max(_EXAMPLES), _FEATURES)[:examples] @ mixing
    covariance = np.cov(values, rowvar=False, bias=True)
    rank = int(np.linalg.matrix_rank(covariance, hermitian=True))
    white = (values - values.mean(axis=0)) @ inverse_root(covariance, rank)
    error = np.cov(white, rowvar=False, bias=True) - np.eye(_FEATURES)
    whitened_error = np.linalg.norm(error, ord=2)
    normalized = np.asarray(batch_normalization()(values, training=True))
    normalized_error = np.abs(normalized.var(axis=0) - 1).max()
    return Row(examples, _FEATURES, rank, float(whitened_error), float(normalized_error))


def inverse_root(covariance: np.ndarray, rank: int) -> np.ndarray:
    """Cov^(-1/2) on the directions in which the examples vary at all."""
    eigenvalues, vectors = np.linalg.eigh(covariance)
    kept = vectors[:, -rank:]
    return kept / np.sqrt(eigenvalues[-rank:]) @ kept.T
