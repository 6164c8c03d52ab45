"""One linear unit: gaps and descents against formulas of their own."""

import numpy as np
import pandas as pd
import pytest

from bnrepro.exhibits.linear_unit import claims
from bnrepro.lab import linear_unit, setting
from bnrepro.lab.linear_unit import Problem


def test_the_gap_of_normal_values_is_the_closed_form():
    with setting.double_precision():
        rows = [row for row in linear_unit.gaps((3,)) if row.values == "normal"]
    for row in rows:
        values = np.random.default_rng(row.size).standard_normal((20_000, row.size))
        deviation = np.mean(values.std(axis=1))
        assert claims.normal_law(row.size) == pytest.approx(1 - deviation, abs=0.005)
        assert row.gap == pytest.approx(claims.normal_law(row.size), rel=0.05)
        assert row.best_gain == pytest.approx(1 - row.gap, abs=0.015)


def reduced(problem, weights):
    """`-(u.w)^2 / (2 w.S w)` above its minimum."""
    S = np.diag(problem.eigenvalues)
    u = S @ problem.minimum
    return (u @ problem.minimum - (u @ weights) ** 2 / (weights @ S @ weights)) / 2


def test_the_normalized_gradient_is_that_of_the_reduced_loss():
    problem = Problem.drawn(1)
    weights = problem.start
    assert problem.excess(problem.gain(weights) * weights) == pytest.approx(
        reduced(problem, weights), rel=1e-9
    )
    for place in range(len(weights)):
        step = 1e-6 * np.eye(len(weights))[place]
        slope = (reduced(problem, weights + step) - reduced(problem, weights - step)) / 2e-6
        assert problem.normalized_gradient(weights)[place] == pytest.approx(slope, rel=1e-5)


def test_a_step_by_length_is_a_plain_step_and_the_best_length():
    problem = Problem.drawn(2)
    weights, gain = problem.start, problem.gain(problem.start)
    rate = problem.rate_by_length(weights)
    stepped = gain * (weights - rate * problem.normalized_gradient(weights))
    plain = gain * weights - problem.gradient(gain * weights) / problem.eigenvalues[-1]
    np.testing.assert_allclose(stepped, plain, rtol=1e-12)


def test_all_descents_begin_at_one_loss_and_whitening_needs_one_step():
    rows = pd.DataFrame(linear_unit.descents((0,)))
    first = rows[rows["step"] == 0]["excess"]
    assert len(first) == 4 and np.ptp(first) <= 1e-9 * first.iloc[0]
    ends = rows[rows["descent"] == linear_unit.WHITENED].set_index("step")["excess"]
    assert ends[1] <= 1e-20 * ends[0]
    for name in ("LEAST_SQUARES", "NORMALIZED", "CONSTANT", "WHITENED", "CONDITION"):
        assert getattr(claims, name) == getattr(linear_unit, name)


def tables(power=-1.0, factor=1.0, shrink=0.97):
    gaps = [
        {"seed": seed, "values": values, "size": size, "gap": factor * 0.7485 * size**power}
        for seed in range(6)
        for values in ("normal", "uniform")
        for size in (4, 32, 128)
    ]
    descents = [
        {"seed": seed, "descent": claims.NORMALIZED, "step": step, "excess": shrink**step}
        for seed in range(6)
        for step in range(40)
    ]
    return {"gaps": pd.DataFrame(gaps), "descents": pd.DataFrame(descents)}


@pytest.mark.parametrize(
    ("found", "fails"),
    [
        (tables(), set()),
        (tables(power=-0.4), {"D8.exponent", "D8.size"}),
        (tables(factor=1.2), {"D8.size"}),
        (tables(shrink=0.985), {"D8.rate"}),
    ],
)
def test_the_claim_is_judged_by_exponent_size_and_bound(found, fails):
    verdicts = dict(zip(claims.CRITERIA, claims.JUDGED.verdicts(found), strict=True))
    assert {key for key, each in verdicts.items() if each.verdict != "reproduced"} == fails
