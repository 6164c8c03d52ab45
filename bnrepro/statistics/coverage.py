"""How often the bootstrap's interval holds the ratio that it is an interval of.

Its name says 95 %; over three seeds it holds less often, over many a little more often.
"""

from functools import cache

import numpy as np

from bnrepro.statistics.medians import CONFIDENCE

NUM_SIMULATIONS = 40_000
# Over more seeds the simulation would take seconds, and up to 100 the coverage stays what it is.
MAX_SEEDS = 20


@cache
def bootstrap_coverage(n: int) -> float:
    """How often the interval of `bootstrap.speedup` over `n` seeds holds the true ratio.

    From `NUM_SIMULATIONS` studies of two experiments whose steps are independent and have one
    continuous distribution, up to the true ratio. Which distribution does not matter: whether the
    interval holds the ratio depends on the order of the 2 `n` numbers alone. In each study the
    bootstrap is that of infinitely many resamples. The result is the same on every machine.

    A target that is drawn with the seeds changes nothing where accuracies rise in parallel with the
    logarithm of the steps: another target moves both medians by one factor.

    Above `MAX_SEEDS` it is that of `MAX_SEEDS`; one seed has no interval, and 0.
    """
    if n < 2:
        return 0.0
    n = min(n, MAX_SEEDS)
    numbers = np.tile(np.arange(2 * n), (NUM_SIMULATIONS, 1))
    places = np.random.Generator(np.random.Philox(0)).permuted(numbers, axis=1)
    below = share_below(places[:, :n], places[:, n:])
    tail = (1 - CONFIDENCE) / 2
    return float(((below > tail) & (below < 1 - tail)).mean())


def share_below(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The share of all resamples of the seeds in which `first`'s median is below `second`'s.

    Both are (studies, seeds). A row of both together has, of each of its 2 x seeds numbers, the
    place in their order, from 0. The median is the lower one, that of `kaplan_meier_median`.
    """
    n = first.shape[1]
    both = _share_of_resamples(n)
    thresholds = np.arange(2 * n)
    # (studies, seeds, thresholds)
    is_first, is_second = (places[:, :, None] <= thresholds for places in (first, second))
    of_first, of_second = is_first.sum(axis=1), is_second.sum(axis=1)
    of_both = (is_first & is_second).sum(axis=1)
    # Resamples whose first median is at or below the threshold, the second above it.
    parted = both[of_first, n, of_first] - both[of_first, of_second, of_both]
    # They are counted where the first median lies: at the numbers of the first.
    gained = np.diff(parted, axis=1, prepend=0.0) * np.diff(of_first, axis=1, prepend=0)
    return gained.sum(axis=1)


def _share_of_resamples(n: int) -> np.ndarray:
    """The share of the resamples in which two medians are at or below a threshold.

    (n + 1, n + 1, n + 1), by how many of the n seeds are at or below it with their first number,
    with their second, and with both. An entry that no seeds can have means nothing.
    """
    below = np.arange(n + 1) / n
    first, second, both = below[:, None, None], below[:, None], below
    # Resamples by how many of their seeds are below with the first number, and with the second.
    shares = np.zeros((n + 1,) * 5)
    shares[0, 0] = 1
    for _ in range(n):
        drawn = (1 - first - second + both) * shares
        drawn[1:] += (first - both) * shares[:-1]
        drawn[:, 1:] += (second - both) * shares[:, :-1]
        drawn[1:, 1:] += both * shares[:-1, :-1]
        shares = drawn
    half = (n + 1) // 2
    return shares[half:, half:].sum(axis=(0, 1))
