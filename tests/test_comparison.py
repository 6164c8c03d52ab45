"""`bnrepro compare`: the trainings, the tables, the page, and the whole command."""

import csv
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from own_modules import NORMS

from bnrepro.cli import main
from bnrepro.config import NORMALIZATIONS
from bnrepro.lab.comparison import files, page, panels, table, training
from bnrepro.lab.comparison.jobs import Job, JobFailed, run_all
from bnrepro.lab.comparison.plan import FULL, QUICK, Candidate, Plan
from bnrepro.lab.comparison.rows import CardRow, CostRow, Point, Refusal
from bnrepro.lab.comparison.summary import Comparison, Course

MLP = ("model=mlp", "activation=relu", "train_steps=20", "evaluate_every=10", "model.width=0.2")
CANDIDATES = (Candidate("my_norms:<b>"), Candidate("layer"), Candidate("none"))
SETTING = {
    "normalizations": ["my_norms:<b>@0123", "layer", "none"],
    "backend": "jax",
    "plan": "quick",
    "processor": "a <processor>",
    "versions": {"keras": "3"},
}


def courses(word: str, measure: str, setting: str, *accuracies: tuple[float, ...]) -> list[Point]:
    return [
        Point(word, measure, setting, seed, 10 * place, accuracy)
        for seed, course in enumerate(accuracies)
        for place, accuracy in enumerate(course)
    ]


def rows_of(word: str) -> list:
    low, high = (0.1, 0.5, 0.8), (0.1, 0.92, 0.95)
    return [
        CardRow(word, "weights_shifted", "vectors", "yes", "yes", 1e-16),
        CardRow(word, "weights_shifted", "feature maps", "no", "no", 1.5),
        CardRow(word, "gradient_to_inputs", "vectors", "<i>wrong</i>", "fault", 0.5),
        *courses(word, "row", "bn_baseline", high, (0.1, 0.2, 0.93)),
        *courses(word, "rate", "0.01", high, high),
        *courses(word, "rate", "0.1", low, high),
        *courses(word, "rate", "1", high, high),
        *courses(word, "depth", "2", low, low),
        CostRow(word, "inception", 12.5, 1.25, 1.2, 1.3, 856, 12, 104530),
        Refusal(word, "batch size", "2", "too <small>"),
    ]


@pytest.fixture
def comparison() -> Comparison:
    rows = [row for candidate in CANDIDATES for row in rows_of(candidate.word)]
    return Comparison(CANDIDATES, QUICK, tuple(rows))


def test_every_line_has_its_swatch():
    candidates = tuple(map(Candidate, (*NORMALIZATIONS, "none")))
    lines = panels.lines(candidates)
    assert {line.label for line in lines.values()} == {each.label for each in candidates}
    assert {line.marker for line in lines.values()} <= set(page._MARKERS)
    looks = {(line.color, line.style, line.marker) for line in lines.values()}
    assert len(looks) == len(candidates)


def test_a_course_keeps_its_best_when_it_diverges_and_may_never_reach_the_target():
    assert Course((0, 10, 20), (0.1, 0.95, math.nan)).best == 0.95
    assert Course((0, 10, 20), (0.1, 0.95, math.nan)).steps_to_target == 10
    assert Course((0, 10), (0.1, 0.5)).steps_to_target == math.inf


def test_the_table_has_a_row_a_normalization(comparison, tmp_path):
    table.write(comparison, tmp_path / "comparison.csv")
    with (tmp_path / "comparison.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["normalization"] for row in rows] == ["my_norms:<b>", "layer", "none"]
    row = rows[0]
    assert row["weights_shifted"] == "yes (vectors); no (feature maps)"
    assert float(row["bn_baseline_best_accuracy"]) == np.median([0.95, 0.93])
    assert float(row["bn_baseline_steps_to_90"]) == np.median([10, 20])
    # One seed at 0.1 stays below the target.
    found = (row["lowest_rate_that_trains"], row["highest_rate_that_trains"])
    assert (*found, row["rates_that_train"]) == ("0.01", "1", "2")
    assert (row["depths_that_train"], row["lowest_depth_that_trains"]) == ("0", "")
    assert row["batch_sizes_that_train"] == ""
    assert row["inception_parameters"] == "856"


def test_the_page_says_what_the_rows_say_and_escapes_what_others_wrote(comparison):
    text = page.build(comparison, SETTING)
    assert "<b>" not in text.replace("&lt;b&gt;", "")
    assert "<i>wrong" not in text
    assert "too &lt;small&gt;" in text
    assert "a &lt;processor&gt;" in text
    assert "0.01 to 1, not 0.1" in text
    assert "gradient to x is the derivative: &lt;i&gt;wrong&lt;/i&gt;" in text
    assert "No fault" not in text
    assert "--against layer,none backend=jax --quick" in text
    assert "94.0\N{NO-BREAK SPACE}%" in text
    # Nothing but itself, and no identifier twice.
    assert re.findall(r'(?:src|href)="(?!#|data:)', text) == []
    identifiers = re.findall(r'\bid="([^"]+)"', text)
    assert len(identifiers) == len(set(identifiers))
    assert page.build(comparison, SETTING) == text


def test_rows_come_back_from_their_files(comparison, tmp_path):
    files.write(tmp_path, comparison.rows, SETTING)
    assert files.setting_of(tmp_path) == SETTING
    assert sorted(files.read(tmp_path), key=repr) == sorted(comparison.rows, key=repr)


def test_what_a_job_has_found_is_kept_and_an_edited_normalization_is_another(tmp_path):
    job = Job("training", "jax", "full", ("my:Norm",), ("my:Norm@1",), 1)
    edited = Job("training", "jax", "full", ("my:Norm",), ("my:Norm@2",), 1)
    rows = rows_of("my:Norm")
    files.keep(tmp_path, job, rows)
    assert files.kept(tmp_path, job) == rows
    assert files.kept(tmp_path, edited) is None
    files.write(tmp_path, rows, SETTING)
    assert files.kept(tmp_path, job) is None


def test_a_process_that_fails_ends_the_comparison_and_says_why():
    job = Job("training", "no_such_backend", "quick", ("layer",), ("layer",), 1)
    with pytest.raises(JobFailed, match=r"training of layer: .*no_such_backend"):
        run_all([job], lambda job: None, lambda job, rows: None)


def test_the_plan_is_that_of_the_page():
    measures = {each.measure for each in FULL.trainings()}
    assert measures == {"row", "rate", "initial scale", "batch size", "depth"}
    assert len(FULL.seeds) == 3
    assert (FULL.batch_sizes[0], FULL.batch_sizes[-1]) == (2, 128)
    sized = [each for each in FULL.trainings() if each.measure == "batch size"]
    configs = [each.composition(Candidate("layer"), "jax").config for each in sized]
    assert {config.batch_size * config.train_steps for config in configs} == {12_800}
    ratios = [config.learning_rate / config.batch_size for config in configs]
    np.testing.assert_allclose(ratios, ratios[0])


class _Few(Plan):
    """Two networks of one program."""

    def trainings(self):
        for seed, rate in ((0, 0.5), (3, 0.05)):
            words = (*MLP, f"learning_rate={rate}", "dropout=0.2")
            yield training.Training("rate", f"{rate:g}", words, seed)


FEW = _Few(*(getattr(QUICK, name) for name in QUICK.__dataclass_fields__))


def test_networks_that_take_turns_train_as_each_would_by_itself():
    _, second = training.train(Candidate("batch"), FEW, "tensorflow")
    *_, last = FEW.trainings()
    recipe = last.composition(Candidate("batch"), "tensorflow").config.accelerated()
    engine = training.build(recipe)
    alone = [(0, training.evaluate(engine, recipe)[1])]
    for stop in (10, 20):
        engine.train(stop - 10, stop)
        alone.append((stop, training.evaluate(engine, recipe)[1]))
    assert [(point.step, point.accuracy) for point in second] == alone
    assert {point.seed for point in second} == {3}


def test_what_has_no_such_network_is_refused_with_the_reason():
    answers = list(training.train(Candidate("instance"), FEW, "tensorflow"))
    assert [type(row) for answer in answers for row in answer] == [Refusal, Refusal]
    assert "one value per example" in answers[0][0].reason


@pytest.mark.parametrize("name", ["batch", "l1_norm"])
def test_a_published_page_is_what_its_rows_say(name, tmp_path, capsys):
    published = Path(__file__).parent.parent / "results" / "published" / "compare" / name
    folder = tmp_path / "compare" / name
    shutil.copytree(published, folder, ignore=shutil.ignore_patterns("page.html", "comparison.csv"))
    setting = files.setting_of(published)
    subject, *others = setting["normalizations"]
    words = ["compare", subject, "--against", ",".join(others), f"backend={setting['backend']}"]
    words += ["--quick"] if setting["plan"] == "quick" else []
    assert main([*words, f"results_dir={tmp_path}"]) == 0
    assert capsys.readouterr().out == f"{folder / 'page.html'}\n"
    for file in ("page.html", "comparison.csv"):
        assert (folder / file).read_bytes() == (published / file).read_bytes()
    assert (folder / "page.html").stat().st_size < 1_000_000


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["compare"], "expected one normalization"),
        (["compare", "batch", "layer"], "the others stand in --against"),
        (["compare", "bach"], "did you mean 'batch'"),
        (["compare", "batch", "--against", "layer,,none"], "expected"),
        (["compare", "batch", "seed=1"], "takes only backend, results_dir, force"),
    ],
)
def test_bad_words_are_refused_at_once(words, message, capsys):
    assert main(words) == 2
    assert message in capsys.readouterr().err


def compare(folder: Path, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "bnrepro", "compare", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        check=True,
    )
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGUSR2, 140)]
)
def test_a_signal_ends_the_processes_too(number, code, tmp_path):
    command = [sys.executable, "-m", "bnrepro", "compare", "none", "--against", "layer", "--quick"]
    started = subprocess.Popen(
        command,
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    children = Path(f"/proc/{started.pid}/task")
    while not (workers := _children(children)):
        time.sleep(0.1)
    started.send_signal(number)
    _, said = started.communicate()
    assert (started.returncode, said.splitlines()[-1][:7]) == (code, "stopped")
    assert not [worker for worker in workers if Path(f"/proc/{worker}").exists()]


def _children(tasks: Path) -> list[str]:
    """The processes that any thread of a process has started."""
    return [child for task in tasks.glob("*/children") for child in task.read_text().split()]


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_a_normalization_of_ones_own_is_compared_and_the_page_remade(backend, tmp_path):
    (tmp_path / "my_norms.py").write_text(NORMS)
    words = ("my_norms:RMSNorm", "--against", "batch,none", "--quick", f"backend={backend}")
    said = compare(tmp_path, *words)
    folder = tmp_path / "results" / "compare" / "RMSNorm"
    assert said.splitlines()[-1] == "results/compare/RMSNorm/page.html"
    with (folder / "comparison.csv").open() as file:
        rows = {row["normalization"]: row for row in csv.DictReader(file)}
    assert list(rows) == ["my_norms:RMSNorm", "batch", "none"]
    own = rows["my_norms:RMSNorm"]
    # What the formula x / sqrt(mean(x^2) + epsilon), over units, says.
    assert own["weights_scaled"] == own["example_scaled"] == own["gradient_to_inputs"] == "yes"
    assert own["inputs_shifted"] == own["unit_scaled"] == "no"
    assert own["statistics_over"] == "units (vectors); channels (feature maps)"
    assert own["epsilon"] == "1e-05 to the variance"
    assert all(float(row["inception_milliseconds_per_step"]) > 0 for row in rows.values())
    assert all(float(row["bn_baseline_best_accuracy"]) > 0.3 for row in rows.values())
    before = (folder / "page.html").read_text()
    (folder / "page.html").unlink()
    assert "done" not in compare(tmp_path, *words)
    assert (folder / "page.html").read_text() == before
