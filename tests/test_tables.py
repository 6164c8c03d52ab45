"""Exact tables from hand-made runs, through the records that they leave on disk."""

import io
import re
import shlex
import subprocess
import sys
from dataclasses import replace

import pandas as pd
import pytest
from hand_made_records import RECORD, HandMade, write_run

from bnrepro.config import ConfigError
from bnrepro.config.composition import compose, run_directory
from bnrepro.config.study import plan
from bnrepro.records.loading import read_curves, read_runs, reading_once
from bnrepro.records.record import CURVE_COLUMNS, RecordError, write_record, write_rows
from bnrepro.tables import (
    COLUMNS,
    printed_lines,
    select,
    table,
    tabulate,
    to_csv,
    to_markdown,
    to_text,
)

CONFIG = RECORD.config


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
            "config": {**CONFIG, "seed": seed, "train_steps": planned},
            "best_accuracy": max(accuracies),
            "best_accuracy_step": 100 * accuracies.index(max(accuracies)),
            "final_accuracy": accuracies[-1],
            **changes,
        },
    )
    directory = run_directory(results, record.name, seed)
    directory.mkdir(parents=True)
    rows = [[100 * n, 1.0, 0.5, 1.0, value, 0.1, 1.0] for n, value in enumerate(accuracies)]
    write_rows(directory / "curve.csv", CURVE_COLUMNS, rows)
    write_record(directory, record)


def tables_of(results, patterns=(), **options):
    return tabulate(select(read_runs(results), patterns), read_curves(results), **options)


def table_of(results, patterns=(), **options):
    (made,) = tables_of(results, patterns, **options)
    return made


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


# Target, reference and data of every row.
OVER = (0.6, "inception", "digits")


def test_the_rows_are_exact_and_in_the_papers_order(study):
    made = table_of(study)
    # The median of inception's best accuracies.
    assert {(row.target, row.reference) for row in made.rows} == {(0.6, "inception")}
    assert tuple(made.frame.columns) == tuple(COLUMNS)
    assert [row.experiment for row in made.rows] == [
        "inception",
        "bn_x5",
        "bn_x5_sigmoid",
        "inception_x5",
    ]
    assert rows(made) == {
        "inception": [3, 2, 400, 400, None, 1.0, 0.6, 0.5, 0.7, 0, 31_000_000, 0.722, *OVER],
        "bn_x5": [3, 3, 200, 200, 200, 2.0, 0.81, 0.8, 0.82, 0, 2_100_000, 0.73, *OVER],
        "bn_x5_sigmoid": [1, 0, None, None, None, None, 0.3, None, None, 0, None, 0.698, *OVER],
        "inception_x5": [2, 0, None, None, None, None, 0.2, 0.2, 0.2, 2, None, None, *OVER],
    }


def test_the_csv_is_the_contract_and_never_reached_is_empty(study):
    text = to_csv(table_of(study))
    assert text.splitlines() == [
        "experiment,n,reached,steps_to_target,steps_low,steps_high,speedup,best_accuracy,"
        "best_accuracy_low,best_accuracy_high,diverged,paper_steps,paper_best_accuracy,"
        "target,reference,data",
        "inception,3,2,400,400,,1,0.6,0.5,0.7,0,31000000,0.722,0.6,inception,digits",
        "bn_x5,3,3,200,200,200,2,0.81,0.8,0.82,0,2100000,0.73,0.6,inception,digits",
        "bn_x5_sigmoid,1,0,,,,,0.3,,,0,,0.698,0.6,inception,digits",
        "inception_x5,2,0,,,,,0.2,0.2,0.2,2,,,0.6,inception,digits",
    ]
    assert pd.read_csv(io.StringIO(text))["steps_to_target"].isna().tolist() == [0, 0, 1, 1]


def test_the_text_says_setting_target_censoring_and_divergence(study):
    assert to_text(table_of(study)) == TEXT


TEXT = """\
digits, test split (360 images) · inception, width 0.25 · 400 steps · n = 1 to 3 · evaluated every
  100 steps · a processor, 1 thread
target accuracy: 60.00 %, the best of inception, the median over its 3 seeds

experiment     reached  steps                        sustained  speed-up             best accuracy          diverged  paper steps  paper best
inception      2 of 3   400 (400+)                   400        reference            60.00 % (50.00-70.00)  0 of 3    31,000,000   72.2 %
bn_x5          3 of 3   200 (200-200)                400        2.00 (1.00-2.00)     81.00 % (80.00-82.00)  0 of 3    2,100,000    73.0 %
bn_x5_sigmoid  0 of 1   never                        never      –                    30.00 %                0 of 1    never        69.8 %
inception_x5   0 of 2   diverged at step 120 to 130  never      < 1.00 (up to 1.00)  20.00 % (20.00-20.00)  2 of 2    –            –

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
    text = to_markdown(table_of(study))
    assert "| experiment | reached | steps | sustained |" in text
    assert (
        "| bn_x5 | 3 of 3 | 200 (200-200) | 400 | 2.00 (1.00-2.00) | 81.00 % (80.00-82.00) |"
        in text
    )
    assert "\n- inception_x5: diverged at step 120 (seed 0), 130 (seed 1)\n" in text


def test_a_given_target_needs_no_reference(tmp_path):
    leave(tmp_path, "bn_x5", 0, [0.1, 0.3, 0.7])
    made = table_of(tmp_path, target=0.3)
    assert rows(made)["bn_x5"][:6] == [1, 1, 100, None, None, None]
    assert made.header[1] == "target accuracy: 30.00 %"
    assert made.rows[0].reference is None


def test_without_target_and_reference_the_columns_of_steps_are_empty(tmp_path):
    leave(tmp_path, "bn_x5", 0, [0.1, 0.3, 0.7])
    made = table_of(tmp_path)
    assert rows(made)["bn_x5"][:7] == [1, None, None, None, None, None, 0.7]
    assert "steps" not in to_text(made).splitlines()[2]
    assert "--target 0.9 or --reference NAME" in made.notes[0]


def test_a_reference_gives_target_and_speedups_by_experiment_or_by_name(study):
    by_experiment, by_name = (
        table_of(study, reference=reference) for reference in ("bn_x5", "bn_x5-smoke")
    )
    assert by_experiment == by_name
    assert by_experiment.rows[0].target == 0.81
    assert rows(by_experiment)["bn_x5"][5] == 1.0


def test_a_censored_reference_gives_a_bound_that_only_the_printed_table_shows(study):
    made = table_of(study, target=0.75)
    assert rows(made)["bn_x5"][:6] == [3, 3, 400, 400, 400, None]
    assert "> 1.00" in to_text(made)


def test_a_given_target_is_not_drawn_with_the_seeds(study):
    given, drawn = (to_text(table_of(study, target=target)) for target in (0.6, None))
    assert "2.00 (2.00+)" in given
    assert "2.00 (1.00-2.00)" in drawn
    assert ["drawn with them" in text for text in (given, drawn)] == [False, True]


def test_a_median_beyond_the_last_step_is_printed_as_a_bound(study):
    line = next(
        row for row in to_text(table_of(study, target=0.65)).splitlines() if "1 of 3" in row
    )
    assert line.split()[:8] == ["inception", "1", "of", "3", ">", "400", "(400+)", ">"]


def test_the_reference_that_is_absent_is_said_with_those_there_are(study):
    with pytest.raises(ConfigError, match=r"inceptoin: .*bn_x5.*; did you mean 'inception'\?"):
        table_of(study, reference="inceptoin")


@pytest.mark.parametrize("target", [0.0, -0.1, 1.01, float("nan"), float("inf")])
def test_a_target_is_a_fraction(study, target):
    with pytest.raises(ConfigError, match="above 0 and up to 1"):
        table_of(study, target=target)


def test_a_target_in_percent_is_understood_in_the_error(study):
    with pytest.raises(ConfigError, match=r"did you mean 0\.722\?"):
        table_of(study, target=72.2)


def test_runs_that_failed_or_were_interrupted_are_named_and_not_counted(study):
    leave(study, "bn_x5", 7, [0.1, 0.99], status="failed")
    leave(study, "bn_x5", 8, [0.1, 0.99], status="interrupted")
    made = table_of(study)
    assert rows(made)["bn_x5"][:2] == [3, 3]
    assert made.notes[0] == (
        "not counted: bn_x5 seed 7 (failed), bn_x5 seed 8 (interrupted at step 100)"
    )


def test_no_completed_run_is_an_error(tmp_path):
    with pytest.raises(ConfigError, match="no completed run"):
        table_of(tmp_path)
    leave(tmp_path, "bn_x5", 0, [0.1], status="failed")
    with pytest.raises(ConfigError, match="no completed run"):
        table_of(tmp_path)


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"data": {**RECORD.data, "name": "cifar10"}}, ["cifar10", "digits"]),
        (
            {"data": {**RECORD.data, "sha256": "cd" * 32}},
            ["digits images abababab", "digits images cdcdcdcd"],
        ),
        (
            {"config": {**CONFIG, "data": {**CONFIG["data"], "evaluation_split": "tuning"}}},
            ["digits", "digits tuning"],
        ),
        (
            {
                "data": {**RECORD.data, "sha256": "cd" * 32},
                "config": {**CONFIG, "data": {**CONFIG["data"], "binary": True}},
            },
            ["digits binary=false", "digits binary=true"],
        ),
    ],
)
def test_every_data_set_has_a_table(tmp_path, changes, names):
    leave(tmp_path, "inception", 0, [0.1, 0.6])
    leave(tmp_path, "bn_x5", 0, [0.1, 0.6], **changes)
    made = tables_of(tmp_path)
    assert sorted(table.data for table in made) == names
    assert sorted(row.experiment for table in made for row in table.rows) == ["bn_x5", "inception"]
    csv = pd.read_csv(io.StringIO(to_csv(*made)))
    assert list(csv.columns)[-1] == "data"
    assert sorted(csv["data"]) == names
    assert sum(line.startswith("experiment ") for line in to_text(*made).splitlines()) == 2
    assert to_markdown(*made).count("| experiment |") == 2
    with pytest.raises(ConfigError, match="expected runs on one data set"):
        table(read_runs(tmp_path), read_curves(tmp_path))


def test_a_run_that_failed_is_named_below_the_table_of_its_data(tmp_path):
    cifar10 = {"data": {**RECORD.data, "name": "cifar10"}}
    leave(tmp_path, "inception", 0, [0.1, 0.6], **cifar10)
    leave(tmp_path, "bn_x5", 0, [0.1, 0.6])
    # It failed before its images were read.
    leave(tmp_path, "bn_x5", 1, [0.1], status="failed", data={"name": "digits"})
    of_data = {made.data: made.notes for made in tables_of(tmp_path)}
    note = "not counted: bn_x5 seed 1 (failed)"
    assert [note in of_data[data] for data in ("digits", "cifar10")] == [True, False]


def test_a_reference_on_one_data_set_leaves_the_other_table_its_own(study):
    mnist = {"data": {**RECORD.data, "name": "mnist"}, "scale": "gpu"}
    for label in ("inception", "bn_x30"):
        leave(study, label, 0, [0.1, 0.5], name=f"{label}-gpu", **mnist)
    digits, other = tables_of(study, reference="bn_x5_sigmoid")
    assert {row.reference for row in digits.rows} == {"bn_x5_sigmoid"}
    assert {row.reference for row in other.rows} == {"inception"}


def test_one_experiment_at_two_scales_has_a_row_for_each(tmp_path):
    for scale, best in (("smoke", 0.6), ("gpu", 0.7)):
        for label, accuracies in (("inception", [0.1, best]), ("bn_x5", [best, best])):
            leave(tmp_path, label, 0, accuracies, name=f"{label}-{scale}", scale=scale)
    made = table_of(tmp_path)
    assert [(row.experiment, row.reference, row.target) for row in made.rows] == [
        ("inception-gpu", "inception-gpu", 0.7),
        ("bn_x5-gpu", "inception-gpu", 0.7),
        ("inception-smoke", "inception-smoke", 0.6),
        ("bn_x5-smoke", "inception-smoke", 0.6),
    ]
    assert rows(made)["bn_x5-gpu"][-5:-3] == [2_100_000, 0.73]
    assert rows(table_of(tmp_path, ["inception-gpu"]))["inception"][0] == 1
    with pytest.raises(ConfigError, match="reference inception: expected one run"):
        tables_of(tmp_path, reference="inception")


def test_a_run_without_experiment_is_a_row_of_its_name(tmp_path):
    leave(tmp_path, "bn_x5", 0, [0.1, 0.6], experiment=None, name="mlp-digits-x1-steps7")
    assert list(rows(table_of(tmp_path))) == ["mlp-digits-x1-steps7"]


def test_an_unknown_model_and_experiment_have_a_row_and_their_names(tmp_path):
    config = {**CONFIG, "model": {**CONFIG["model"], "name": "resnet"}}
    leave(tmp_path, "resnet_bn", 0, [0.1, 0.6], config=config)
    made = table_of(tmp_path)
    assert list(rows(made)) == ["resnet_bn"]
    assert "resnet, width" in to_text(made)


def test_unequal_seeds_are_paired_and_said(study):
    leave(study, "bn_x5", 9, [0.1, 0.9])
    made = table_of(study)
    assert rows(made)["bn_x5"][:3] == [4, 4, 200]
    assert "bn_x5: speed-up over the seeds that both have: 0, 1, 2" in made.notes


def test_experiments_with_the_same_seeds_share_a_note(study):
    for experiment in ("bn_x30", "bn_baseline"):
        leave(study, experiment, 1, [0.1, 0.9])
    (note,) = [note for note in table_of(study).notes if note.endswith("both have: 1")]
    assert note.startswith("bn_baseline, bn_x30: ")


def test_evaluation_grids_that_differ_are_said(study):
    leave(
        study, "bn_x30", 0, [0.1, 0.9], config={**CONFIG, "train_steps": 100, "evaluate_every": 50}
    )
    made = table_of(study)
    assert "evaluated every 100 steps and evaluated every 50 steps" in made.header[0]
    assert any("grids of evaluations differ" in note for note in made.notes)


def test_a_run_without_a_curve_is_named_and_the_others_are_shown(study, capsys):
    path = run_directory(study, "bn_x5-smoke", 1) / "curve.csv"
    write_rows(path, CURVE_COLUMNS, [])
    with reading_once():
        assert {row.experiment: row.n for row in table_of(study).rows}["bn_x5"] == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"left out: {path.parent}: a curve that does not end where")


def test_a_run_whose_curve_is_not_in_the_frame_is_not_passed_over(study):
    curves = read_curves(study)
    with pytest.raises(RecordError, match="bn_x5-smoke, seed 1"):
        tabulate(read_runs(study), curves[(curves["label"] != "bn_x5") | (curves["seed"] != 1)])


def test_selecting_takes_patterns_over_experiments_and_names(study):
    runs = read_runs(study)
    assert set(select(runs, ["bn_*"])["label"]) == {"bn_x5", "bn_x5_sigmoid"}
    assert set(select(runs, ["inception-smoke", "bn_x5"])["label"]) == {"inception", "bn_x5"}
    assert len(select(runs, [])) == len(runs)


def test_a_pattern_without_a_run_is_an_error(study, tmp_path):
    with pytest.raises(ConfigError, match=r"bn_x6: no run .*did you mean 'bn_x5'\?"):
        select(read_runs(study), ["bn_x6"])
    with pytest.raises(ConfigError, match="none yet"):
        select(read_runs(tmp_path / "nothing"), ["bn_x5"])


def test_the_table_does_not_depend_on_the_order_of_records(study):
    runs, curves = read_runs(study), read_curves(study)
    shuffled = table(runs.sample(frac=1, random_state=1), curves.sample(frac=1, random_state=2))
    assert shuffled == table(runs, curves)


# What is compared with what: runs as they are composed, with curves of our own.


def write(results, best, *words, evaluations=10):
    """A run that climbs to `best` in ten evaluations, or in fewer and then stays."""
    composition = compose([*words, "train_steps=1000", "evaluate_every=100"])

    def accuracy(step):
        return round(best * min(1, step / (100 * evaluations)), 6)

    return write_run(results, composition, HandMade(accuracy)).parent.name


def test_without_a_flag_the_reference_is_the_otherwise_equal_run_without_normalization(tmp_path):
    for seed, best in enumerate([0.5, 0.6]):
        none = write(tmp_path, best, "bn=none", f"seed={seed}")
        x1 = write(tmp_path, 0.9, "bn=x1", f"seed={seed}")
        x5 = write(tmp_path, 0.9, "bn=x5", f"seed={seed}", evaluations=5)
    made = table_of(tmp_path)
    # The median of 0.5 and 0.6; 0.9 step / 1000 is there at 700, in half of the steps at 400.
    assert {name: row[1:6] + row[-3:-1] for name, row in rows(made).items()} == {
        none: [1, 1000, 1000, None, 1.0, 0.55, none],
        x1: [2, 700, 700, 700, 1000 / 700, 0.55, none],
        x5: [2, 400, 400, 400, 2.5, 0.55, none],
    }
    target = f"target accuracy: 55.00 %, the best of {none}, the median over its 2 seeds"
    assert made.header[1] == target
    assert "--reference" not in to_text(made)


@pytest.mark.parametrize(("best", "is_said"), [(0.12, True), (0.2, False)])
def test_a_reference_at_chance_is_said(best, is_said, tmp_path):
    none = write(tmp_path, best, "bn=none")
    write(tmp_path, 0.9, "bn=x1")
    note = f"{none}: hardly above chance, 10.00 %, so that steps to it say little; "
    assert any(line.startswith(note) for line in table_of(tmp_path).notes) == is_said
    given = table_of(tmp_path, target=0.11)
    assert not any("hardly above chance" in line for line in given.notes)


def test_layers_optimizers_and_lengths_tell_references_apart(tmp_path):
    pairs = {}
    for words in (["activation=sigmoid"], ["activation=relu"], ["optimizer=adam", "model=mlp"]):
        none = write(tmp_path, 0.5, "bn=none", *words)
        pairs[none] = none
        for variant in (["bn=x5"], ["normalization=group"], ["placement=after"]):
            pairs[write(tmp_path, 0.8, *variant, *words)] = none
    made = table_of(tmp_path)
    assert {row.experiment: row.reference for row in made.rows} == pairs
    # Each reference stands above what is compared with it.
    assert [row.experiment == row.reference for row in made.rows] == [True, *[False] * 3] * 3
    assert "the best of each reference" in made.header[1]
    (note,) = [note for note in made.notes if note.startswith("compared with")]
    for none in set(pairs.values()):
        assert note.count(f" with {none}") == 1


def test_what_is_only_watched_does_not_set_a_reference_apart(tmp_path):
    none = write(tmp_path, 0.5, "bn=none", "percentiles.every=100")
    write(tmp_path, 0.8, "bn=x1", "save_predictions=true", "batch_normalization.momentum=0.99")
    assert {row.reference for row in table_of(tmp_path).rows} == {none}


def test_of_several_runs_without_normalization_the_plain_one_is_the_reference(tmp_path):
    faster = write(tmp_path, 0.6, "bn=none", "learning_rate_multiplier=5")
    equal = write(tmp_path, 0.8, "bn=x1", "learning_rate_multiplier=5")
    assert {row.reference for row in table_of(tmp_path).rows} == {faster}
    plain = write(tmp_path, 0.5, "bn=none")
    made = table_of(tmp_path)
    assert {row.experiment: row.reference for row in made.rows} == dict.fromkeys(
        (plain, faster, equal), plain
    )


def test_without_its_reference_an_experiment_has_no_steps_and_the_command_that_makes_it(tmp_path):
    for seed in (0, 2):
        write(tmp_path, 0.8, "bn=x1", f"seed={seed}")
        alone = write(tmp_path, 0.8, "bn=x5", f"seed={seed}", "activation=tanh")
        write(tmp_path, 0.5, "bn=none", f"seed={seed}")
    made = table_of(tmp_path)
    absent = next(row for row in made.rows if row.experiment == alone)
    assert (absent.steps, absent.target, absent.reference) == (None, None, None)
    line = next(row for row in to_text(made).splitlines() if row.startswith(alone))
    dash = "\u2013"
    assert re.split("  +", line)[1:] == [f"{dash} of 2", dash, dash, dash, "80.00 % (80.00-80.00)"]
    (note,) = [note for note in made.notes if note.startswith("no steps to a target")]
    words = shlex.split(note.split("made with: ")[1].split("); ")[0])
    assert words[:2] == ["bnrepro", "sweep"]
    for run in plan(words[2:]):
        write_run(tmp_path, run.composition, HandMade(lambda step: 0.5))
    found = {row.experiment: row.reference for row in table_of(tmp_path).rows}
    assert found[alone] == run.name != found[alone.replace("x5-tanh", "x1")]
    assert not any(note.startswith("no steps") for note in table_of(tmp_path).notes)


def test_networks_without_normalization_alone_are_compared_with_nothing(tmp_path):
    for rate in (0.1, 0.2):
        write(tmp_path, 0.5, "bn=none", f"learning_rate={rate}")
    made = table_of(tmp_path)
    assert [row.steps for row in made.rows] == [None, None]
    assert any("nothing to compare with; --target 0.9" in note for note in made.notes)


def test_of_many_names_five_and_a_count_are_said(tmp_path):
    for seed in range(12):
        leave(tmp_path, f"experiment_{seed:02}", 0, [0.1, 0.2])
    said = r"one of (experiment_\d\d, ){4}experiment_04 and 7 more$"
    with pytest.raises(ConfigError, match=said):
        select(read_runs(tmp_path), ["other"])
    with pytest.raises(ConfigError, match=said):
        table_of(tmp_path, reference="other")


def test_a_narrow_page_has_the_columns_below_each_other(study):
    made = table_of(study)
    for width in (60, 80, 160, 400):
        lines = to_text(made, width=width).splitlines()
        assert max(map(len, lines)) <= width
        assert not any(line.startswith("  %") for line in lines)
        # Every cell of the table is there, in one piece.
        wide = [line for line in to_text(made).splitlines() if line.startswith("bn_x5 ")]
        narrow = [line for line in lines if line.startswith("bn_x5 ")]
        cells = [cell for line in narrow for cell in re.split("  +", line)[1:]]
        assert cells == re.split("  +", wide[0])[1:]
    assert len(narrow) == 1


def test_a_long_name_is_broken_between_its_parts_on_a_narrow_page(tmp_path):
    words = ["batch_size=8", "learning_rate=0.025", "activation=tanh", "optimizer=adam"]
    name = write(tmp_path, 0.5, "bn=none", *words)
    write(tmp_path, 0.6, "bn=x1", *words)
    lines = to_text(table_of(tmp_path), width=60).splitlines()
    start = next(row for row, line in enumerate(lines) if line.startswith("experiment")) + 1
    parts = [line.split()[0] for line in lines[start : start + 3]]
    assert "".join(parts) == name
    assert all(part.endswith("-") for part in parts[:-1])


def test_tables_load_no_training_framework():
    code = (
        "import sys, bnrepro.tables, bnrepro.paper, bnrepro.statistics;"
        "sys.exit(bool({'tensorflow', 'keras', 'jax', 'scipy'} & set(sys.modules)))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_run_that_was_not_trained_in_one_environment_is_said(tmp_path):
    leave(tmp_path, "bn_x5", 0, [0.1, 0.7])
    assert not any("environment" in note for note in table_of(tmp_path).notes)
    first = {**RECORD.environment, "from_step": 0, "commit": "a"}
    second = {**first, "from_step": 50, "commit": "b", "variables": {"XLA_FLAGS": "--x"}}
    leave(tmp_path, "bn_x5", 1, [0.1, 0.7], environment=second, earlier_environments=[first])
    leave(tmp_path, "bn_x5", 2, [0.1, 0.7], environment={**first, "from_step": 50})
    (note,) = [note for note in table_of(tmp_path).notes if "environment" in note]
    assert note == (
        "not trained in one environment: bn_x5 seed 1 (from step 50: XLA_FLAGS, commit), "
        "bn_x5 seed 2 (unknown before step 50)"
    )


NOT_MEASURED = {"best_accuracy": None, "best_accuracy_step": None}


def test_of_runs_that_never_had_a_finite_score_a_dash_stands_and_nothing_is_compared(tmp_path):
    for seed in range(2):
        leave(tmp_path, "inception", seed, [float("nan")], train_steps=200, diverged=1,
              **NOT_MEASURED)  # fmt: skip
        leave(tmp_path, "bn_x5", seed, [0.1, 0.3, 0.7])
    made = table_of(tmp_path)
    assert rows(made)["inception"][:8] == [2, *[None] * 6, None]
    titles, inception, bn_x5 = printed_lines(made)
    column = titles.index("best accuracy")
    assert (inception[column], bn_x5[column][:7]) == ("–", "70.00 %")
    assert "nan" not in to_text(made) + to_csv(made)


def test_beside_measured_seeds_one_that_never_had_a_finite_score_counts_as_chance(tmp_path):
    leave(tmp_path, "bn_x5", 0, [float("nan")], train_steps=200, diverged=1, **NOT_MEASURED)
    for seed in (1, 2):
        leave(tmp_path, "bn_x5", seed, [0.1, 0.3, 0.6 + seed / 10])
    (row,) = table_of(tmp_path).rows
    assert row.best_accuracy == 0.7
    assert row.best_accuracy_interval.low == 0.1


def test_what_sets_variants_of_one_experiment_apart_is_said(tmp_path):
    for name, rate in (("bn_x5-smoke", 0.01), ("bn_x5-smoke-rate0.04", 0.04)):
        experiment = None if rate == 0.04 else "bn_x5"
        config = {**CONFIG, "train_steps": 200, "learning_rate": rate}
        leave(tmp_path, name, 0, [0.1, 0.2, 0.3], name=name, experiment=experiment, config=config)
    shown = table_of(tmp_path)
    assert shown.notes[:2] == (
        "bn_x5: learning_rate=0.01",
        "bn_x5-smoke-rate0.04: learning_rate=0.04",
    )


def test_a_name_whose_words_are_not_all_there_is_told_by_all_that_sets_it_apart(tmp_path):
    plain = {"placement": "none", "normalization": None, "reparametrization": None}
    mean = {"placement": "before", "normalization": "mean_only", "reparametrization": "weight"}
    runs = {
        "mlp-digits-none": plain,
        "mlp-digits-none-weight_normalization": {**plain, "reparametrization": "weight"},
        "mlp-digits-mean_only-rate0.02-0123abcd": {**mean, "learning_rate": 0.02},
        "mlp-digits-mean_only-4567cdef": {**mean, "learning_rate": 0.04},
    }
    for name, own in runs.items():
        model = {**CONFIG["model"], "name": "mlp"}
        config = {**CONFIG, "model": model, "train_steps": 200, "learning_rate": 0.01, **own}
        leave(
            tmp_path, name, 0, [0.1, 0.2, 0.3], name=name, experiment=None, scale=None,
            config=config,
        )  # fmt: skip
    told = "placement=before, normalization=mean_only, reparametrization=weight"
    assert table_of(tmp_path).notes[:4] == (
        f"mlp-digits-mean_only-4567cdef: learning_rate=0.04, {told}",
        f"mlp-digits-mean_only-rate0.02-0123abcd: learning_rate=0.02, {told}",
        "mlp-digits-none: reparametrization=null",
        "mlp-digits-none-weight_normalization: reparametrization=weight",
    )
