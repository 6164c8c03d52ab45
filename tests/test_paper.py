"""What the paper printed, against numbers typed from it a second time."""

import numpy as np
import pytest

from bnrepro import paper
from bnrepro.experiments import EXPERIMENTS, FIGURE_3


def test_figure_3_is_the_papers_table():
    printed = [
        (row.label, row.learning_rate, row.steps_to_target, row.best_accuracy)
        for row in paper.FIGURE_3
    ]
    assert printed == [
        ("Inception", 0.0015, 31.0e6, 0.722),
        ("BN-Baseline", 0.0015, 13.3e6, 0.727),
        ("BN-x5", 0.0075, 2.1e6, 0.73),
        ("BN-x30", 0.045, 2.7e6, 0.748),
        ("BN-x5-Sigmoid", 0.0075, None, 0.698),
    ]
    assert EXPERIMENTS["inception"].paper_row.best_accuracy == paper.TARGET_ACCURACY


def test_an_experiment_of_our_own_has_nothing_of_the_paper():
    for own in (EXPERIMENTS["inception_tuned"], EXPERIMENTS["mlp-digits-x1"]):
        assert own.paper_row is own.paper_curve is own.paper_best_accuracy is None
    assert "mlp-digits-x1" not in EXPERIMENTS
    with pytest.raises(KeyError, match="BN-x5, BN-x30"):
        paper.row("BN-x7")


def test_figure_3s_experiments_are_its_rows_in_the_papers_order():
    assert tuple(FIGURE_3.values()) == paper.FIGURE_3
    assert list(FIGURE_3) == ["inception", "bn_baseline", "bn_x5", "bn_x30", "bn_x5_sigmoid"]


def test_the_best_of_figure_1_is_the_top_of_its_drawn_curve():
    assert EXPERIMENTS["figure_1_plain"].paper_best_accuracy == pytest.approx(0.972, abs=1e-3)
    assert EXPERIMENTS["figure_1_bn"].paper_best_accuracy == pytest.approx(0.982, abs=1e-3)
    assert EXPERIMENTS["figure_1_bn"].paper_row is None


def test_figure_4_ends_with_the_ensemble_of_six():
    ensemble = paper.FIGURE_4[-1]
    assert (ensemble.networks, ensemble.top1_error, ensemble.top5_error) == (6, 0.201, 0.049)
    single = next(row for row in paper.FIGURE_4 if row.model == "BN-Inception single crop")
    assert (single.top1_error, single.top5_error) == (0.252, 0.0782)


@pytest.mark.parametrize(
    "experiment", [name for name, one in EXPERIMENTS.items() if one.paper_series]
)
def test_every_experiment_of_the_paper_has_a_drawn_curve(experiment):
    drawn = EXPERIMENTS[experiment].paper_curve
    assert list(drawn.columns) == ["step", "value"]
    assert drawn["step"].is_monotonic_increasing
    assert drawn["value"].between(0.39, 1).all()


@pytest.mark.parametrize(
    ("experiment", "accuracy", "steps"),
    [
        ("inception", 0.68, 9.24e6),
        ("bn_baseline", 0.68, 3.08e6),
        ("bn_x5", 0.7, 1.07e6),
        ("bn_x30", 0.7, 1.89e6),
        ("bn_x5_sigmoid", 0.65, 1.87e6),
        ("figure_1_bn", 0.966, 10e3),
    ],
)
def test_the_drawn_curves_cross_where_the_figure_does(experiment, accuracy, steps):
    drawn = EXPERIMENTS[experiment].paper_curve
    assert np.interp(steps, drawn["step"], drawn["value"]) == pytest.approx(accuracy, abs=2e-3)


@pytest.mark.parametrize("series", ["p15", "p50", "p85"])
@pytest.mark.parametrize("figure", ["fig1b_without_bn", "fig1c_with_bn"])
def test_the_percentiles_span_the_whole_training(figure, series):
    drawn = paper.curve(figure, series)
    assert drawn["step"].min() < 100
    assert drawn["step"].max() > 49_000


def test_an_unknown_figure_or_series_is_named_with_those_there_are():
    with pytest.raises(KeyError, match="fig1a"):
        paper.curve("fig3", "with_bn")
    with pytest.raises(KeyError, match="without_bn, with_bn"):
        paper.curve("fig1a", "BN-x5")


def test_the_claims_are_25_numbered_in_order_each_with_a_section():
    assert [claim.identifier for claim in paper.CLAIMS] == [f"C{n}" for n in range(1, 26)]
    assert [claim.identifier for claim in paper.CLAIMS if not claim.section] == ["C25"]
    assert all(claim.statement.endswith(".") for claim in paper.CLAIMS)
    assert paper.claim("C13").section == "4.2.2"
    with pytest.raises(KeyError, match="C1 to C25"):
        paper.claim("C26")
