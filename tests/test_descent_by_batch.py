"""F3: what its criteria make of losses whose answer is known."""

import numpy as np
import pandas as pd
import pytest

from bnrepro.exhibits.descent_by_batch import claims, curves
from bnrepro.lab.descent_by_batch import COLUMNS

UPDATES = np.array([0, 1, 2, 4, 8, 16, 32, 64, 128, 256])


def descents(halvings, fluctuations):
    """Losses 2 / 2^(updates / halving), by size of mini-batches."""
    rows = []
    for size, halving in halvings.items():
        for seed in range(6):
            for step in UPDATES:
                end = fluctuations[size] if step == UPDATES[-1] else np.nan
                loss = 2 * 0.5 ** (step / halving)
                rows.append((size, 0.1, seed, step, step * size, 0.01 * step, loss, end))
    return pd.DataFrame(rows, columns=COLUMNS)


def outcomes(found):
    verdicts = zip(claims.CRITERIA, claims.JUDGED.verdicts({"descents": found}), strict=True)
    return {key: verdict.verdict for key, verdict in verdicts}


FALLING = {1: 0.5, 32: 0.2, 2048: 0.01}


def test_a_descent_that_needs_fewer_examples_bears_it_out():
    found = descents({1: 40, 32: 20, 2048: 10}, FALLING)
    assert set(outcomes(found).values()) == {"reproduced"}
    assert "never" not in curves.needed(found, "updates")


def test_one_that_needs_as_many_updates_as_examples_does_not():
    # As many updates of single examples and of 32 as make them slower by examples, too.
    found = descents({1: 4096, 32: 80, 2048: 1}, FALLING)
    assert outcomes(found)["F3.examples"] == "not reproduced"
    assert "never (one at a time)" in curves.needed(found, "examples")


def test_a_fluctuation_that_does_not_fall_contradicts_it():
    found = descents({1: 40, 32: 20, 2048: 10}, {1: 0.1, 32: 0.2, 2048: 0.01})
    assert outcomes(found)["F3.fluctuation"] == "not reproduced"


def test_the_target_is_met_between_two_observations():
    # 2 * 0.5^(n / 10) = 0.3 at n = 27.4, between 16 and 32.
    one = descents({1: 10}, FALLING).query("seed == 0")
    assert claims.to_target(one, "updates") == pytest.approx(27.4, rel=0.06)
