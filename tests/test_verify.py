"""A recorded run that is trained again is what its record says, or it is said what is other."""

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hand_made_records import ENVIRONMENT, HandMade, write_run
from runs import START_SECONDS, finish, only_directory, wait_for

from bnrepro import cli
from bnrepro.config.composition import compose
from bnrepro.records import checksums
from bnrepro.records.loading import read_runs
from bnrepro.records.record import PUBLISHED, read_record, write_record
from bnrepro.sweep import verification
from bnrepro.sweep.verification import choice, page
from bnrepro.sweep.verification.choice import Candidate
from bnrepro.sweep.verification.comparison import band, compare

ROOT = Path(__file__).parent.parent
WORDS = ("model=mlp", "bn=x1", "train_steps=200", "evaluate_every=100", "threads=1")
ELSEWHERE = {**ENVIRONMENT, "device": "Another processor"}


def leave(results, seed, accuracy=0.9, words=WORDS, **changes):
    """A finished record with a digest of its own; `changes` are of its fields."""
    composition = compose([*words, f"seed={seed}", f"results_dir={results}"])
    directory = write_run(results, composition, HandMade(lambda step: 0.1 + accuracy * step / 250))
    record = replace(read_record(directory), weights_digest=f"{seed:064x}", **changes)
    write_record(directory, record)
    return record


@pytest.fixture
def seeds(tmp_path):
    """The records of six seeds of one run; the fourth took the least time."""
    return [
        leave(tmp_path, seed, 0.9 + seed / 1000, seconds={"total": 10.0 + abs(seed - 3)})
        for seed in range(6)
    ]


@pytest.mark.parametrize(
    ("changes", "outcome"),
    [
        ({}, "same weights"),
        ({"environment": ELSEWHERE}, "same weights"),
        ({"weights_digest": "f" * 64}, "other weights"),
        ({"weights_digest": None}, "other weights"),
        ({"weights_digest": "f" * 64, "environment": ELSEWHERE}, "within the band"),
        ({"weights_digest": "f" * 64, "environment": ELSEWHERE, "final_accuracy": 0.5},
         "outside the band"),
        ({"weights_digest": "f" * 64, "environment": ELSEWHERE, "best_accuracy": 0.99},
         "outside the band"),
        ({"status": "diverged"}, "outside the band"),
        ({"data": {"sha256": "other"}}, "not compared"),
    ],
)  # fmt: skip
def test_another_digest_accuracy_or_end_is_found(changes, outcome, seeds):
    assert compare(seeds[3], replace(seeds[3], **changes), seeds).outcome == outcome


def test_a_record_without_a_digest_has_no_weights_to_be_the_same(seeds):
    without = replace(seeds[3], weights_digest=None)
    assert compare(without, without, seeds).outcome == "other weights"


@pytest.mark.parametrize("name", ["python", "keras", "numpy"])
def test_other_versions_are_said_and_ask_for_the_band_alone(name, seeds):
    other = {**ENVIRONMENT, "versions": {**ENVIRONMENT["versions"], name: "9"}}
    again = replace(seeds[3], weights_digest="f" * 64, environment=other)
    found = compare(seeds[3], again, seeds)
    assert found.outcome == "within the band"
    recorded = ENVIRONMENT["versions"][name]
    assert (
        found.reason == f"{name} 9 (recorded {recorded}); accuracies within the band of the seeds"
    )


def test_another_variable_that_changes_numbers_is_said_and_asks_for_the_band_alone(seeds):
    """Also where the record is from before variables were recorded; a run's own do not count."""
    own = {"OMP_NUM_THREADS": "1", "KERAS_BACKEND": "tensorflow"}
    with_flags = {**ENVIRONMENT, "variables": {**own, "XLA_FLAGS": "--xla_cpu_max_isa=AVX"}}
    for before, now, said in [
        (ENVIRONMENT, with_flags, "XLA_FLAGS --xla_cpu_max_isa=AVX (recorded none)"),
        (with_flags, {**ENVIRONMENT, "variables": own},
         "XLA_FLAGS none (recorded --xla_cpu_max_isa=AVX)"),
    ]:  # fmt: skip
        recorded = replace(seeds[3], environment=before)
        again = replace(seeds[3], weights_digest="f" * 64, environment=now)
        found = compare(recorded, again, seeds)
        assert (found.outcome, found.reason.split(";")[0]) == ("within the band", said)
    unchanged = replace(seeds[3], environment={**ENVIRONMENT, "variables": own})
    assert compare(seeds[3], unchanged, seeds).reason == "same versions and processor"


def test_two_seeds_give_no_band_and_then_nothing_can_be_compared(seeds):
    again = replace(seeds[3], weights_digest="f" * 64, environment=ELSEWHERE)
    assert compare(seeds[3], again, seeds[:2]).outcome == "not compared"
    same_place = replace(seeds[3], weights_digest="f" * 64)
    assert compare(seeds[3], same_place, seeds[:2]).outcome == "other weights"


def test_the_band_is_the_span_of_the_seeds_widened_by_its_length():
    assert band([0.5, 0.6, None, 0.55]) == pytest.approx((0.4, 0.7))
    assert band([0.1, 0.9, 0.5]) == (0.0, 1.0)
    assert band([0.5, None, 0.6]) is None


class Done:
    """A process that has ended."""

    def __init__(self, code):
        self.code = code

    def poll(self):
        return self.code


def trains(record, code=0, line="", **changes):
    """What stands in for a training: leaves `record` with `changes`, or none and a line."""

    def launch(words, log, environment):
        log.write_text(f"$ bnrepro run\n{line}\n")
        if not line:
            composition = compose(words)
            assert composition.config.seed == record.seed
            composition.directory.mkdir(parents=True)
            write_record(composition.directory, replace(record, **changes))
        return Done(code)

    return launch


@pytest.mark.parametrize(
    ("launcher", "code", "said"),
    [
        ({}, 0, "same weights"),
        ({"weights_digest": "f" * 64}, 1, "other weights"),
        ({"line": "bnrepro: no data in /home/me/data", "code": 2}, 1, "nothing could be compared"),
        ({"line": "out of memory", "code": 1}, 1, "not trained"),
        ({"status": "interrupted"}, 1, "not trained"),
    ],
)
def test_the_exit_code_says_whether_all_are_as_recorded(
    launcher, code, said, seeds, tmp_path, capsys
):
    launch = trains(seeds[3], **launcher)
    assert verification.main([seeds[3].name], None, str(tmp_path), launcher=launch) == code
    printed = capsys.readouterr().out
    assert said in printed and f"{seeds[3].name} seed 3" in printed
    assert "/home/me" not in printed
    assert not (tmp_path / "verification").exists()


def test_of_a_study_the_run_that_took_the_least_time_is_chosen():
    runs = read_runs(ROOT / PUBLISHED)
    chosen = choice.of_study(runs, "placement", str(ROOT / PUBLISHED))
    own = runs[runs["name"] == chosen.record.name]
    assert chosen.seconds == own["seconds.total"].min()
    assert sorted(own["seed"]) == sorted(seed.seed for seed in chosen.seeds)


def test_the_last_outcome_of_each_run_is_published(seeds, tmp_path):
    """Those of other runs stay; of studies that are not there the page has the command."""
    other = leave(tmp_path, 0, words=(*WORDS, "activation=relu"))
    known = [Candidate("a_study", other, (other,))]
    for record, changes in [(other, {}), (seeds[3], {"weights_digest": "f" * 64}), (seeds[3], {})]:
        (candidate,) = choice.of_names(read_runs(tmp_path), [record.name])
        row = verification.verify(candidate, trains(record, **changes))
        written = page.publish(str(tmp_path), [row], known)
    rows = page.read(str(tmp_path))
    assert [(row["run"], row["outcome"]) for row in rows] == [
        (other.name, "same weights"), (seeds[3].name, "same weights"),
    ]  # fmt: skip
    assert (rows[1]["digest"], rows[1]["seed"]) == (seeds[3].weights_digest, "3")
    text = written.read_text()
    assert "| same weights | 82.24 % | 82.24 % |" in text
    assert f"- `bnrepro verify study=a_study --publish results_dir={tmp_path}`" in text


def test_a_run_of_a_gpu_is_not_compared_where_there_is_none(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(verification, "num_gpus", lambda: 0)
    record = leave(tmp_path, 0, environment={**ENVIRONMENT, "device": "NVIDIA H100 80GB HBM3"})
    assert verification.main([record.name], None, str(tmp_path), launcher=None) == 1
    printed = capsys.readouterr().out
    assert "recorded on NVIDIA H100 80GB HBM3, and no GPU is here" in printed


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["a_run", "study=figure_1"], "expected the names of runs or a study"),
        (["nothing_of_that_name"], "no run of that name"),
        (["study=figur_1"], "figure_1"),
        (["results_dir=."], "no run below"),
    ],
)
def test_what_cannot_be_verified_is_refused_in_a_line(words, said, capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    assert cli.main(["verify", *words]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert said in line


@pytest.mark.skipif(not (ROOT / PUBLISHED / "verification").is_dir(), reason="not published here")
def test_the_published_page_is_made_of_the_published_rows():
    rows = page.read(str(ROOT / PUBLISHED))
    text = (ROOT / PUBLISHED / "verification" / "README.md").read_text()
    assert text.startswith(page.page(rows, []))
    for row in rows:
        (run,) = (ROOT / PUBLISHED / "runs" / row["run"]).glob(f"seed_{row['seed']}")
        assert read_record(run).weights_digest == row["recorded_digest"]


@pytest.mark.slow
def test_a_run_that_is_trained_again_has_the_same_weights_and_a_planted_digest_is_found(tmp_path):
    finish(tmp_path, *WORDS, "backend=jax")
    name = only_directory(tmp_path).parent.name
    assert cli.main(["verify", name, f"results_dir={tmp_path}"]) == 0
    path = only_directory(tmp_path) / "record.json"
    record = json.loads(path.read_text())
    path.write_text(json.dumps({**record, "weights_digest": "0" * 64}))
    (path.parent / checksums.FILE).unlink()  # with it the changed record would be refused
    assert cli.main(["verify", name, f"results_dir={tmp_path}", "--publish"]) == 1
    (row,) = page.read(str(tmp_path))
    assert (row["outcome"], row["recorded_digest"]) == ("other weights", "0" * 64)


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGUSR1, 138)])
def test_a_signal_ends_the_training_too_and_leaves_nothing_behind(number, code, tmp_path):
    (tmp_path / "temporary").mkdir()
    record = leave(tmp_path, 0, 0.0, (*WORDS, "train_steps=100000000", "evaluate_every=50000000"))
    with subprocess.Popen(
        [sys.executable, "-m", "bnrepro", "verify", record.name, f"results_dir={tmp_path}"],
        env={**os.environ, "TMPDIR": str(tmp_path / "temporary")},
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        wait_for(lambda: any(tmp_path.glob("temporary/*/runs/*/*/record.json")), process)
        (child,) = children.read_text().split()
        process.send_signal(number)
        assert process.wait(START_SECONDS) == code
    assert not list((tmp_path / "temporary").iterdir())
    assert not Path(f"/proc/{child}").exists()


@pytest.mark.slow
def test_a_published_run_is_verified(tmp_path):
    """One of MNIST, where that is here, on the processor that there is."""
    name = "mlp-mnist-none-relu-steps5000"
    shutil.copytree(ROOT / PUBLISHED / "runs" / name, tmp_path / "runs" / name)
    (row,) = [verification.verify(one) for one in choice.of_names(read_runs(tmp_path), [name])]
    if row["outcome"] == "not compared" and "mnist" in row["reason"]:
        pytest.skip(row["reason"])
    assert row["outcome"] in ("same weights", "within the band"), row
