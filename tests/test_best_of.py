"""Grids on a logarithmic scale, and `bnrepro table --best-of KEY`, which shows all of one."""

import csv
import io

import pytest
from hand_made_records import HandMade, write_run

from bnrepro import cli
from bnrepro.config import ConfigError
from bnrepro.config.composition import compose
from bnrepro.config.overrides import read
from bnrepro.config.study import plan
from bnrepro.records.loading import read_runs
from bnrepro.tables import best_rendered, tabulate_best

LENGTH = ("train_steps=400", "evaluate_every=100", "data.evaluation_split=tuning")


@pytest.mark.parametrize(
    ("word", "values"),
    [
        ("learning_rate=logspace(1e-3,1,7)", [0.001, 0.003162, 0.01, 0.03162, 0.1, 0.3162, 1.0]),
        ("learning_rate=logspace(1, 1e-2, 3)", [1.0, 0.1, 0.01]),
        ("learning_rate=logspace(0.12345678,1,2)", [0.12345678, 1.0]),
        ("train_steps=logspace(10,1000,3)", [10, 100, 1000]),
        ("train_steps=logspace(1,8,4)", [1, 2, 4, 8]),
    ],
)
def test_a_logarithmic_grid_has_both_ends_and_equal_ratios(word, values):
    found = read(word).values
    assert list(found) == values and list(map(type, found)) == list(map(type, values))
    # As a child process reads it, it is the same again.
    assert read(str(read(word))) == read(word)


def test_every_run_of_a_grid_is_named_in_few_digits():
    names = [run.name for run in plan(["learning_rate=logspace(1e-3,1,4)"])]
    assert names[:2] == ["mlp-digits-x1-rate0.001", "mlp-digits-x1-rate0.01"]


@pytest.mark.parametrize(
    "word",
    [
        "learning_rate=logspace(0,1,3)",
        "learning_rate=logspace(0.1,1)",
        "learning_rate=logspace(0.1,1,1)",
        "learning_rate=logspace(0.1,1,1.5)",
        "bn=logspace(1,5,3)",
        "seed=logspace(1,3,9)",
        "learning_rate=logspace(0.1,0.1,2)",
        "learning_rate=logspace(a,1,2)",
    ],
)
def test_what_is_no_such_grid_is_refused(word):
    with pytest.raises(ConfigError, match="expected"):
        read(word)


def leave(results, best, *words, **facts):
    made = HandMade(lambda step: best * step / 400, **facts)
    return write_run(results, compose([*LENGTH, *words]), made)


# Best accuracies by the rate, for two seeds.
TRIED = {
    "none": {0.01: (0.3, 0.5), 0.1: (0.5, 0.9), 1: (0.2, 0.2)},
    "x1": {0.01: (0.5, 0.6), 0.1: (0.7, 0.8), 1: (0.9, 0.8)},
}


@pytest.fixture
def grid(tmp_path):
    for bn, rates in TRIED.items():
        for rate, accuracies in rates.items():
            for seed, best in enumerate(accuracies):
                leave(tmp_path, best, f"bn={bn}", f"learning_rate={rate}", f"seed={seed}")
    return tmp_path


def test_every_value_is_there_and_the_highest_median_is_best(grid):
    (table,) = tabulate_best(read_runs(grid), "learning_rate")
    assert table.values == [0.01, 0.1, 1.0]
    found = {
        next(part for part in variant.name.split("-") if part in TRIED): variant
        for variant in table.variants
    }
    for bn, rates in TRIED.items():
        medians = {one.value: one.median for one in found[bn].tried}
        assert medians == pytest.approx({rate: sum(two) / 2 for rate, two in rates.items()})
        assert found[bn].best.value == max(rates, key=lambda rate: sum(rates[rate]))
    assert (found["none"].tried[1].lowest, found["none"].tried[1].highest) == (0.5, 0.9)
    # The better variant comes first.
    assert [*found] == ["x1", "none"]


def test_an_edge_and_what_was_not_tried_are_said(grid):
    leave(grid, 0.5, "bn=x5", "learning_rate=0.1")
    (table,) = tabulate_best(read_runs(grid), "learning_rate")
    (edge,) = [note for note in table.notes if "may lie beyond" in note]
    assert "x1" in edge and "none" not in edge and "x5" not in edge
    text = best_rendered([table], "text")
    (line,) = [line.split("  ") for line in text.splitlines() if "x5" in line]
    assert [cell.strip() for cell in line if cell.strip()][1:] == ["–", "50.00 %*", "–"]
    narrow = best_rendered([table], "text", 80)
    assert max(map(len, narrow.splitlines())) <= 80 and "n = 1 to 2" in narrow


def test_a_diverged_run_counts_as_chance_and_is_named(grid):
    leave(grid, 1.0, "bn=x1", "learning_rate=10", status="diverged", diverged_at_step=200)
    (table,) = tabulate_best(read_runs(grid), "learning_rate")
    (variant,) = [one for one in table.variants if "x1" in one.name]
    assert variant.tried[-1].median == 0.1 and variant.best.value == 1
    assert any("at 10.0 (1 of 1)" in note for note in table.notes)


def test_choosing_on_the_test_images_is_spoken_of(tmp_path):
    for rate in (0.1, 1):
        composition = compose([f"learning_rate={rate}"])
        write_run(tmp_path, composition, HandMade(lambda step: 0.5))
    (table,) = tabulate_best(read_runs(tmp_path), "learning_rate")
    assert any("no fair estimate" in note for note in table.notes)
    assert "test split" in table.header[0]


def test_the_csv_has_a_row_a_value_and_other_forms_the_cells(grid):
    made = tabulate_best(read_runs(grid), "learning_rate")
    rows = list(csv.DictReader(io.StringIO(best_rendered(made, "csv"))))
    assert len(rows) == 6 and sum(row["best"] == "True" for row in rows) == 2
    assert {row["value"] for row in rows} == {"0.01", "0.1", "1.0"}
    assert "| 85.00 %* |" in best_rendered(made, "markdown")
    assert r"85.00~\%*" in best_rendered(made, "latex")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--best-of", "lerning_rate"], "did you mean 'learning_rate'"),
        (["--best-of", "threads"], "expected a key of which a run's name speaks"),
        (["--best-of", "accelerate"], "not a list"),
        (["--best-of", "l2"], "no two runs differ in nothing else; train some"),
        (["--best-of", "learning_rate", "--paired"], "--paired with --best-of"),
    ],
)
def test_bad_words_are_refused(grid, words, message, capsys):
    assert cli.main(["table", *words, f"results_dir={grid}"]) == 2
    assert message in capsys.readouterr().err
