"""Dispatch, exit codes, help pages and what is printed before and after a run."""

import shlex
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

import pytest
from hand_made_records import HandMade, write_run

from bnrepro import cli
from bnrepro.cli.commands import COMMANDS
from bnrepro.config import GROUPS, ConfigError, study
from bnrepro.config.composition import compose
from bnrepro.config.overrides import choices_of, configs_directory, keys
from bnrepro.exhibits import EXHIBITS, Entry, making
from bnrepro.records.record import RunRecord


@pytest.fixture(autouse=True)
def empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def record(status, error=None):
    return RunRecord(
        name="mlp-digits-x1",
        experiment=None,
        scale=None,
        seed=0,
        status=status,
        train_steps=10,
        diverged_at_step=7 if status == "diverged" else None,
        config={},
        environment={},
        data={},
        num_parameters=1,
        best_accuracy=0.5,
        best_accuracy_step=5,
        final_accuracy=0.5,
        final_accuracy_population=None,
        seconds={"train": 1.0},
        weights_digest=None,
        error=error,
    )


@pytest.fixture
def training(monkeypatch):
    """Stands in for the room that trains: notes what it was asked for, and answers or raises."""
    room = ModuleType("bnrepro.training")
    room.asked, room.answer = [], record("completed")

    def run(composition, ends_process):
        room.asked.append(composition)
        if isinstance(room.answer, BaseException):
            raise room.answer
        return room.answer

    room.run = run
    monkeypatch.setitem(sys.modules, "bnrepro.training", room)
    monkeypatch.setattr("bnrepro.training", room, raising=False)
    monkeypatch.setattr("bnrepro.config.backend.select", lambda config: None)
    return room


@pytest.mark.parametrize(
    ("status", "error", "code"),
    [
        ("completed", None, 0),
        ("diverged", None, 0),
        ("failed", "ValueError: no", 1),
        ("interrupted", "SIGINT", 130),
        ("interrupted", "SIGTERM", 143),
    ],
)
def test_a_run_ends_with_the_exit_code_of_its_status(training, status, error, code):
    training.answer = record(status, error)
    assert cli.main(["run"]) == code


def test_a_run_prints_its_summary_its_row_and_its_directory(training, capsys):
    cli.main(["run", "bn=none", "seed=3"])
    output = capsys.readouterr().out.splitlines()
    assert output[0] == "mlp-digits-none  seed 3"
    assert "mlp-digits-x1" in output[-2] and "50.00 %" in output[-2]
    assert output[-1] == "results/runs/mlp-digits-x1/seed_0"


@pytest.mark.parametrize(
    ("raised", "code", "line"),
    [
        (ConfigError("data: bad;\nfix it"), 2, "bnrepro: data: bad; fix it\n"),
        (OSError(28, "No space left on device"), 1, "bnrepro: No space left on device\n"),
        (PermissionError(13, "Permission denied", "a/b"), 1, "bnrepro: a/b: Permission denied\n"),
        (MemoryError(), 1, "bnrepro: out of memory\n"),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_what_stops_a_run_gives_one_line_and_its_exit_code(training, capsys, raised, code, line):
    training.answer = raised
    assert cli.main(["run"]) == code
    error = capsys.readouterr().err
    assert error.startswith(line)
    assert error.count("\n") == (1 if line else 0)


def test_options_and_overrides_stand_in_any_order(training):
    for words in (["--config-dir", ".", "seed=4"], ["seed=4", "--config-dir=."]):
        cli.main(["run", *words])
    assert [composition.config.seed for composition in training.asked] == [4, 4]


def test_multirun_is_a_sweep(monkeypatch):
    calls = []
    monkeypatch.setattr(
        "bnrepro.sweep.run_sweep", lambda given, **flags: calls.append([*map(str, given)]) or 0
    )
    assert cli.main(["run", "-m", "bn=none,x1"]) == 0
    assert cli.main(["run", "bn=none,x1", "--multirun"]) == 0
    assert cli.main(["sweep", "bn=none,x1"]) == 0
    assert calls == [["bn=none,x1"]] * 3


def test_a_sweep_gets_its_flags(monkeypatch):
    calls = []
    monkeypatch.setattr(
        "bnrepro.sweep.run_sweep",
        lambda given, **flags: calls.append(([*map(str, given)], flags)) or 1,
    )
    line = "--workers 3 seed=range(0,3) --gpus 0,1 --per-gpu=2 --fail-fast --max-failures 4"
    assert cli.main(["sweep", *line.split(), "--retry-failed", "--dry-run"]) == 1
    assert calls == [
        (
            ["seed=0,1,2"],
            {
                "study_name": None,
                "workers": 3,
                "gpus": "0,1",
                "per_gpu": 2,
                "dry_run": True,
                "probe": False,
                "retry_failed": True,
                "fail_fast": True,
                "max_failures": 4,
                "as_one_program": False,
            },
        )
    ]


def test_a_study_is_handed_to_the_sweep(monkeypatch):
    calls = []
    monkeypatch.setattr(
        "bnrepro.sweep.run_sweep",
        lambda given, **flags: calls.append((flags["study_name"], *map(str, given))) or 0,
    )
    monkeypatch.setattr("bnrepro.sweep.plan", lambda given, study_name: [])
    assert cli.main(["sweep", "seed=1", "study=figure_1"]) == 0
    assert calls == [("figure_1", "seed=1")]


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"]])
def test_the_overview_names_every_command(capsys, words):
    assert cli.main(words) == 0
    output = capsys.readouterr().out
    assert all(f"  {name} " in output for name in COMMANDS)


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_command_has_a_help_page_with_its_flags(capsys, name):
    assert cli.main([name, "--help"]) == 0
    output = capsys.readouterr().out
    assert output.startswith(f"usage: bnrepro {name} ")
    assert all(flag.name in output for flag in COMMANDS[name].flags)


def test_the_help_of_run_lists_every_choice_with_its_comment_and_every_key(capsys):
    cli.main(["run", "--help"])
    output = capsys.readouterr().out
    text = " ".join(output.split())
    for group in GROUPS:
        for choice in choices_of(group):
            file = configs_directory() / group / f"{choice}.yaml"
            assert f"    {choice}" in output
            assert file.read_text().splitlines()[1].removeprefix("# ") in text
    shown = [line.split("=")[0].strip() for line in output.splitlines() if "=" in line]
    assert set(shown) >= {key for key in keys() if not key.endswith(".name")}
    assert "batch_size=60 " in output and "group=choice" in output


def test_the_version_is_printed(capsys):
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == "bnrepro 0.1.0\n"


def test_cfg_prints_the_composed_config_and_trains_nothing(training, capsys):
    assert cli.main(["run", "experiment=bn_x5", "--cfg", "job", "learning_rate=0.25"]) == 0
    output = capsys.readouterr().out
    assert "\nlearning_rate: 0.25\n" in output and "\nactivation: relu\n" in output
    assert training.asked == []


def test_info_prints_what_a_report_of_a_fault_needs_and_no_secret(training, capfd, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.setenv("TF_VAR_token", "secret")
    assert cli.main(["run", "device=cpu", "data.root=nowhere", "--info"]) == 0
    output = capfd.readouterr().out
    facts = dict(line.split(maxsplit=1) for line in output.splitlines())
    assert facts["bnrepro"] == "0.1.0" and f"keras {version('keras')}" in facts["packages"]
    assert facts["device"] == "cpu with backend=tensorflow: CPU"
    assert "CUDA_VISIBLE_DEVICES=" in facts["variables"] and "secret" not in output
    assert facts["data"] == "nowhere: digits"
    assert training.asked == []


def test_help_of_a_command_is_its_page(capsys):
    pages = []
    for words in (["help", "table"], ["table", "--help"], ["help"], ["--help"]):
        assert cli.main(words) == 0
        pages.append(capsys.readouterr().out)
    assert pages[0] == pages[1] and pages[2] == pages[3]
    assert cli.main(["help", "tabel"]) == 2
    assert "did you mean 'table'?" in capsys.readouterr().err


def test_the_commands_of_the_whole_train_the_study_of_every_exhibit(capsys):
    assert cli.main(["report", "--commands", "results_dir=my runs"]) == 0
    *made, claims, report = map(shlex.split, capsys.readouterr().out.splitlines())
    place = "results_dir=my runs"
    computed = [p.entry.computed for p in making.every_part() if p.entry.computed]
    assert made[-len(computed) :] == [["bnrepro", "laboratory", one, place] for one in computed]
    sweeps = made[: -len(computed)]
    assert [claims, report] == [["bnrepro", "claims", place], ["bnrepro", "report", place]]
    assert {(program, command, words[-1]) for program, command, *words in sweeps} == {
        ("bnrepro", "sweep", place)
    }
    studies = [sweep[2].removeprefix("study=") for sweep in sweeps]
    assert sorted(studies) == sorted(
        {name for part in making.every_part() for name in part.studies}
    )
    scaled = [name for name in studies if "scale" in study.load(name).required]
    assert [sweep[2].removeprefix("study=") for sweep in sweeps if "scale=cpu" in sweep] == scaled


def test_make_reproduce_runs_what_the_report_lists():
    root = Path(__file__).parent.parent
    shown = subprocess.run(
        ["make", "--dry-run", "reproduce"], cwd=root, capture_output=True, text=True, check=True
    ).stdout
    assert "commands=$(.venv/bin/bnrepro report --commands) && " in shown
    assert 'sh -ec "$commands"' in shown


def test_make_laboratory_runs_what_the_laboratory_lists(capsys):
    root = Path(__file__).parent.parent
    for words, scale in ([], ""), (["SCALE=smoke"], "scale=smoke"):
        command = ["make", "--dry-run", "laboratory", *words]
        shown = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout
        assert f"commands=$(.venv/bin/bnrepro laboratory --commands {scale}) && " in shown
    assert cli.main(["laboratory", "--commands", "scale=smoke", "results_dir=mine"]) == 0
    listed = capsys.readouterr().out.splitlines()
    for name, one in EXHIBITS.items():
        if one.computed and not one.study:
            computed = f"bnrepro laboratory {one.computed} scale=smoke results_dir=mine"
            drawn = f"bnrepro figure {name} results_dir=mine"
            assert listed.index(computed) < listed.index(drawn)


def test_the_laboratory_trains_in_full_unless_a_scale_is_named(capsys):
    assert cli.main(["laboratory", "--commands"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[:1] == ["bnrepro sweep study=smoothness"]
    assert "bnrepro laboratory deep_linear" in shown
    drawn = [f"bnrepro figure {name}" for name in ("noisy_batch", "covariate_shift", "smoothness")]
    assert [line for line in shown if line in drawn] == drawn


def test_a_study_that_has_a_small_scale_of_its_own_is_trained_and_drawn_at_it(capsys):
    assert cli.main(["laboratory", "--commands", "scale=smoke"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[:1] == ["bnrepro sweep study=smoothness scale=smoke"]
    studies = ("smoothness", "largest_rate", "initial_weights", "weight_normalization")
    drawn = [name for name, one in EXHIBITS.items() if one.study in studies]
    assert len(drawn) == 6 and all(f"bnrepro figure {name} scale=smoke" in shown for name in drawn)
    assert cli.main(["figure", "smoothness", "scale=gpu"]) == 2
    assert "figure smoothness has one scale" in capsys.readouterr().err


def test_studies_without_a_scale_for_a_gpu_are_listed_as_they_are(capsys):
    assert cli.main(["laboratory", "--commands", "scale=gpu"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert {"bnrepro laboratory dropout scale=gpu", "bnrepro laboratory depth"} <= set(shown)


def test_a_study_of_the_laboratory_that_trains_joins_by_its_entry(monkeypatch, capsys):
    trained = Entry("figure_2.figure", "Trained", "figure_2", part="why it works")
    monkeypatch.setitem(EXHIBITS, "trained", trained)
    assert cli.main(["laboratory", "--commands", "scale=smoke"]) == 0
    listed = capsys.readouterr().out.splitlines()
    assert "bnrepro sweep study=figure_2 scale=smoke" in listed
    assert listed[-1] == "bnrepro figure trained scale=smoke"


def test_grids_of_networks_are_refused_where_jax_is_absent(monkeypatch, capsys):
    monkeypatch.setattr("bnrepro.cli.laboratory.find_spec", lambda name: None)
    assert cli.main(["laboratory", "rate_decay"]) == 2
    assert "rate_decay: many networks train as one program by JAX" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["error_surfac"], "error_surfac: expected studies among error_surface, "),
        (["error_surfac"], "; did you mean 'error_surface'?"),
        (["scale=cpu"], "scale=cpu: expected smoke or gpu, or no scale for what is published"),
        (["depth", "dropout", "scale=gpu"], "depth: no scale=gpu; there is one of surfaces, "),
        (["seed=1"], "seed=1: `bnrepro laboratory` takes only results_dir, scale"),
    ],
)
def test_a_wrong_word_to_the_laboratory_is_refused_before_it_computes(words, line, capsys):
    assert cli.main(["laboratory", *words]) == 2
    assert line in capsys.readouterr().err


def test_more_threads_than_cores_are_spoken_of(training, capsys):
    cli.main(["run", "threads=4096"])
    assert "threads=4096: this process may use" in capsys.readouterr().err


def test_a_status_without_words_is_that_of_the_folder(monkeypatch):
    shown = []
    monkeypatch.setattr("bnrepro.sweep.show_folder", lambda folder: shown.append(folder) or 0)
    assert cli.main(["sweep", "--status"]) == 0
    assert cli.main(["sweep", "results_dir=mine", "--status"]) == 0
    assert shown == ["results", "mine"]


def test_data_list_names_every_data_set(capsys):
    assert cli.main(["data", "list", "data.root=nowhere"]) == 0
    first_words = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert sorted(first_words) == choices_of("data")


def test_data_download_prints_the_files(monkeypatch, capsys, empty_folder):
    asked = []

    def download(name, root):
        asked.append((name, str(root)))
        return [root / name / "file.gz"]

    monkeypatch.setattr("bnrepro.data.download.download", download)
    assert cli.main(["data", "download", "mnist", "data.root=here"]) == 0
    assert asked == [("mnist", "here")]
    assert capsys.readouterr().out == "here/mnist/file.gz\n"


def test_data_verify_fails_on_a_damaged_file(capsys, empty_folder):
    folder = empty_folder / "mnist"
    folder.mkdir()
    for name in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"):
        (folder / f"{name}-ubyte.gz").write_bytes(b"not it")
    assert cli.main(["data", "verify", "mnist", "data.root=."]) == 1
    assert len(capsys.readouterr().out.splitlines()) == 4


def test_a_finished_run_prints_its_row_without_training(training, monkeypatch, capsys):
    monkeypatch.setattr(
        "bnrepro.records.run_directory.find_finished", lambda composition: record("diverged")
    )
    assert cli.main(["run"]) == 0
    assert training.asked == []
    output, errors = capsys.readouterr()
    assert "diverged" in output
    assert errors == "done already; force=true trains it again\n"


def test_an_interrupted_run_says_that_the_same_command_goes_on(training, capsys):
    training.answer = record("interrupted", "SIGTERM")
    cli.main(["run"])
    assert capsys.readouterr().err == "the same command goes on from step 10\n"


def test_an_interrupted_run_goes_on_with_its_number_of_threads(training, monkeypatch):
    monkeypatch.setattr("bnrepro.records.run_directory.recorded_threads", lambda composition: 7)
    cli.main(["run"])
    assert training.asked[0].config.threads == 7


def test_a_table_is_printed_in_each_form(tmp_path, capsys):
    for words, best in ((["bn=none"], 0.6), (["bn=x5"], 0.8), (["data=mnist"], 0.9)):
        write_run(tmp_path, compose(words), HandMade(lambda step, best=best: best))
    begins = {"text": "digits, ", "csv": "experiment,n,", "markdown": "digits, "}
    for form, start in begins.items():
        words = ["table", "mlp-*", "--format", form, "--target", "0.7", f"results_dir={tmp_path}"]
        assert cli.main(words) == 0
        output = capsys.readouterr().out
        assert output.startswith(start)
        assert output.index("mlp-digits-none") < output.index("mlp-mnist-x1")
        # Above the rows of each table, or once for both.
        assert output.count("experiment") == (1 if form == "csv" else 2)


def test_a_table_is_as_wide_as_the_terminal_and_anything_else_gets_its_rows_whole(
    tmp_path, capsys, monkeypatch
):
    for words in (["bn=none"], ["bn=x1", "activation=tanh", "train_steps=1500"]):
        write_run(tmp_path, compose(words), HandMade(lambda step: 0.5))
    words = ["table", "--target", "0.4", f"results_dir={tmp_path}"]
    cli.main(words)
    whole = capsys.readouterr().out
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "60")
    cli.main(words)
    narrow = capsys.readouterr().out
    assert max(map(len, narrow.splitlines())) <= 60 < max(map(len, whole.splitlines()))


@pytest.mark.parametrize("folder", ["", "results"])
def test_a_table_where_no_run_is_yet_says_what_to_do(folder, tmp_path, capsys, monkeypatch):
    (tmp_path / folder / "runs").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert cli.main(["table"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    assert line.startswith("bnrepro: no run yet in results; make some: `bnrepro sweep bn=none,x1")
    assert "`bnrepro table study=figure_2`" in line and len(line) < 200


def test_a_table_of_a_study_says_first_what_is_missing(tmp_path, capsys):
    for run in study.planned_runs("figure_2", ["scale=cpu", "seed=0"])[:2]:
        write_run(tmp_path, run.composition, HandMade(lambda step: 0.6 if step else 0.1))
    words = ["table", "study=figure_2", "--format", "csv", f"results_dir={tmp_path}"]
    assert cli.main(words) == 0
    captured = capsys.readouterr()
    assert [line.split(",")[0] for line in captured.out.splitlines()[1:]] == [
        "inception",
        "bn_baseline",
    ]
    assert "43 of 45 runs are missing (inception-cpu seed 1, 2, 3, 4, 5; " in captured.err
    assert f"bnrepro sweep study=figure_2 scale=cpu results_dir={tmp_path}" in captured.err


def test_a_table_of_a_study_without_records_names_the_command(tmp_path, capsys):
    assert cli.main(["table", "study=figure_2", f"results_dir={tmp_path}"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "none of its 45 runs" in captured.err
    assert "bnrepro sweep study=figure_2 scale=cpu" in captured.err
