"""What is published comes out of the committed records again."""

import csv
import io
import json
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from pages import README, RESULTS
from redraw import calculated_with

from bnrepro.config import ConfigError
from bnrepro.config.study import plan
from bnrepro.drawing.inline import PANEL_SIZE
from bnrepro.drawing.style import build
from bnrepro.exhibits import making
from bnrepro.exhibits.claims import LABORATORY, STUDIES
from bnrepro.experiments import EXPERIMENTS as KNOWN
from bnrepro.lab.exact import EXACT_CLAIMS
from bnrepro.paper import CLAIMS
from bnrepro.verdicts.verdict import COLUMNS, count_outcomes

ROOT = Path(__file__).parent.parent


def bnrepro(*words, cwd=ROOT):
    command = [sys.executable, "-m", "bnrepro", *words]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=True).stdout


def shown_tables():
    """(command, the text that follows it) of every table on the page of results."""
    parts = RESULTS.read_text().split("\n`bnrepro table ")[1:]
    return [(part.split("`")[0], part.split("`\n\n", 1)[1]) for part in parts]


def published_verdicts(part="claims"):
    with (ROOT / "results" / "published" / part / "verdicts.csv").open() as file:
        header, *rows = csv.reader(file)
    assert tuple(header) == COLUMNS
    return rows


def first_runs():
    """The words of each `bnrepro run` and `sweep` that README or Makefile let a newcomer type."""
    text = README.read_text() + (ROOT / "Makefile").read_text()
    return set(re.findall(r"bnrepro (?:run|sweep)( [^-$`\n]+)$", text, re.MULTILINE))


@pytest.mark.parametrize("words", sorted(first_runs()))
def test_the_first_run_in_a_clone_trains(words):
    records = [str(run.directory / "record.json") for run in plan(shlex.split(words))]
    listed = subprocess.run(
        ["git", "ls-files", *records], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode:
        pytest.skip("not a git clone")
    assert listed.stdout == ""


@pytest.mark.parametrize(("words", "text"), shown_tables(), ids=lambda value: value[:20])
def test_a_table_is_what_its_command_prints(words, text):
    assert text.startswith(bnrepro("table", *shlex.split(words)).strip())


def test_the_figures_of_the_bench_are_those_of_its_file():
    section = RESULTS.read_text().split("\n## How fast\n")[1].split("\n## ")[0]
    (file,) = re.findall(r"\[everything it measured\]\((\S+?)\)", section)
    (table,) = re.findall(r"(?:^\|.*\n)+", section, re.MULTILINE)
    assert table in (RESULTS.parent / file).read_text()


@pytest.fixture(scope="module", params=making.every_part(), ids=lambda part: part.name)
def exhibit(request):
    """Each part of each figure, made of the committed records."""
    try:
        return request.param.make(str(ROOT / "results" / "published"))
    except ConfigError as error:
        pytest.skip(str(error))


def test_the_page_of_results_quotes_the_findings_of_each_figure(exhibit):
    page = RESULTS.read_text()
    assert [finding for finding in exhibit.findings if f"\n- {finding}\n" not in page] == []


@pytest.mark.parametrize("page", [README, RESULTS], ids=["README", "results"])
def test_below_a_drawing_stands_what_its_lines_and_bands_are(page, exhibit):
    for drawing in exhibit.drawings:
        file = rf"\((?:results/published/)?{exhibit.name}/{drawing.name}.png\)"
        shown = re.search(rf"!\[.*?\]{file}\n\n(.*)", page.read_text())
        assert shown is None or shown[1] == f"*{drawing.caption}*"


def test_every_figure_is_shown_on_the_page_of_results(exhibit):
    files = [f"]({exhibit.name}/{drawing.name}.png)" for drawing in exhibit.drawings[:1]]
    assert [file for file in files if file not in RESULTS.read_text()] == []


def test_the_readme_has_our_factors_and_the_papers_side_by_side():
    made = making.exhibit("2", str(ROOT / "results" / "published"))
    (table,) = [table for table in made.tables if table.name == "factors"]
    share = table.rows[0].share_of_best
    lines = [
        f"| {KNOWN[row.experiment].label} | {ours(row)} | {row.paper_factor:.1f} |"
        for row in table.rows
        if row.share_of_best == share
    ]
    assert "\n".join(lines) in README.read_text()
    said = f"{table.rows[0].target_accuracy:.0%}, {share:.0%} of Inception's best".replace(
        "%", " %"
    )
    assert said in README.read_text()


def ours(row):
    if row.relation != "=":
        return f"{'less' if row.relation == '<' else 'more'} than {row.factor:.1f}"
    return f"{row.factor:.1f} ({row.factor_low:.1f} to {row.factor_high:.1f})"


def test_no_word_of_a_published_drawing_is_cut_off(exhibit):
    for panel in (panel for drawing in exhibit.drawings for panel in drawing.panels):
        page = build([panel], [[panel.name]], size=PANEL_SIZE)
        page.draw_without_rendering()
        right = page.bbox.x1 + 1
        words = page.axes[0].texts
        cut = [word.get_text() for word in words if word.get_window_extent().x1 > right]
        assert (panel.name, cut) == (panel.name, [])


def test_no_diamond_of_a_published_drawing_is_hidden(exhibit):
    for panel in (panel for drawing in exhibit.drawings for panel in drawing.panels):
        axes = build([panel], [[panel.name]]).axes[0]
        single = [
            line for line in axes.lines if line.get_marker() == "D" and len(line.get_xdata()) == 1
        ]
        drawn = [
            (line.get_xdata()[0], line.get_ydata()[0], line.get_markersize()) for line in single
        ]
        assert (panel.name, len(set(drawn))) == (panel.name, len(drawn))


@pytest.mark.parametrize("part", ["claims", "laboratory"])
def test_the_page_of_results_counts_the_published_verdicts(part):
    verdicts = (dict(zip(COLUMNS, row, strict=True)) for row in published_verdicts(part))
    lines = count_outcomes((row["claim"], row["group"], row["verdict"]) for row in verdicts)
    assert "\n" + "".join(f"- {line}\n" for line in lines) in RESULTS.read_text()


# Made by hand, by long measurements or experiments of their own, or left there by runs at work;
# `compare` is made again in `test_comparison.py`.
NOT_REBUILT = {
    "runs", ".locks", "bench", "resilience", "verification", "laboratory", "compare",
}  # fmt: skip


def files_of(results):
    """Below each folder that is rebuilt, by their place; what is written by hand is left out."""
    return {
        path.relative_to(results): path.read_bytes()
        for part in results.iterdir()
        if part.name not in NOT_REBUILT
        for path in (part.iterdir() if part.is_dir() else [part])
        if path.name not in ("README.md", "NOTES.md", "PLAN.md")
    }


# Kinds of processors: OpenBLAS's kernels for them, the features that they lack, by their names in
# NumPy, and the most that XLA may use.
PROCESSORS = {
    "with AVX2": ("Haswell", "AVX512|V4", "AVX2"),
    "with AVX": ("Sandybridge", "AVX512|V4|AVX2|FMA|V3", "AVX"),
    "with SSE4.2": ("Nehalem", "AVX|F16C|FMA|V3|V4", "SSE4_2"),
}


def calculating_like(processor):
    """The environment in which a process calculates like that kind of processor."""
    if processor == "this one":
        return dict(os.environ)
    if platform.machine() not in ("x86_64", "AMD64"):
        pytest.skip("this processor cannot be told to calculate like another one")
    kernels, lacking, most = PROCESSORS[processor]
    lacked = [name for name in calculated_with()["features"] if re.search(lacking, name)]
    return {
        **os.environ,
        "OPENBLAS_CORETYPE": kernels,
        "NPY_DISABLE_CPU_FEATURES": " ".join(lacked),
        "XLA_FLAGS": f"--xla_cpu_max_isa={most}",
    }


def redraw(folder, processor):
    """Draw all that is published below `folder`, as that kind of processor calculates."""
    environment = calculating_like(processor)
    command = [sys.executable, str(ROOT / "tests" / "redraw.py")]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=True
    )
    used = json.loads(done.stdout)
    if processor != "this one":
        assert used["kernels"] == [environment["OPENBLAS_CORETYPE"]]
        assert not set(environment["NPY_DISABLE_CPU_FEATURES"].split()) & set(used["features"])


# The gate asks it of this processor (`make check`).
@pytest.mark.slow
@pytest.mark.parametrize("processor", ["this one", *PROCESSORS])
def test_rebuilding_from_the_records_changes_no_byte(processor, tmp_path):
    results = tmp_path / "results" / "published"
    (results / "claims").mkdir(parents=True)
    for records in ("runs", "laboratory"):
        (results / records).symlink_to(ROOT / "results" / "published" / records)
    for table in (ROOT / "results" / "published" / "claims").glob("*.csv"):
        shutil.copy(table, results / "claims")
    for notes in (ROOT / "results" / "published").glob("*/NOTES.md"):
        (results / notes.parent.name).mkdir()
        shutil.copy(notes, results / notes.parent.name)
    redraw(tmp_path, processor)
    published, made = files_of(ROOT / "results" / "published"), files_of(results)
    assert sorted(published) == sorted(made)
    assert [str(place) for place in made if made[place] != published[place]] == []


@pytest.mark.parametrize("study", dict.fromkeys(each.study for each in LABORATORY.values()))
def test_the_verdicts_of_the_laboratory_follow_from_its_tables(study):
    path = RESULTS.parent / study / "verdicts.csv"
    if not path.is_file():
        pytest.skip(f"{study} is not published yet")
    with path.open() as file:
        published = list(csv.reader(file))
    claims = [claim for claim, judged in LABORATORY.items() if judged.study == study]
    place = f"results_dir={RESULTS.parent}"
    printed = bnrepro("claims", *claims, "--format", "csv", place)
    verdicts = list(csv.reader(io.StringIO(printed)))
    # A claim may be judged by the runs of another exhibit, too.
    elsewhere = [row for row in verdicts if row not in published]
    assert sorted(row for row in verdicts if row in published) == sorted(published)
    others = [read for file in RESULTS.parent.glob("*/verdicts.csv") if file != path
              for read in csv.reader(file.read_text().splitlines())]  # fmt: skip
    assert [row for row in elsewhere if row not in others] == []


def test_the_verdicts_from_the_records_are_the_published_ones():
    of_paper = [each.identifier for each in CLAIMS if each.identifier in STUDIES]
    of_records = [row for row in published_verdicts() if row[0] in of_paper]
    printed = bnrepro("claims", *of_paper, "--format", "csv")
    assert list(csv.reader(io.StringIO(printed)))[1:] == of_records


@pytest.mark.parametrize(
    ("claim", "exhibit"),
    [
        ("A1", "noisy_batch"),
        ("A2", "smoothness"),
        ("A3", "covariate_shift"),
        ("D6", "weight_normalization"),
    ],
)
def test_the_verdicts_on_trained_studies_of_the_laboratory_are_the_published_ones(claim, exhibit):
    path = RESULTS.parent / exhibit / "verdicts.csv"
    if not path.is_file():
        pytest.skip(f"{exhibit} is not published yet")
    with path.open() as file:
        published = list(csv.reader(file))
    printed = bnrepro("claims", claim, "--format", "csv", f"results_dir={RESULTS.parent}")
    assert sorted(csv.reader(io.StringIO(printed))) == sorted(published)


@pytest.mark.slow
@pytest.mark.parametrize("processor", ["this one", "with AVX2", "with SSE4.2"])
def test_the_experiments_give_the_published_bytes(processor, tmp_path):
    command = [sys.executable, "-m", "bnrepro", "claims", *EXACT_CLAIMS, "--format", "csv"]
    environment = calculating_like(processor)
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    of_experiments = [row for row in published_verdicts() if row[0] in EXACT_CLAIMS]
    assert list(csv.reader(io.StringIO(done.stdout)))[1:] == of_experiments
    tables = sorted((tmp_path / "results" / "claims").glob("*.csv"))
    assert len(tables) == 6
    for table in tables:
        published = ROOT / "results" / "published" / "claims" / table.name
        assert (table.name, table.read_text()) == (table.name, published.read_text())


@pytest.mark.slow
@pytest.mark.parametrize("processor", ["this one", "with AVX2", "with SSE4.2"])
def test_the_laboratory_gives_the_published_bytes(processor, tmp_path):
    command = [sys.executable, "-m", "bnrepro", "claims", "lab"]
    environment = calculating_like(processor)
    subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, check=True)
    made = (tmp_path / "results" / "laboratory" / "verdicts.csv").read_text()
    assert made == (ROOT / "results" / "published" / "laboratory" / "verdicts.csv").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("processor", ["this one", "with AVX2"])
# The studies that train take minutes, and their last digits are those of a kind of processor.
@pytest.mark.parametrize("study", ["error_surface"])
def test_the_laboratory_computes_the_published_tables(study, processor, tmp_path):
    command = [sys.executable, "-m", "bnrepro", "laboratory", study]
    environment = calculating_like(processor)
    subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, check=True)
    published = ROOT / "results" / "published" / "laboratory" / study
    made = tmp_path / "results" / "laboratory" / study
    assert sorted(path.name for path in made.iterdir()) == sorted(
        path.name for path in published.iterdir()
    )
    for table in made.glob("*.csv"):
        rows, expected = (
            list(csv.reader(io.StringIO((folder / table.name).read_text())))
            for folder in (made, published)
        )
        if table.name == "images.csv":
            # Data sets that are not here have no rows.
            expected = [row for row in expected if row[0] in {one[0] for one in rows}]
        if table.name == "optimizers.csv":
            # RMSprop paces around the minimum: rounding decides at which step it comes to stay.
            steps, known = ([float(row.pop()) for row in each[1:]] for each in (rows, expected))
            assert steps == pytest.approx(known, rel=0.01, nan_ok=True)
        assert (table.name, rows) == (table.name, expected)
