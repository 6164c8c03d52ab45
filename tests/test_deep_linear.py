"""The deep linear network: its gradient, and what shifts in it, against the definitions."""

import numpy as np
import pytest

from bnrepro.lab import deep_linear
from bnrepro.lab.deep_linear import Network, descend, draw, loss
from bnrepro.measures.covariate_shift import compared


def by_hand(network, inputs, targets):
    """The loss of the first seed's network, from the formula."""
    values = inputs[0]
    for layer, weights in enumerate(network.weights):
        values = values @ weights[0]
        if layer < len(network.gammas):
            standard = (values - values.mean(0)) / np.sqrt(values.var(0) + 1e-5)
            values = standard * network.gammas[layer][0] + network.betas[layer][0]
    return ((values - targets[0]) ** 2).sum()


@pytest.mark.parametrize("is_normalized", [False, True])
def test_loss_and_gradient_are_those_of_the_formula(is_normalized):
    network, *examples = draw((3,), is_normalized, depth=3, size=2)
    seen = loss(network, *examples)
    assert seen.value[0] == pytest.approx(by_hand(network, *examples), rel=1e-12)
    for kind in ("weights", "gammas", "betas"):
        for place, slope in enumerate(getattr(seen.gradient, kind)):
            for index in np.ndindex(slope.shape):
                ends = [
                    by_hand(moved(network, kind, place, index, d), *examples) for d in (1e-5, -1e-5)
                ]
                assert slope[index] == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-5, abs=1e-3)


def moved(network, kind, place, index, distance):
    kinds = {name: list(getattr(network, name)) for name in ("weights", "gammas", "betas")}
    kinds[kind][place] = kinds[kind][place].copy()
    kinds[kind][place][index] += distance
    return Network(**kinds)


@pytest.mark.parametrize("is_normalized", [False, True])
def test_a_layer_shifts_by_the_step_of_those_before_it_alone(is_normalized):
    start = draw((0, 1), is_normalized, depth=4, size=3)
    rate, (network, *examples) = 1e-5, start
    at = next(descend(start, rate, 2, layers=(1, 3)))
    gradient = loss(network, *examples).gradient
    # Nothing is before the first layer.
    np.testing.assert_array_equal(*at.shifts[1])
    other = Network(*(list(getattr(network, kind)) for kind in ("weights", "gammas", "betas")))
    for kind in ("weights", "gammas", "betas"):
        for layer in range(min(2, len(getattr(network, kind)))):
            step = rate * getattr(gradient, kind)[layer]
            getattr(other, kind)[layer] = getattr(network, kind)[layer] - step
    after = loss(other, *examples).gradient.weights[2]
    np.testing.assert_allclose(at.shifts[3][1], after, rtol=1e-12)
    assert compared(*at.shifts[3])[1] > 0


def test_without_a_rate_nothing_shifts_and_a_seed_is_the_same_alone():
    for at in descend(draw((0, 5), True), 0.0, 1):
        for pair in at.shifts.values():
            norm, difference, relative, cosine = compared(*(each[1] for each in pair))
            assert (difference, relative) == (0, 0) and cosine == pytest.approx(1)
        (alone,) = [each for each in descend(draw((5,), True), 0.0, 1) if each.step == at.step]
        assert alone.loss[0] == pytest.approx(at.loss[1], rel=1e-12)


@pytest.mark.slow
def test_the_tables_hold_every_network_layer_and_step(tmp_path):
    deep_linear.compute(tmp_path, "smoke")
    losses, shifts = (
        (tmp_path / f"{name}.csv").read_text().splitlines() for name in ("losses", "shifts")
    )
    # Two rates, networks and seeds; steps 0 to 60 in twos.
    assert len(losses) == 1 + 2 * 2 * 2 * 31
    assert len(shifts) == 1 + 2 * (len(losses) - 1)
