"""`bnrepro runs`: which runs there are, how far each is, and filters by their configs."""

import csv
import io
import os

import pytest
import yaml
from hand_made_records import HandMade, write_run

from bnrepro import cli
from bnrepro.cli.runs import STATES
from bnrepro.config.composition import compose
from bnrepro.config.overrides import read_all
from bnrepro.records.lock import run_lock
from bnrepro.records.record import STATUSES
from bnrepro.records.run_directory import recorded_config
from bnrepro.tables import listing

LENGTH = ("train_steps=400", "evaluate_every=100")
NUMBER = 1_700_000_000


def leave(results, *words, date=0, **facts):
    """A run whose record was written so many seconds after some day."""
    made = HandMade(lambda step: 0.1 + step / 1000, **facts)
    length = () if "scale=smoke" in words else LENGTH
    directory = write_run(results, compose([*length, *words]), made)
    os.utime(directory / "record.json", (NUMBER + date, NUMBER + date))
    return directory


@pytest.fixture
def some(tmp_path):
    leave(tmp_path, "bn=none", date=5)
    leave(tmp_path, "bn=x1", date=3)
    leave(tmp_path, "bn=x1", "seed=1", date=4, status="interrupted")
    leave(tmp_path, "normalization=layer", date=1)
    leave(
        tmp_path, "experiment=bn_x5", "scale=smoke", date=2, status="diverged", diverged_at_step=150
    )
    return tmp_path


def names(results, *words, **options):
    runs = listing.listed(str(results), filters=read_all(words), **options)
    return [run.name.split("-steps400")[0] + f" {run.seed}" for run in runs]


def test_runs_stand_in_the_order_in_which_they_were_written(some):
    assert names(some) == [
        "mlp-digits-layer 0", "bn_x5-smoke 0", "mlp-digits-x1 0", "mlp-digits-x1 1",
        "mlp-digits-none 0",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["bn=x1"], ["x1 0", "x1 1"]),
        (["bn=none,x5"], ["bn_x5-smoke 0", "none 0"]),
        (["bn=x1", "seed=1"], ["x1 1"]),
        (["normalization=layer"], ["layer 0"]),
        (["placement=none,after"], ["none 0"]),
        (["model=inception"], ["bn_x5-smoke 0"]),
        (["experiment=bn_x5"], ["bn_x5-smoke 0"]),
        (["scale=cpu"], []),
        # A key that came later than a record may lack has the value that such records mean.
        (["data.train_examples=null", "bn=none"], ["none 0"]),
    ],
)
def test_a_filter_is_met_by_one_of_its_values(some, words, found):
    assert [name.removeprefix("mlp-digits-") for name in names(some, *words)] == found, words


def test_names_and_states_choose_too(some):
    assert names(some, patterns=["bn_x5"]) == names(some, patterns=["bn_x5-*"]) == ["bn_x5-smoke 0"]
    assert names(some, status="interrupted") == ["mlp-digits-x1 1"]
    assert names(some, patterns=["mlp-*"], status="diverged") == []


def test_an_unfinished_run_says_how_far_it_is(some):
    lines = list(listing.to_lines(listing.listed(str(some))))
    (diverged,) = [line.split("  ") for line in lines if line.startswith("diverged")]
    assert "150 of 400" in [cell.strip() for cell in diverged]
    (done,) = [
        line for line in lines if line.endswith("mlp-digits-none-steps400-evaluate100 seed 0")
    ]
    assert "  400  50.00 %" in done


def test_a_run_without_a_record_is_there(tmp_path):
    composition = compose([*LENGTH, "bn=x1", f"results_dir={tmp_path}"])
    directory = composition.directory
    directory.mkdir(parents=True)
    text = yaml.safe_dump(recorded_config(composition.config))
    (directory / "config.yaml").write_text(text)
    assert [run.status for run in listing.listed(str(tmp_path))] == [listing.STARTED]
    assert names(tmp_path, "bn=x1") and not names(tmp_path, "bn=none")
    with run_lock(directory):
        assert [run.status for run in listing.listed(str(tmp_path))] == ["running"]


def test_a_record_that_cannot_be_read_stands_beside_the_others(some, capsys):
    directory = leave(some, "bn=x30", date=9)
    (directory / "record.json").write_text("{")
    assert cli.main(["runs", f"results_dir={some}"]) == 0
    said = capsys.readouterr()
    assert len(said.out.splitlines()) == 7 and "unreadable" in said.out.splitlines()[-1]
    assert "no whole record" in said.err


def test_what_force_moved_aside_is_left_out(some):
    (some / "runs").mkdir(exist_ok=True)
    directory = next((some / "runs").glob("*none*/seed_0"))
    directory.rename(directory.with_name("seed_0.123.aside"))
    assert "mlp-digits-none 0" not in names(some)


def test_the_csv_has_numbers(some):
    text = listing.to_csv(listing.listed(str(some), filters=read_all(["bn=none"])))
    (row,) = csv.DictReader(io.StringIO(text))
    assert row["name"] == "mlp-digits-none-steps400-evaluate100" and row["status"] == "completed"
    assert (row["steps"], row["train_steps"], row["best_accuracy"]) == ("400", "400", "0.5")
    assert row["seconds"] == "2.4"  # of the hand-made record: 400 steps of 1 ms, and 2 s


def test_lines_that_are_too_long_have_their_names_below(some):
    runs = listing.listed(str(some))
    assert max(map(len, listing.to_lines(runs))) > 80
    lines = list(listing.to_lines(runs, 80))
    assert max(map(len, lines)) <= 80 and len(lines) == 12
    assert lines[-1] == "    mlp-digits-none-steps400-evaluate100 seed 0"


def test_every_status_of_a_record_can_be_asked_for():
    assert listing.STATES == STATES and set(STATES) > set(STATUSES)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["model=cnn"], 0, ": model=cnn"),
        (["--state", "failed"], 0, ": state failed"),
        (["data.root=here"], 2, "data.root=here: no record says it"),
        (["lr=3"], 2, "did you mean 'learning_rate'"),
        (["mlp-digits-x2"], 2, "mlp-digits-x2: no run of that name"),
        (["--state", "done"], 2, "--state done: expected one of completed"),
    ],
)
def test_words_that_find_nothing_are_answered(some, words, code, said, capsys):
    assert cli.main(["runs", *words, f"results_dir={some}"]) == code
    assert said in capsys.readouterr().err


def test_a_folder_without_runs_says_how_to_begin(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["runs"]) == 0
    assert capsys.readouterr().err == "no run in results yet; `bnrepro run` makes one\n"
