"""Exact tables from hand-made runs, through the records that they leave on disk."""

import io
import subprocess
import sys
from dataclasses import replace

import pandas as pd
import pytest

from bnrepro.config import ConfigError
from bnrepro.config.composition import compose, run_directory
from bnrepro.records.record import (
    CURVE_COLUMNS,
    RecordError,
    RunRecord,
    load_curves,
    load_runs,
    write_record,
    write_rows,
)
from bnrepro.records.run_directory import recorded_config
from bnrepro.tables import COLUMNS, result_row, select, table, to_csv, to_markdown, to_text

CONFIG = recorded_config(compose(["model=inception", "evaluate_every=100"]).config)
RECORD = RunRecord(
    name="bn_x5-smoke",
    experiment="bn_x5",
    scale="smoke",
    seed=3,
    status="completed",
    train_steps=2000,
    diverged_at_step=None,
    config=CONFIG,
    environment={"device": "a processor", "threads": 1},
    data={"name": "digits", "num_evaluation": 360, "num_classes": 10, "sha256": "ab" * 32},
    num_parameters=10,
    best_accuracy=0.9722,
    best_accuracy_step=1750,
    final_accuracy=0.9694,
    final_accuracy_population=0.9667,
    seconds={"train": 4.0},
    weights_digest=None,
    error=None,
)


def leave(results, label, seed, accuracies, *, train_steps=None, diverged=None, **changes):
    """A run with an evaluation every 100 steps."""
    planned = train_steps or 100 * (len(accuracies) - 1)
    record = replace(
        RECORD,
        **{
            "name": f"{label}-smoke",
            "experiment": label,
            "seed": seed,
            "status": "completed" if diverged is None else "diverged",
            "diverged_at_step": diverged,
            "train_steps": planned if diverged is None else diverged,
            "config": {**CONFIG, "train_steps": planned},
            "best_accuracy": max(accuracies),
            "best_accuracy_step": 100 * accuracies.index(max(accuracies)),
            **changes,
        },
    )
    directory = run_directory(results, record.name, seed)
    directory.mkdir(parents=True)
    rows = [[100 * n, 1.0, 0.5, 1.0, value, 0.1, 1.0] for n, value in enumerate(accuracies)]
    write_rows(directory / "curve.csv", CURVE_COLUMNS, rows)
    write_record(directory, record)


def tabulate(results, patterns=(), **options):
    return table(select(load_runs(results), patterns), load_curves(results), **options)


@pytest.fixture
def study(tmp_path):
    """Three seeds each: reached, sooner, diverged, never."""
    for seed, best in enumerate([0.5, 0.6, 0.7]):
        leave(tmp_path, "inception", seed, [0.1, 0.2, 0.3, 0.4, best])
    for seed in range(3):
        leave(tmp_path, "bn_x5", seed, [0.1, 0.3, 0.65, 0.4, (80 + seed) / 100])
    for seed, step in enumerate([120, 130]):
        leave(tmp_path, "inception_x5", seed, [0.1, 0.2], train_steps=400, diverged=step)
    leave(tmp_path, "bn_x5_sigmoid", 0, [0.1, 0.2, 0.3, 0.3, 0.3])
    return tmp_path


def rows(table):
    """The frame as plain values, None where one is absent."""
    frame = table.frame.astype(object)
    return {line[0]: line[1:] for line in frame.where(frame.notna(), None).to_numpy().tolist()}


def test_the_rows_are_exact_and_in_the_papers_order(study):
    made = tabulate(study)
    assert made.target == 0.6  # the median of inception's best accuracies
    assert tuple(made.frame.columns) == tuple(COLUMNS)
    assert [row.experiment for row in made.rows] == [
        "inception",
        "bn_x5",
        "bn_x5_sigmoid",
        "inception_x5",
    ]
    assert rows(made) == {
        "inception": [3, 2, 400, 400, None, 1.0, 0.6, 0.5, 0.7, 0, 31_000_000, 0.722],
        "bn_x5": [3, 3, 200, 200, 200, 2.0, 0.81, 0.8, 0.82, 0, 2_100_000, 0.73],
        "bn_x5_sigmoid": [1, 0, None, None, None, None, 0.3, None, None, 0, None, 0.698],
        "inception_x5": [2, 0, None, None, None, None, 0.2, 0.2, 0.2, 2, None, None],
    }


def test_the_csv_is_the_contract_and_never_reached_is_empty(study):
    text = to_csv(tabulate(study))
    assert text.splitlines() == [
        "experiment,n,reached,steps_to_target,steps_low,steps_high,speedup,best_accuracy,"
        "best_accuracy_low,best_accuracy_high,diverged,paper_steps,paper_best_accuracy",
        "inception,3,2,400,400,,1,0.6,0.5,0.7,0,31000000,0.722",
        "bn_x5,3,3,200,200,200,2,0.81,0.8,0.82,0,2100000,0.73",
        "bn_x5_sigmoid,1,0,,,,,0.3,,,0,,0.698",
        "inception_x5,2,0,,,,,0.2,0.2,0.2,2,,",
    ]
    assert pd.read_csv(io.StringIO(text))["steps_to_target"].isna().tolist() == [0, 0, 1, 1]


def test_the_text_says_setting_target_censoring_and_divergence(study):
    assert to_text(tabulate(study)) == TEXT


TEXT = """\
digits, test split (360 images) · inception, width 0.25 · 400 steps · n = 1 to 3 · evaluated every
  100 steps · a processor, 1 thread
target accuracy: 60.00 %, the best of inception, the median over its 3 seeds

experiment     reached  steps                        sustained  speed-up             best accuracy          diverged  paper steps  paper best
inception      2 of 3   400 (400+)                   400        reference            60.00 % (50.00-70.00)            31,000,000   72.2 %
bn_x5          3 of 3   200 (200-200)                400        2.00 (1.00-2.00)     81.00 % (80.00-82.00)            2,100,000    73.0 %
bn_x5_sigmoid  0 of 1   never                        never                           30.00 %                          never        69.8 %
inception_x5   0 of 2   diverged at step 120 to 130  never      < 1.00 (up to 1.00)  20.00 % (20.00-20.00)  2 of 2

inception_x5: diverged at step 120 (seed 0), 130 (seed 1)
bn_x5_sigmoid: speed-up over the seeds that both have: 0
inception_x5: speed-up over the seeds that both have: 0, 1
steps: first evaluation at or above the target, Kaplan-Meier median over seeds; a run that never
  gets there or diverges is censored; sustained: the accuracy stays there to the end
in brackets: order-statistic interval of the median (coverage 50 % at n = 2, 75 % at n = 3; + is an
  open end); of the speed-up: paired bootstrap over seeds (coverage 50 % at n = 2, 75 % at n = 3),
  the target drawn with them: by definition half of inception reach it
paper: figure 3, steps to 72.2 % and best accuracy on ImageNet
"""  # noqa: E501


def test_the_markdown_has_the_cells_of_the_text(study):
    text = to_markdown(tabulate(study))
    assert "| experiment | reached | steps | sustained |" in text
    assert (
        "| bn_x5 | 3 of 3 | 200 (200-200) | 400 | 2.00 (1.00-2.00) | 81.00 % (80.00-82.00) |"
        in text
    )
    assert "\n- inception_x5: diverged at step 120 (seed 0), 130 (seed 1)\n" in text


def test_a_given_target_needs_no_reference(tmp_path):
    leave(tmp_path, "bn_x5", 0, [0.1, 0.3, 0.7])
    made = tabulate(tmp_path, target=0.3)
    assert rows(made)["bn_x5"][:6] == [1, 1, 100, None, None, None]
    assert made.header[1] == "target accuracy: 30.00 %"
    assert made.reference is None


def test_without_target_and_reference_the_columns_of_steps_are_empty(tmp_path):
    leave(tmp_path, "bn_x5", 0, [0.1, 0.3, 0.7])
    made = tabulate(tmp_path)
    assert made.target is None
    assert rows(made)["bn_x5"][:7] == [1, None, None, None, None, None, 0.7]
    assert "steps" not in to_text(made).splitlines()[2]
    assert "--target 0.9 or --reference NAME" in made.notes[0]


def test_a_reference_gives_target_and_speedups_by_experiment_or_by_name(study):
    by_experiment, by_name = (
        tabulate(study, reference=reference) for reference in ("bn_x5", "bn_x5-smoke")
    )
    assert by_experiment == by_name
    assert by_experiment.target == 0.81
    assert rows(by_experiment)["bn_x5"][5] == 1.0


def test_a_censored_reference_gives_a_bound_that_only_the_printed_table_shows(study):
    made = tabulate(study, target=0.75)
    assert rows(made)["bn_x5"][:6] == [3, 3, 400, 400, 400, None]
    assert "> 1.00" in to_text(made)


def test_a_given_target_is_not_drawn_with_the_seeds(study):
    given, drawn = (to_text(tabulate(study, target=target)) for target in (0.6, None))
    assert "2.00 (2.00+)" in given
    assert "2.00 (1.00-2.00)" in drawn
    assert ["drawn with them" in text for text in (given, drawn)] == [False, True]


def test_a_median_beyond_the_last_step_is_printed_as_a_bound(study):
    line = next(
        row for row in to_text(tabulate(study, target=0.65)).splitlines() if "1 of 3" in row
    )
    assert line.split()[:8] == ["inception", "1", "of", "3", ">", "400", "(400+)", ">"]


def test_the_reference_that_is_absent_is_said_with_those_there_are(study):
    with pytest.raises(ConfigError, match=r"inceptoin: .*bn_x5.*; did you mean 'inception'\?"):
        tabulate(study, reference="inceptoin")


@pytest.mark.parametrize("target", [0.0, -0.1, 1.01, float("nan"), float("inf")])
def test_a_target_is_a_fraction(study, target):
    with pytest.raises(ConfigError, match="above 0 and up to 1"):
        tabulate(study, target=target)


def test_a_target_in_percent_is_understood_in_the_error(study):
    with pytest.raises(ConfigError, match=r"did you mean 0\.722\?"):
        tabulate(study, target=72.2)


def test_runs_that_failed_or_were_interrupted_are_named_and_not_counted(study):
    leave(study, "bn_x5", 7, [0.1, 0.99], status="failed")
    leave(study, "bn_x5", 8, [0.1, 0.99], status="interrupted")
    made = tabulate(study)
    assert rows(made)["bn_x5"][:2] == [3, 3]
    assert made.notes[0] == "not counted: bn_x5 seed 7 (failed), bn_x5 seed 8 (interrupted)"


def test_no_completed_run_is_an_error(tmp_path):
    with pytest.raises(ConfigError, match="no completed run"):
        tabulate(tmp_path)
    leave(tmp_path, "bn_x5", 0, [0.1], status="failed")
    with pytest.raises(ConfigError, match="no completed run"):
        tabulate(tmp_path)


@pytest.mark.parametrize(
    "changes",
    [
        {"data": {**RECORD.data, "name": "cifar10"}},
        {"data": {**RECORD.data, "sha256": "cd" * 32}},
        {"config": {**CONFIG, "data": {**CONFIG["data"], "evaluation_split": "tuning"}}},
    ],
)
def test_a_table_over_different_data_is_refused_until_some_are_selected(tmp_path, changes):
    leave(tmp_path, "inception", 0, [0.1, 0.6])
    leave(tmp_path, "bn_x5", 0, [0.1, 0.6], **changes)
    with pytest.raises(ConfigError, match=r"over 2 .*: bn_x5.* name the experiments"):
        tabulate(tmp_path)
    assert list(rows(tabulate(tmp_path, ["bn_*"]))) == ["bn_x5"]


def test_one_experiment_at_two_scales_is_refused_until_one_is_named(tmp_path):
    leave(tmp_path, "inception", 0, [0.1, 0.6])
    leave(tmp_path, "inception", 0, [0.1, 0.6], name="inception-other")
    with pytest.raises(ConfigError, match="inception-other, inception-smoke"):
        tabulate(tmp_path)
    assert rows(tabulate(tmp_path, ["inception-other"]))["inception"][0] == 1


def test_a_run_without_experiment_is_a_row_of_its_name(tmp_path):
    leave(tmp_path, "bn_x5", 0, [0.1, 0.6], experiment=None, name="mlp-digits-x1-steps7")
    assert list(rows(tabulate(tmp_path))) == ["mlp-digits-x1-steps7"]


def test_an_unknown_model_and_experiment_have_a_row_and_their_names(tmp_path):
    config = {**CONFIG, "model": {**CONFIG["model"], "name": "resnet"}}
    leave(tmp_path, "resnet_bn", 0, [0.1, 0.6], config=config)
    made = tabulate(tmp_path)
    assert list(rows(made)) == ["resnet_bn"]
    assert "resnet, width" in to_text(made)


def test_unequal_seeds_are_paired_and_said(study):
    leave(study, "bn_x5", 9, [0.1, 0.9])
    made = tabulate(study)
    assert rows(made)["bn_x5"][:3] == [4, 4, 200]
    assert "bn_x5: speed-up over the seeds that both have: 0, 1, 2" in made.notes


def test_experiments_with_the_same_seeds_share_a_note(study):
    for experiment in ("bn_x30", "bn_baseline"):
        leave(study, experiment, 1, [0.1, 0.9])
    (note,) = [note for note in tabulate(study).notes if note.endswith("both have: 1")]
    assert note.startswith("bn_baseline, bn_x30: ")


def test_evaluation_grids_that_differ_are_said(study):
    leave(
        study, "bn_x30", 0, [0.1, 0.9], config={**CONFIG, "train_steps": 100, "evaluate_every": 50}
    )
    made = tabulate(study)
    assert "evaluated every 100 steps and evaluated every 50 steps" in made.header[0]
    assert any("grids of evaluations differ" in note for note in made.notes)


def test_a_run_without_a_curve_is_not_passed_over(study):
    path = run_directory(study, "bn_x5-smoke", 1) / "curve.csv"
    write_rows(path, CURVE_COLUMNS, [])
    with pytest.raises(RecordError, match="bn_x5-smoke, seed 1"):
        tabulate(study)


def test_selecting_takes_patterns_over_experiments_and_names(study):
    runs = load_runs(study)
    assert set(select(runs, ["bn_*"])["label"]) == {"bn_x5", "bn_x5_sigmoid"}
    assert set(select(runs, ["inception-smoke", "bn_x5"])["label"]) == {"inception", "bn_x5"}
    assert len(select(runs, [])) == len(runs)


def test_a_pattern_without_a_run_is_an_error(study, tmp_path):
    with pytest.raises(ConfigError, match=r"bn_x6: no run .*did you mean 'bn_x5'\?"):
        select(load_runs(study), ["bn_x6"])
    with pytest.raises(ConfigError, match="none yet"):
        select(load_runs(tmp_path / "nothing"), ["bn_x5"])


def test_the_table_does_not_depend_on_the_order_of_records(study):
    runs, curves = load_runs(study), load_curves(study)
    shuffled = table(runs.sample(frac=1, random_state=1), curves.sample(frac=1, random_state=2))
    assert shuffled == table(runs, curves)


# The row of a single run.


def test_the_row_of_a_completed_run():
    assert result_row(RECORD) == (
        "bn_x5-smoke · seed 3 · completed 2,000 steps · best accuracy 97.22 % at step 1,750 · "
        "final 96.94 % · with population statistics 96.67 % · 500 steps/s, 4.0 s of training"
    )


def test_the_row_of_a_diverged_run_claims_no_final_accuracy():
    record = replace(
        RECORD,
        status="diverged",
        train_steps=431,
        diverged_at_step=431,
        best_accuracy=0.3,
        best_accuracy_step=0,
        final_accuracy=0.1,
        final_accuracy_population=None,
        seconds={"train": 0.0},
    )
    assert result_row(record) == (
        "bn_x5-smoke · seed 3 · diverged at step 431 · best accuracy 30.00 % at step 0 before that"
    )


def test_the_row_of_a_failed_run_gives_the_reason():
    record = replace(
        RECORD, status="failed", train_steps=1, best_accuracy=None, final_accuracy=None,
        final_accuracy_population=None, seconds={}, error="OSError: disk full",
    )  # fmt: skip
    assert result_row(record) == ("bn_x5-smoke · seed 3 · failed after 1 step (OSError: disk full)")


def test_tables_load_no_training_framework():
    code = (
        "import sys, bnrepro.tables, bnrepro.paper, bnrepro.statistics;"
        "sys.exit(bool({'tensorflow', 'keras', 'jax', 'scipy'} & set(sys.modules)))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_what_sets_variants_of_one_experiment_apart_is_said(tmp_path):
    for name, rate in (("bn_x5-smoke", 0.01), ("bn_x5-smoke-rate0.04", 0.04)):
        experiment = None if rate == 0.04 else "bn_x5"
        config = {**CONFIG, "train_steps": 200, "learning_rate": rate}
        leave(tmp_path, name, 0, [0.1, 0.2, 0.3], name=name, experiment=experiment, config=config)
    shown = tabulate(tmp_path)
    assert shown.notes[:2] == (
        "bn_x5: learning_rate=0.01",
        "bn_x5-smoke-rate0.04: learning_rate=0.04",
    )
