"""BN-x5's changes: the split without an order, and one change taken back at a time."""

import math
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import pytest
from hand_made_records import HandMade, write_run

from bnrepro.config import ConfigError, study
from bnrepro.exhibits import corners, making, one_change
from bnrepro.exhibits.exhibit import Exhibit
from bnrepro.statistics.shapley import contributions

CPU = ("scale=cpu",)
SEEDS = (0, 1, 2)
# Steps to 60 % at each corner: a power of two each, and normalization + rate more than their sum.
STEPS = {
    "none": 8_000,
    "normalization": 4_000,
    "rate": 8_000,
    "recipe": 4_000,
    "normalization + rate": 1_000,
    "normalization + recipe": 2_000,
    "rate + recipe": 4_000,
    "normalization + rate + recipe": 500,
}


def reaching(steps: int) -> Callable[[int], float]:
    """At 60 % from then on, at chance before."""
    return lambda step: 0.6 if step >= steps else 0.1


def write_corners(results: Path, steps: dict[str, int], only_figure_2: bool = False) -> Exhibit:
    names = corners._OF_FIGURE_2
    for run in study.planned_runs("figure_2", CPU):
        if run.experiment in names and run.seed in SEEDS:
            made = HandMade(reaching(steps[names[run.experiment]]))
            write_run(results, run.composition, made)
    for run in study.planned_runs("corners", CPU):
        name = corners._OF_STUDY[run.composition.config.placement]
        if not only_figure_2:
            write_run(results, run.composition, HandMade(reaching(steps[name])))
    return making.exhibit("corners", str(results))


def shapley(values: dict[frozenset[str], float], changes: list[str], change: str) -> float:
    """The textbook's sum over sets without the change, with |S|! (n - |S| - 1)! / n! as weights."""
    others, n = [each for each in changes if each != change], len(changes)
    total = 0.0
    for size in range(n):
        weight = math.factorial(size) * math.factorial(n - size - 1) / math.factorial(n)
        for made in map(frozenset, combinations(others, size)):
            total += weight * (values[made | {change}] - values[made])
    return total


def test_contributions_average_to_shapleys_value_and_add_up() -> None:
    changes = ["a", "b", "c"]
    sets = [frozenset(made) for size in range(4) for made in combinations(changes, size)]
    values = {made: float(place**2) for place, made in enumerate(sets)}
    added = contributions(values, changes)
    means = {change: sum(each) / len(each) for change, each in added.items()}
    for change in changes:
        assert len(added[change]) == 6
        assert means[change] == pytest.approx(shapley(values, changes, change))
    assert sum(means.values()) == pytest.approx(values[frozenset(changes)] - values[frozenset()])


def test_the_split_is_shapleys_of_the_steps(tmp_path: Path) -> None:
    made = write_corners(tmp_path, STEPS)
    rows = {row.change: row for row in made.tables[0].rows}
    values = {each: -math.log(STEPS[name]) for name, each in corners.CORNERS.items()}
    changes = ["normalization", "rate", "recipe"]
    for change in changes:
        expected = math.exp(shapley(values, changes, change))
        assert rows[change].factor == pytest.approx(expected)
        assert rows[change].coverage_percent == 75
    assert rows["all three"].factor == pytest.approx(16)
    product = math.prod(rows[change].factor for change in changes)
    assert product == pytest.approx(16)
    # The rate alone gains nothing, after normalization a factor of four.
    assert (rows["rate"].order_low, rows["rate"].order_high) == pytest.approx((1, 4))
    assert rows["rate"].target_accuracy == 0.6
    assert "to 60 %, BN-x5 needs 16.00" in made.findings[0] and "a hint" in made.findings[0]
    assert [panel.name for panel in made.drawings[0].panels] == ["corners", "split"]
    assert made.write(tmp_path)


def test_without_its_two_corners_no_split_is_given(tmp_path: Path) -> None:
    made = write_corners(tmp_path, STEPS, only_figure_2=True)
    assert made.tables[0].rows == []
    assert "18 of its 24 runs are there" in made.findings[0]
    assert "rate + recipe" in made.findings[0]
    assert "bnrepro sweep study=corners scale=cpu" in made.missing[0]
    assert made.drawings[0].panels[0].title == "Steps to 50 %: 6 of 8 corners"


def test_a_corner_that_stays_below_prevents_the_split_and_is_named(tmp_path: Path) -> None:
    made = write_corners(tmp_path, STEPS | {"rate": 20_000})
    assert made.tables[0].rows == []
    # Figure 2's Inception trains for 24,000 steps, of which the first 12,000 count.
    assert "not every seed with rate reaches 50 % in 12,000 steps" in made.findings[0]


def write_one_change(results: Path, left_out: tuple[str, ...] = ()) -> Exhibit:
    """BN-x5 is at 80 % from step 1,000 on; with a change taken back later and lower by seed."""
    for run in study.planned_runs("figure_2", CPU):
        if run.experiment == "bn_x5":
            write_run(results, run.composition, HandMade(lambda step: 0.8 if step >= 1000 else 0.1))
    for run in study.planned_runs("one_change", CPU):
        change = one_change._taken_back(run.composition.config.accelerate)
        top = 0.6 if change == "decay" else 0.8 - 0.01 * (run.seed + 1)
        accuracy = lambda step, top=top: top if step >= 2000 else 0.1  # noqa: E731
        if change not in left_out:
            write_run(results, run.composition, HandMade(accuracy))
    return making.exhibit("one_change", str(results))


def test_one_change_is_compared_with_the_whole_on_the_same_seed(tmp_path: Path) -> None:
    made = write_one_change(tmp_path)
    rows = made.tables[0].rows
    assert [(row.taken_back, row.seed) for row in rows[:4]] == [
        ("dropout", 0),
        ("dropout", 1),
        ("dropout", 2),
        ("l2", 0),
    ]
    assert {row.steps_gap for row in rows if row.taken_back != "decay"} == {1_000}
    assert {row.steps_gap for row in rows if row.taken_back == "decay"} == {None}
    assert [row.best_accuracy_gap for row in rows[:3]] == pytest.approx([-0.01, -0.02, -0.03])
    assert "with dropout +1,000 steps (+1,000 to +1,000), -2.00 points" in made.findings[0]
    assert "with slower decay it never gets there, -20.00 points" in made.findings[0]
    assert made.missing == []
    assert made.write(tmp_path)


def test_what_there_is_of_one_change_is_shown_and_counted(tmp_path: Path) -> None:
    made = write_one_change(tmp_path, left_out=("lrn", "shuffle"))
    assert made.findings[0] == "12 of the 18 runs are there; what follows is of these alone."
    assert "6 of 18 runs are missing" in made.missing[0]
    assert "LRN" not in made.findings[1]
    assert "medians, with ranges, over 3 seeds, a hint" in made.findings[1]


def test_one_seed_alone_has_no_range_and_is_no_hint(tmp_path: Path) -> None:
    for run in study.planned_runs("figure_2", CPU):
        if run.experiment == "bn_x5":
            write_run(tmp_path, run.composition, HandMade(lambda _: 0.8))
    planned = study.planned_runs("one_change", CPU)
    (alone,) = (
        run
        for run in planned
        if (run.seed, "lrn" in run.composition.config.accelerate) == (2, False)
    )
    write_run(tmp_path, alone.composition, HandMade(lambda _: 0.75))
    made = making.exhibit("one_change", str(tmp_path))
    assert "over 1 seed, fewer than 3 are not even a hint" in made.findings[1]
    assert made.findings[1].endswith("with LRN +0 steps, -5.00 points.")
    assert made.drawings[0].title == "BN-x5 ends lower on the one seed with LRN"


def test_one_change_without_the_whole_is_refused(tmp_path: Path) -> None:
    for run in study.planned_runs("one_change", CPU)[:1]:
        write_run(tmp_path, run.composition, HandMade(lambda step: 0.5))
    with pytest.raises(ConfigError, match="study=figure_2"):
        making.exhibit("one_change", str(tmp_path))
