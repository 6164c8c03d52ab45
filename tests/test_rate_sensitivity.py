"""F1: windows of good rates, by closed forms; and grids of networks trained as one program."""

import numpy as np
import pandas as pd
import pytest
from engine_process import ask

from bnrepro.exhibits.rate_sensitivity import claims
from bnrepro.exhibits.rate_sensitivity.widths import width, widths
from bnrepro.lab import rate_sensitivity

DECADES = np.arange(-3, 1.5, 0.5)
# Accuracy lost a decade away from the best rate.
SLOPE = 0.2


def tent(best=-1.0, slope=SLOPE, top=0.9):
    """A network whose accuracy falls by `slope` a decade on both sides of its best rate."""
    accuracies = top - slope * np.abs(DECADES - best)
    return pd.DataFrame({"rate": 10**DECADES, "accuracy": accuracies})


def test_the_window_of_a_tent_is_its_width_at_a_point_below_the_top():
    found = width(tent())
    assert found.width == pytest.approx(2 * 0.01 / SLOPE)
    assert (found.cut, found.best_accuracy) == (0, 0.9)
    assert found.best_rate == pytest.approx(0.1)
    assert found.area == pytest.approx(0.9 - SLOPE * (2**2 / 2 + 2**2 / 2) / 4)


def test_a_window_that_the_grid_cuts_off_is_marked_and_ends_there():
    found = width(tent(best=1.0, slope=0.015))
    assert (found.cut, found.width) == (1, pytest.approx(0.01 / 0.015))
    assert width(tent(slope=0)).cut == 2
    assert width(tent(slope=0)).width == pytest.approx(4)


def test_a_rate_at_which_it_diverged_ends_the_window():
    rows = tent(slope=0)
    rows.loc[rows["rate"] > 1, "accuracy"] = np.nan
    found = width(rows)
    # From 1e-3 to 1, and on to the point that a straight line from 0.9 to 0 has lost 0.01.
    assert found.width == pytest.approx(3 + 0.5 * 0.01 / 0.9)
    assert found.cut == 1


def test_a_network_that_trains_at_no_rate_has_no_window():
    assert width(tent(slope=0, top=0.2))[:2] == (0, 0)


def rates(gains):
    """A study whose windows are 1 decade wide, and `gains` wider with batch normalization."""
    rows = []
    for activation in claims.ACTIVATIONS:
        for optimizer in claims.OPTIMIZERS:
            for network in ("plain", "batch normalization"):
                decades = 1 + (gains[optimizer] if network != "plain" else 0)
                one = tent(slope=0.02 / decades).assign(
                    activation=activation, optimizer=optimizer, network=network
                )
                rows += [one.assign(seed=seed) for seed in range(6)]
    return pd.concat(rows)


def outcomes(found):
    verdicts = claims.JUDGED.verdicts({"rates": found})
    return {key: verdict.verdict for key, verdict in zip(claims.CRITERIA, verdicts, strict=True)}


def test_a_wider_window_is_reproduced_and_the_same_one_is_not():
    wide = rates(dict.fromkeys(claims.OPTIMIZERS, 0.3) | {"sgd": 0.7, "momentum": 0.7})
    assert set(outcomes(wide).values()) == {"reproduced"}
    same = outcomes(rates(dict.fromkeys(claims.OPTIMIZERS, 0.0)))
    failing = {key for key, outcome in same.items() if outcome == "not reproduced"}
    assert failing == {key for key in claims.CRITERIA if ".width_" in key}


def test_an_accuracy_that_is_lost_is_not_reproduced():
    found = rates(dict.fromkeys(claims.OPTIMIZERS, 0.7))
    lost = found["accuracy"] - 0.003 * (found["network"] == "batch normalization")
    failing = outcomes(found.assign(accuracy=lost))
    assert [failing[f"F1.best_{name}"] for name in claims.ACTIVATIONS] == ["not reproduced"] * 2


def test_widths_are_of_one_network_each():
    found = widths(rates(dict.fromkeys(claims.OPTIMIZERS, 0.0)))
    assert len(found) == 2 * 6 * 2 * 6
    assert found["width"].to_numpy() == pytest.approx(1)


def test_rates_are_half_decades_from_the_smallest_on():
    found = rate_sensitivity.rates("adam")
    assert found[0] == 1e-4 and found[2] == 1e-3 and found[-1] == 1
    assert np.diff(np.log10(found)) == pytest.approx(0.5, abs=1e-3)


def test_a_grid_trains_what_an_engine_trains():
    """Two blocks of two, of which one network diverges."""
    members = [["seed=3"], ["seed=4", "learning_rate=1e30"], ["seed=5"], ["seed=6"]]
    common = ["model=mlp", "bn=none", "activation=relu", "train_steps=30", "data=digits"]
    for together, alone in ask("in_a_grid", common, members, 2, backend="jax"):
        assert together["diverged_at"] == alone["diverged_at"]
        np.testing.assert_allclose(together["losses"], alone["losses"], rtol=1e-9)
        assert together["seen"][0] == pytest.approx(alone["before"])
        if together["diverged_at"] is None:
            assert together["seen"][30] == pytest.approx(alone["after"])
            assert together["last_loss"] == pytest.approx(np.mean(alone["losses"][-3:]))
        else:
            assert np.isnan(together["last_loss"]) and list(together["seen"]) == [0]
