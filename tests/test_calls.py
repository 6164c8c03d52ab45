"""`bnrepro.run` and `bnrepro.sweep`: words and values of Python as a command line, rows back."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from hand_made_records import HandMade, write_run

import bnrepro
import bnrepro.sweep as room
from bnrepro.api import calls
from bnrepro.config import ConfigError, study
from bnrepro.config.composition import compose


@pytest.mark.parametrize(
    ("words", "values", "expected"),
    [
        (["seed=3"], {}, ["seed=3"]),
        ([], {"seed": range(3)}, ["seed=0,1,2"]),
        ([], {"learning_rate": np.float64(0.5)}, ["learning_rate=0.5"]),
        ([], {"bn": ["none", "x1"]}, ["bn=none,x1"]),
        ([], {"seed": np.arange(2)}, ["seed=0,1"]),
        ([], {"accelerate": ["dropout", "l2"]}, ["accelerate=[dropout,l2]"]),
        ([], {"accelerate": [["dropout"], []]}, ["accelerate=[dropout],[]"]),
        ([], {"snapshots": (0, 10)}, ["snapshots=[0,10]"]),
        ([], {"normalization": None}, ["normalization=null"]),
        ([], {"tensorboard": False}, ["tensorboard=false"]),
        (["model.width=0.5,1"], {"seed": 3}, ["model.width=0.5,1.0", "seed=3"]),
        ([], {"results_dir": "my runs"}, ["results_dir='my runs'"]),
    ],
)  # fmt: skip
def test_values_of_python_are_words(words, values, expected):
    given = calls._overrides(words, values)
    assert sorted(map(str, given)) == sorted(expected)
    # What is spelled is read again as the same.
    assert calls._overrides(list(map(str, given)), {}) == given


@pytest.mark.parametrize("call", [bnrepro.run, bnrepro.sweep])
def test_bad_input_starts_nothing(call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(calls, "_call", lambda *words: pytest.fail("something was started"))
    for words, values, message in [
        ((), {"lerning_rate": 3}, "did you mean 'learning_rate'"),
        ((), {"seed": 0.5}, "seed=0.5: expected a whole number"),
        ((3,), {}, "3: expected words of a command line"),
        ((), {"batch_size": 1}, "batch"),
    ]:
        with pytest.raises(ConfigError, match=message):
            call(*words, **values)
    with pytest.raises(ConfigError, match="expected one value for one run"):
        bnrepro.run(seed=[0, 1])
    assert list(tmp_path.iterdir()) == []


def test_the_room_of_sweeps_can_be_called():
    assert bnrepro.sweep is room and callable(room) and room.run_sweep
    assert bnrepro.sweep.__call__.__doc__


def leave(results, *words, **facts):
    composition = compose([*words, f"results_dir={results}"])
    return write_run(results, composition, HandMade(lambda step: 0.5, **facts))


@pytest.fixture
def without_training(monkeypatch):
    """What is called, with runs that lie there already."""
    called = []
    monkeypatch.setattr(calls, "_call", lambda *words: called.append(words))
    return called


def test_a_run_is_the_row_of_its_record(tmp_path, without_training):
    leave(tmp_path, "bn=x1", "seed=3")
    directory = leave(tmp_path, "bn=x5", "seed=3")
    row = bnrepro.run(bn="x5", seed=3, results_dir=str(tmp_path))
    assert isinstance(row, pd.Series) and row["directory"] == str(directory)
    assert [words[0] for words in without_training] == ["run"]


def test_a_sweep_is_the_rows_of_its_runs_in_its_order(tmp_path, without_training):
    for bn in ("x1", "none", "x30"):
        for seed in (0, 1, 2):
            leave(tmp_path, f"bn={bn}", f"seed={seed}")
    rows = bnrepro.sweep("seed=1,0", bn=["x30", "none"], results_dir=str(tmp_path))
    planned = study.plan(["seed=1,0", "bn=x30,none"])
    assert list(zip(rows["name"], rows["seed"], strict=True)) == [
        (run.name, run.seed) for run in planned
    ]
    assert list(rows.index) == [0, 1, 2, 3]


def test_a_run_that_failed_is_an_error_with_its_reason(tmp_path, without_training):
    directory = leave(tmp_path, "bn=x1", status="failed")
    record = directory / "record.json"
    record.write_text(record.read_text().replace('"error": null', '"error": "no room"'))
    with pytest.raises(RuntimeError, match="mlp-digits-x1 seed 0 failed: no room"):
        bnrepro.run(bn="x1", results_dir=str(tmp_path))
    with pytest.raises(RuntimeError, match="left no record"):
        bnrepro.run(bn="x5", results_dir=str(tmp_path))


@pytest.mark.parametrize(
    ("code", "expected"),
    [(0, None), (1, None), (2, RuntimeError), (130, KeyboardInterrupt), (143, KeyboardInterrupt)],
)
def test_what_a_process_says_is_printed_and_its_end_is_an_answer(
    code, expected, monkeypatch, capsys
):
    program = f"import sys; print('a line'); sys.stderr.write('the reason\\n'); sys.exit({code})"
    start = subprocess.Popen
    monkeypatch.setattr(
        subprocess,
        "Popen",
        lambda words, **options: start([sys.executable, "-c", program], **options),
    )
    if expected is None:
        calls._call("run", [])
    else:
        with pytest.raises(expected):
            calls._call("run", [])
    assert sorted(capsys.readouterr().out.splitlines()) == ["a line", "the reason"]


@pytest.mark.slow
def test_a_real_run_and_its_model(tmp_path):
    row = bnrepro.run("bn=x1", train_steps=40, evaluate_every=20, results_dir=str(tmp_path))
    assert row["status"] == "completed" and row["train_steps"] == 40
    model = bnrepro.load_model(row)
    probabilities = model(np.zeros((2, 8, 8, 1), np.uint8))
    np.testing.assert_allclose(np.asarray(probabilities).sum(axis=1), 1, rtol=1e-5)
