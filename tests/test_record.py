"""A record is read as it was written, by its contract."""

import json
import math
import shutil
from dataclasses import replace

import pandas as pd
import pytest
import yaml
from hand_made_records import RECORD as WHOLE

from bnrepro import load_curves, load_runs
from bnrepro.config.composition import run_directory
from bnrepro.records import checksums
from bnrepro.records.loading import read_curves, read_runs, reading_once
from bnrepro.records.record import (
    CURVE_COLUMNS,
    RecordError,
    RunRecord,
    read_record,
    read_rows,
    write_atomically,
    write_record,
    write_rows,
)

RECORD = replace(
    WHOLE,
    train_steps=100,
    config={**WHOLE.config, "seed": 3, "train_steps": 100},
    best_accuracy=0.5,
    best_accuracy_step=50,
    final_accuracy=0.25,
    final_accuracy_population=None,
    weights_digest="f" * 64,
)
ROWS = [
    [0, math.nan, math.nan, 2.3, 0.1, 0.05, 0.0],
    [50, 1.0, 0.4, 1.1, 0.5, 0.05, 0.75],
    [100, 0.9, 0.4, 1.3, 0.25, 0.05, 1.5],
]


def leave(results, record=RECORD, rows=ROWS):
    directory = run_directory(results, record.name, record.seed)
    directory.mkdir(parents=True)
    write_rows(directory / "curve.csv", CURVE_COLUMNS, rows)
    write_record(directory, record)
    return directory


def with_seed(seed, **changes):
    config = {**RECORD.config, **changes.pop("config", {}), "seed": seed}
    return replace(RECORD, seed=seed, config=config, **changes)


def test_write_then_read_is_the_identity(tmp_path):
    assert read_record(leave(tmp_path)) == RECORD


def test_the_file_begins_with_its_schema_version_and_holds_every_field(tmp_path):
    fields = json.loads((leave(tmp_path) / "record.json").read_text())
    assert next(iter(fields)) == "schema_version"
    assert fields["schema_version"] == 1
    assert set(fields) == set(RunRecord.__dataclass_fields__)


def test_not_a_number_is_written_nan_and_never_0(tmp_path):
    text = (leave(tmp_path) / "curve.csv").read_text().splitlines()
    assert text[0] == ",".join(CURVE_COLUMNS)
    assert text[1] == "0,nan,nan,2.3,0.1,0.05,0.0"


def test_rows_are_read_as_written(tmp_path):
    rows = read_rows(leave(tmp_path) / "curve.csv", CURVE_COLUMNS)
    assert rows[1] == ROWS[1]
    assert math.isnan(rows[0][1])


def test_words_with_a_comma_stay_one_cell(tmp_path):
    path = tmp_path / "table.csv"
    write_rows(path, ("measure", "value"), [("accuracy after 12,000 steps", 0.5)])
    assert pd.read_csv(path).to_numpy().tolist() == [["accuracy after 12,000 steps", 0.5]]


@pytest.mark.parametrize("content", ["", "{", "[]", '{"schema_version": 1}', "null"])
def test_half_a_record_is_refused_by_name(tmp_path, content):
    directory = leave(tmp_path)
    (directory / "record.json").write_text(content)
    with pytest.raises(RecordError, match=r"record\.json"):
        read_record(directory)


@pytest.mark.parametrize("name", ["seed", "config", "diverged_at_step", "error"])
def test_a_record_without_one_of_its_fields_is_refused(tmp_path, name):
    """Whoever makes a record may leave some out; its file has all of them."""
    path = leave(tmp_path) / "record.json"
    fields = json.loads(path.read_text())
    del fields[name]
    path.write_text(json.dumps(fields))
    with pytest.raises(RecordError, match=f"without {name}"):
        read_record(path.parent)


def test_a_record_of_what_little_is_known_has_every_field(tmp_path):
    facts = ("name", "experiment", "scale", "seed", "status", "train_steps", "config", "data")
    record = RunRecord(**{name: getattr(RECORD, name) for name in facts})
    assert read_record(leave(tmp_path, record)) == record
    assert (record.environment, record.seconds, record.best_accuracy) == ({}, {}, None)


def test_another_schema_version_is_refused_with_the_remedy(tmp_path):
    directory = leave(tmp_path)
    write_record(directory, replace(RECORD, schema_version=2))
    with pytest.raises(RecordError, match="schema_version 2, this bnrepro reads 1"):
        read_record(directory)


def test_a_curve_cut_short_is_refused(tmp_path):
    path = leave(tmp_path) / "curve.csv"
    path.write_text(path.read_text()[:-12])
    with pytest.raises(RecordError, match=r"curve\.csv"):
        load_curves(tmp_path)


def test_load_runs_gives_a_row_a_run_in_order_of_seed(tmp_path):
    leave(tmp_path, with_seed(10))
    leave(tmp_path, with_seed(9))
    frame = load_runs(tmp_path)
    assert frame["seed"].tolist() == [9, 10]
    assert frame["label"].tolist() == ["bn_x5", "bn_x5"]
    assert frame["config.model.width"].tolist() == [0.25, 0.25]


def test_a_run_that_was_moved_aside_does_not_count(tmp_path):
    directory = leave(tmp_path)
    directory.rename(directory.with_name("seed_3.123.aside"))
    assert read_runs(tmp_path).empty


def test_load_curves_gives_a_row_an_evaluation(tmp_path):
    leave(tmp_path)
    frame = load_curves(tmp_path)
    assert frame["step"].tolist() == [0, 50, 100]
    assert frame["evaluation_accuracy"].tolist() == [0.1, 0.5, 0.25]
    assert frame["label"].unique().tolist() == ["bn_x5"]


def test_a_folder_without_runs_gives_empty_frames_to_what_can_do_without(tmp_path):
    for read in (read_runs, read_curves):
        assert isinstance(read(tmp_path), pd.DataFrame)
        assert read(tmp_path).empty


@pytest.mark.parametrize("load", [load_runs, load_curves])
def test_a_folder_without_runs_is_said_to_be_one_with_the_nearest_that_has_some(load, tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere: no run below it; expected a folder"):
        load("nowhere")
    run = leave(tmp_path / "results")
    for folder in (tmp_path, run, run.parent, run.parent.parent):
        with pytest.raises(FileNotFoundError, match=r"did you mean '.*/results'\?"):
            load(folder)
    assert len(load(tmp_path / "results"))


@pytest.mark.parametrize("folder", ["", "runs"])
def test_a_folder_of_results_without_a_run_yet_gives_no_rows_with_the_columns(folder, tmp_path):
    filled, new = tmp_path / "filled", tmp_path / "new"
    leave(filled)
    (new / folder).mkdir(parents=True)
    assert load_runs(new).empty and load_curves(new, columns=["batch_size"]).empty
    missing = {*load_runs(filled)} - {*load_runs(new)}
    assert {name.partition(".")[0] for name in missing} == {"data", "environment", "seconds"}
    assert [*load_curves(new)] == [*load_curves(filled)]
    assert load_runs(new)["config.batch_size"].tolist() == []


def test_columns_of_the_runs_are_added_to_the_curves_by_name_and_seed(tmp_path):
    leave(tmp_path)
    leave(tmp_path, with_seed(9, config={"batch_size": 64}, experiment=None))
    runs = load_runs(tmp_path)[["name", "seed", "config.batch_size"]]
    curves = load_curves(tmp_path).merge(runs, on=["name", "seed"])
    asked = load_curves(tmp_path, columns=["batch_size", "num_parameters", "label"])
    assert asked["batch_size"].tolist() == curves["config.batch_size"].tolist()
    assert asked["num_parameters"].unique().tolist() == [RECORD.num_parameters]
    assert [*asked] == [*load_curves(tmp_path), "batch_size", "num_parameters"]
    with pytest.raises(KeyError, match="bach_size: load_runs has no such column; did you mean"):
        load_curves(tmp_path, columns=["bach_size"])
    assert curves["config.batch_size"].tolist() == [32] * 3 + [64] * 3
    assert curves["experiment"].tolist()[:3] == [RECORD.experiment] * 3
    assert curves["experiment"].isna().tolist() == [False] * 3 + [True] * 3
    assert curves["step"].tolist() == [0, 50, 100] * 2


def test_a_write_that_fails_leaves_the_old_file_and_nothing_beside_it(tmp_path, monkeypatch):
    path = tmp_path / "record.json"
    write_atomically(path, "old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_atomically(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_inside_reading_once_a_folder_is_read_once_and_nobody_changes_what_others_see(tmp_path):
    directory = leave(tmp_path)
    with reading_once():
        runs, curves = read_runs(tmp_path), read_curves(tmp_path)
        shutil.rmtree(directory)
        runs.loc[0, "seed"] = 99
        with reading_once():
            assert read_runs(tmp_path)["seed"].tolist() == [RECORD.seed]
            pd.testing.assert_frame_equal(read_curves(tmp_path), curves)
        assert read_runs(tmp_path / "another").empty
    assert read_runs(tmp_path).empty
    assert read_curves(tmp_path).empty


def copied(directory):
    shutil.copytree(directory, directory.with_name("seed_7"))
    return directory.with_name("seed_7")


def moved_into_another_run(directory):
    target = directory.parent.with_name("bn_x30-smoke") / directory.name
    shutil.copytree(directory, target)
    return target


def changed(directory, **fields):
    path = directory / "record.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))
    return directory


def without(directory, name):
    (directory / name).unlink()
    return directory


BAD = {
    "a copy": (copied, "belongs into bn_x5-smoke/seed_3"),
    "under another name": (moved_into_another_run, "belongs into bn_x5-smoke/seed_3"),
    "a field more": (lambda run: changed(run, later=1), "with 'later', unknown here; install"),
    "a text for a number": (lambda run: changed(run, final_accuracy="high"), "final_accuracy"),
    "a number of 400 digits": (
        lambda run: changed(run, final_accuracy=10**400),
        "final_accuracy: 1000",
    ),
    "no config": (lambda run: changed(run, config=None), "config: None is none"),
    "an empty config": (lambda run: changed(run, config={}), "config without "),
    "no data": (lambda run: changed(run, data=None), "data: None is none"),
    "a list as experiment": (lambda run: changed(run, experiment=[]), "experiment: [] is none"),
    "another accuracy": (lambda run: changed(run, final_accuracy=0.75), "another last accuracy"),
    "another best": (lambda run: changed(run, best_accuracy=0.75), "another best accuracy"),
    "half synchronized": (lambda run: without(run, "curve.csv"), "curve.csv: cannot be read"),
}


@pytest.mark.parametrize(("harm", "said"), BAD.values(), ids=BAD.keys())
def test_what_is_bad_is_named_with_its_folder_and_the_remedy_and_the_rest_is_shown(
    tmp_path, capsys, harm, said
):
    whole, other = leave(tmp_path), leave(tmp_path, with_seed(4))
    bad = harm(other) if harm not in (copied, moved_into_another_run) else harm(whole)
    shown = load_runs(tmp_path)
    assert set(load_curves(tmp_path)["seed"]) == set(shown["seed"])
    assert str(bad) not in set(shown["directory"]) and str(whole) in set(shown["directory"])
    line, *_ = capsys.readouterr().err.splitlines()
    assert line.startswith(f"left out: {bad}") and said in line and "move" in line


def test_a_value_that_was_changed_after_the_run_had_finished_is_not_shown(tmp_path, capsys):
    leave(tmp_path, with_seed(4))
    directory = leave(tmp_path)
    (directory / checksums.FILE).write_text(checksums.contents(directory))
    assert len(load_runs(tmp_path)) == 2
    changed(directory, num_parameters=11)
    assert list(load_runs(tmp_path)["seed"]) == [4]
    assert "record.json is not as the run left it (SHA256SUMS)" in capsys.readouterr().err


def test_a_config_that_differs_from_the_file_beside_it_is_not_shown(tmp_path):
    directory = leave(tmp_path)
    (directory / "config.yaml").write_text(yaml.safe_dump(RECORD.config))
    assert len(load_runs(tmp_path)) == 1
    changed(directory, config={**RECORD.config, "learning_rate": 0.91})
    with pytest.raises(RecordError, match=r"another config than config\.yaml"):
        load_runs(tmp_path)
