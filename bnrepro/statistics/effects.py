"""How large paired differences are, and what is left of p-values where several are looked at."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt


def paired_effect_size(differences: npt.ArrayLike) -> float | None:
    """The mean of paired differences in their own standard deviations (Cohen's d_z).

    The standard deviation is that of a sample, over n - 1. None for fewer than two differences, and
    where all are equal: their size has no scale then.
    """
    values = np.asarray(differences, float)  # (n,)
    if values.size < 2:
        return None
    spread = values.std(ddof=1)
    # What rounding leaves of equal numbers is no spread.
    return float(values.mean() / spread) if spread > 1e-12 * np.abs(values).max() else None


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values after Holm's correction for their number (Holm 1979), in the given order.

    The k-th smallest of m is multiplied by m - k + 1; none falls below a smaller one, or exceeds 1.
    Rejecting what is at most a level holds the chance of any false rejection at that level, however
    the tests depend on each other.
    """
    values = np.asarray(p_values, float)  # (m,)
    order = np.argsort(values, kind="stable")
    raised = values[order] * np.arange(len(values), 0, -1)
    corrected = np.empty_like(values)
    corrected[order] = np.minimum(np.maximum.accumulate(raised), 1.0)
    return corrected.tolist()
