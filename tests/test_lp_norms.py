"""l_p norms in the deep linear network: gradient, what is measured along it, and the verdicts."""

import numpy as np
import pandas as pd
import pytest

from bnrepro.exhibits.lp_norms import claims
from bnrepro.lab import lp_norms
from bnrepro.lab.deep_linear import Network, draw, loss

SIZES = {
    "l1": lambda values: np.abs(values).mean(0),
    "l2": lambda values: np.sqrt((values**2).mean(0)),
    "linf": lambda values: np.abs(values).max(0),
}


def by_hand(network, inputs, targets, name):
    """The loss of the first seed's network, from the formula."""
    values = inputs[0]
    for layer, weights in enumerate(network.weights):
        values = values @ weights[0]
        if layer < len(network.gammas):
            standard = (values - values.mean(0)) / np.sqrt(SIZES[name](values) ** 2 + 1e-5)
            values = standard * network.gammas[layer][0] + network.betas[layer][0]
    return ((values - targets[0]) ** 2).sum()


@pytest.mark.parametrize("name", SIZES)
def test_loss_and_gradient_are_those_of_the_formula(name):
    network, *examples = draw((3,), True, depth=3, size=2)
    seen = loss(network, *examples, normalize=lp_norms.NETWORKS[name])
    assert seen.value[0] == pytest.approx(by_hand(network, *examples, name), rel=1e-12)
    for kind in ("weights", "gammas", "betas"):
        for place, slope in enumerate(getattr(seen.gradient, kind)):
            for index in np.ndindex(slope.shape):
                ends = [
                    by_hand(moved(network, kind, place, index, d), *examples, name)
                    for d in (1e-6, -1e-6)
                ]
                assert slope[index] == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-4, abs=1e-2)


def moved(network, kind, place, index, distance):
    kinds = {name: list(getattr(network, name)) for name in ("weights", "gammas", "betas")}
    kinds[kind][place] = kinds[kind][place].copy()
    kinds[kind][place][index] += distance
    return Network(**kinds)


def test_along_the_gradient_of_a_quadratic_the_change_is_the_curvature():
    """The loss 2 |w|^2 of one matrix: its gradient 4 w changes by 4 times the step."""
    network = Network([np.arange(1.0, 5).reshape(1, 2, 2)], [], [])

    def at(point):
        squares = 2 * (point.weights[0] ** 2).sum((1, 2))
        return squares, Network([4 * point.weights[0]], [], [])

    (row,) = lp_norms.along_gradient(network, *at(network), at)
    (of,) = [lp_norms.AlongRow("l1", 0, 0, *row)]
    length = 4 * np.sqrt(30)
    rates = 1e-7 * np.array([0.01, 30])
    assert of.gradient_norm == pytest.approx(length)
    assert [of.least_change, of.greatest_change] == pytest.approx(4 * rates * length)
    assert of.beta == pytest.approx(4)
    assert [of.highest_loss, of.lowest_loss] == pytest.approx(60 * (1 - 4 * rates) ** 2, rel=1e-12)
    # A step of a share of |w| along w / |w|, times 4, over 4 |w|.
    assert [of.relative_0001, of.relative_001, of.relative_01] == pytest.approx([1e-3, 1e-2, 0.1])


def test_the_tables_hold_every_network_and_measurement(tmp_path, monkeypatch):
    monkeypatch.setattr(lp_norms, "_STEPS", {"smoke": 2})
    lp_norms.compute(tmp_path, "smoke")
    losses, along = (pd.read_csv(tmp_path / f"{name}.csv") for name in ("losses", "along"))
    assert len(losses) == 5 * 2 and len(along) == 5 * 2 * 3
    assert set(losses["network"]) == set(lp_norms.NETWORKS) == {claims.PLAIN, claims.BN, *SIZES}
    first = losses.pivot(index="seed", columns="network", values="loss")
    # Inputs of mean 0 and no bias: the two are nearly the same.
    assert np.allclose(first[claims.BN], first["l2"], rtol=0.01)
    assert not np.allclose(first[claims.BN], first["l1"], rtol=0.01)


def tables(final, change):
    """Losses fall linearly from 10 to `final`; every change along the gradient is `change`."""
    losses = [
        {"network": network, "seed": seed, "step": step, "loss": 10 + (end - 10) * step / 100}
        for network, end in final.items()
        for seed in range(6)
        for step in range(0, 101, 10)
    ]
    along = [
        {"network": network, "seed": seed, "step": step, "lowest_loss": 1.0, "highest_loss": size,
         "greatest_change": size, "beta": size, **dict.fromkeys(claims.RELATIVE, size)}
        for network, size in change.items()
        for seed in range(6)
        for step in (0, 10, 100)
    ]  # fmt: skip
    return {"losses": pd.DataFrame(losses), "along": pd.DataFrame(along)}


def test_the_claims_are_judged_by_steps_and_by_changes():
    final = {"without": 6.0, "deviation (BN)": 4.0, "l1": 3.0, "l2": 4.0, "linf": 7.0}
    change = {"without": 20.0, "deviation (BN)": 10.0, "l1": 5.0, "l2": 5.0, "linf": 30.0}
    judged = claims.JUDGED.verdicts(tables(final, change))
    outcomes = dict(zip(claims.CRITERIA, [each.verdict for each in judged], strict=True))
    failed = {key for key, each in outcomes.items() if each != "reproduced"}
    assert failed == {"A4.linf", "A4.change_linf", "A5.change"}
