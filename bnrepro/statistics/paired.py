"""Comparisons over the seeds that two experiments share.

Every experiment starts from the same initial weights and sees the same order of examples under the
same seed, so differences within a seed are less noisy than differences of means.
"""

import numpy as np
import numpy.typing as npt
import pandas as pd

# Sign assignments are enumerated: 2 to the power of this many is the most that is kept in memory.
MAX_PAIRS = 20


def pair(runs: pd.DataFrame, first: str, second: str, column: str) -> pd.DataFrame:
    """`column` of the runs labelled `first` and `second`, for the seeds that both have.

    Columns `seed`, `first`, `second`, by increasing seed; no rows where no seed is shared.
    """
    left, right = (
        runs.loc[runs["label"] == label, ["seed", column]].rename(columns={column: name})
        for name, label in (("first", first), ("second", second))
    )
    pairs = left.merge(right, on="seed", validate="one_to_one")
    return pairs.sort_values("seed", ignore_index=True)


def sign_flip_test(differences: npt.ArrayLike) -> float:
    """Exact two-sided p-value of the hypothesis that paired differences are symmetric around 0.

    The share of all 2**n assignments of signs whose sum is at least as far from 0 as the observed
    one. It cannot fall below 2 / 2**n: 0.25 at n = 3, 0.031 at n = 6.

    Raises:
        ValueError: on no differences, too many to enumerate, or one that is not finite.
    """
    values = np.asarray(differences, float)  # (n,)
    if not 1 <= values.size <= MAX_PAIRS or not np.isfinite(values).all():
        received = values.tolist()
        raise ValueError(f"expected 1 to {MAX_PAIRS} finite differences, received {received}")
    sums = np.zeros(1)
    for value in values:
        sums = np.concatenate([sums + value, sums - value])  # (2**n,) at the end
    # The observed sum is among them; rounding must not make it miss itself.
    tolerance = 1e-9 * np.abs(values).sum()
    return float((np.abs(sums) >= abs(values.sum()) - tolerance).mean())
