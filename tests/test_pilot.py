"""The rules of the pilot, against curves whose answer is known, and the paper's factors."""

from pathlib import Path

import pandas as pd
import pytest

from bnrepro import load_curves, load_runs
from bnrepro.config import ConfigError
from bnrepro.exhibits.figure_2.pilot import regimes
from bnrepro.exhibits.figure_2.proportional import PRIMARY_TARGET, SHOWN_SHARES, paper_factor
from bnrepro.records.study_records import find

STEPS = range(0, 48_001, 1_000)


def frames(*, slopes, bn_x30=0.6):
    """Two regimes: Inception climbs to 0.5 until step 38,400, then at a slope of its own."""
    runs, curves = [], []
    for images, slope in slopes.items():
        for seed, shift in ((100, 0.0), (101, 0.02)):
            for placement, name in (("none", "inception"), ("before", "bn_x30")):
                runs.append(
                    {
                        "name": f"{name}-{images}",
                        "seed": seed,
                        "config.placement": placement,
                        "data.num_train": images,
                    }
                )
                for step in STEPS if placement == "none" else (0, 10_400):
                    climb = 0.5 * min(step, 38_400) / 38_400 + slope * max(0, step - 38_400)
                    accuracy = climb + shift if placement == "none" else bn_x30
                    curves.append((f"{name}-{images}", seed, step, accuracy))
    columns = ["name", "seed", "step", "evaluation_accuracy"]
    return pd.DataFrame(runs), pd.DataFrame(curves, columns=columns)


def test_the_flatter_regime_is_taken():
    flat, steep = regimes(*frames(slopes={10_000: 1e-6, 40_000: 3e-6}))
    assert (flat.train_examples, steep.train_examples) == (10_000, 40_000)
    assert flat.slope == pytest.approx(1e-6)
    flat, _ = regimes(*frames(slopes={10_000: 3e-6, 40_000: 1e-6}))
    assert flat.train_examples == 40_000


def test_the_target_is_inceptions_mean_at_two_fifths_in_whole_percent():
    flat, _ = regimes(*frames(slopes={10_000: 1e-6, 40_000: 3e-6}))
    # 0.5 * 19,200 / 38,400 = 0.25 on one seed, 0.27 on the other.
    assert flat.target_accuracies == pytest.approx((0.25, 0.27))
    assert flat.target == 0.26


def test_the_primary_target_is_what_the_pilot_decided():
    results = str(Path(__file__).parent.parent / "results" / "published")
    runs = find("pilot", load_runs(results), results).runs
    chosen, _ = regimes(runs, load_curves(results))
    assert (chosen.train_examples, chosen.base_rate) == (10_000, 0.02)
    assert chosen.target == PRIMARY_TARGET


@pytest.mark.parametrize(("end", "rate"), [(0.6, 0.02), (0.27, 0.02), (0.25, 0.015), (0.1, 0.015)])
def test_the_base_rate_falls_where_bn_x30_does_not_train_on_a_seed(end, rate):
    # Inception ends at 0.51 and 0.53: half of it is 0.265 on the better seed.
    flat, _ = regimes(*frames(slopes={10_000: 1e-6, 40_000: 3e-6}, bn_x30=end))
    assert flat.base_rate == rate


def test_a_regime_without_one_of_its_networks_is_refused():
    runs, curves = frames(slopes={10_000: 1e-6})
    with pytest.raises(ConfigError, match="2 runs of Inception and 0 of BN-x30"):
        regimes(runs[runs["config.placement"] == "none"], curves)


@pytest.mark.parametrize(
    ("experiment", "factors"),
    [
        ("bn_baseline", [4.2, 3.5, 2.9, 1.8]),
        ("bn_x5", [8.1, 10.6, 13.0, 11.8]),
        ("bn_x30", [7.7, 6.5, 7.1, 8.1]),
        ("inception", [1.0, 1.0, 1.0, 1.0]),
    ],
)
def test_the_papers_factors_at_shares_of_inceptions_best_are_those_of_the_plan(experiment, factors):
    found = [paper_factor(experiment, share) for share in SHOWN_SHARES]
    assert found == pytest.approx(factors, abs=0.06)


def test_the_papers_sigmoids_never_reach_inceptions_best():
    assert paper_factor("bn_x5_sigmoid", 1.0) is None
    assert paper_factor("bn_x5_sigmoid", 0.9) > 1
