"""The laboratory's records: where they are read, what is judged by them, what the report tells."""

import shutil
from pathlib import Path

import pandas as pd
import pytest

from bnrepro import cli
from bnrepro.exhibits import making
from bnrepro.exhibits.claims import LABORATORY
from bnrepro.exhibits.error_surface import claims
from bnrepro.lab.studies import STUDIES
from bnrepro.report import why_it_works

PUBLISHED = Path(__file__).parent.parent / "results" / "published"
STUDY = "error_surface"


@pytest.fixture
def results(tmp_path, monkeypatch):
    """A person's folder with the published tables, copied."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(PUBLISHED / "laboratory", tmp_path / "results" / "laboratory")
    return tmp_path / "results"


@pytest.fixture(scope="module")
def tables():
    return claims.JUDGED.tables(str(PUBLISHED))


def test_what_is_computed_is_drawn_and_has_a_record():
    drawn = {one.computed for one in making.EXHIBITS.values() if one.computed}
    published = {path.parent.name for path in (PUBLISHED / "laboratory").glob("*/record.json")}
    assert published <= drawn == set(STUDIES)


def test_a_study_that_was_not_computed_is_said_with_its_command(tmp_path, capsys):
    place = f"results_dir={tmp_path}"
    assert cli.main(["figure", STUDY, place]) == 2
    command = f"do it with: bnrepro laboratory {STUDY} {place}"
    assert command in capsys.readouterr().err
    assert cli.main(["claims", "E2", place]) == 0
    shown = capsys.readouterr().out
    assert f"bnrepro laboratory {STUDY} {place}" in shown and "6 inconclusive" in shown
    assert command in why_it_works.section(str(tmp_path)).body


def test_ones_own_tables_come_before_the_published_ones(results, capsys):
    assert making.folder_to_read([STUDY]) == "results"
    (results / "laboratory" / STUDY / "record.json").unlink()
    assert making.folder_to_read([STUDY]) == "results/published"
    said = capsys.readouterr().err
    assert "reading results, which has error_surface" in said
    assert "reading results/published: error_surface is not below results" in said


@pytest.mark.parametrize("name", ["record.json", "noise.csv"])
def test_a_file_that_cannot_be_read_is_named(name, results, capsys):
    (results / "laboratory" / STUDY / name).write_text("")
    assert cli.main(["figure", STUDY]) == 2
    assert f"{STUDY}/{name}: cannot be read" in capsys.readouterr().err


def test_every_claim_of_the_laboratory_has_a_verdict(tables):
    found = claims.JUDGED.verdicts(tables)
    assert {verdict.claim for verdict in found} == set(claims.JUDGED.claims) <= set(LABORATORY)
    assert len(found) == len(claims.CRITERIA)
    assert {verdict.group for verdict in found} == {"laboratory"}


def failed(tables):
    """The criteria that are not met."""
    found = zip(claims.CRITERIA, claims.JUDGED.verdicts(tables), strict=True)
    return {key for key, verdict in found if verdict.verdict != "reproduced"}


def as_if(rows, normalization, other):
    """The table as if one normalization were another: its mechanism taken out."""
    kept = rows[rows["normalization"] != normalization]
    copied = rows[rows["normalization"] == other].assign(normalization=normalization)
    return pd.concat([kept, copied])


@pytest.mark.parametrize(
    ("table", "normalization", "other", "expected"),
    [
        ("scales", "batch normalization", "raw", {"E1.batch_normalization"}),
        ("scales", "standardized", "raw", {"E1.standardized", "E1.batch_normalization"}),
        ("means", "standardized", "raw", {"E1.mean", "E1.batch_normalization"}),
        ("correlation", "ZCA", "standardized", {"E2.whitened"}),
        ("correlation", "batch normalization", "ZCA", {"E2.batch_normalization"}),
        ("distances", "ZCA", "PCA", {"E2.closest"}),
        ("surfaces", "whitened", "standardized", {"E3.order"}),
    ],
)
def test_a_normalization_that_does_nothing_fails(table, normalization, other, expected, tables):
    changed = as_if(tables[table], normalization, other)
    assert failed({**tables, table: changed}) - failed(tables) == expected


@pytest.mark.parametrize(
    ("table", "column", "change", "expected"),
    [
        ("scales", "counted_steps", lambda steps: steps + 2, {"E1.count"}),
        ("scales", "loss_above", lambda loss: 0.9 + 0 * loss, {"E1.above"}),
        ("scales", "loss_below", lambda loss: 1.1 + 0 * loss, {"E1.below"}),
        ("mini_batches", "difference", lambda off: 1.1 * off, {"E1.law"}),
        ("noise", "squared_error", lambda error: 1.1 * error, {"E3.floor", "E3.decay"}),
    ],
)
def test_numbers_that_are_off_fail(table, column, change, expected, tables):
    changed = tables[table].assign(**{column: change(tables[table][column])})
    assert failed({**tables, table: changed}) - failed(tables) == expected


@pytest.mark.slow
def test_the_report_tells_it_and_links_the_page_with_sliders(results):
    section = why_it_works.section(str(results))
    made = making.exhibit(STUDY, str(results))
    told = [section.body.index(drawing.lead[0][:40]) for drawing in made.drawings]
    assert told == sorted(told)
    assert f'href="{STUDY}/interactive.html"' in section.body
    assert (results / STUDY / "interactive.html").read_text() == made.pages["interactive.html"]
    assert "s of a core, on AMD EPYC" in section.body
    assert section.findings == made.findings
    assert [reason for reason in made.reasons if reason not in section.body] == []
