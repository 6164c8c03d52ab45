"""Which folder of results a command reads where none is named."""

from pathlib import Path

import pytest
from hand_made_records import HandMade, write_run

from bnrepro import cli
from bnrepro.config import ConfigError, study
from bnrepro.records.study_records import PUBLISHED, RESULTS, folder_to_read

STUDY = ("rows", ["scale=smoke"])


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def leave(folder, name, *overrides, status="completed", number=None):
    """Records of a study's runs below a folder."""
    for run in study.planned_runs(name, overrides)[:number]:
        percentiles = (lambda unit, step: (0.0, 1.0, 2.0)) if name == "figure_1" else None
        made = HandMade(lambda step: 0.6 if step else 0.1, status=status, percentiles=percentiles)
        write_run(Path(folder), run.composition, made)


def test_own_records_of_the_study_come_first(capsys):
    leave(PUBLISHED, "rows", "scale=smoke")
    leave(RESULTS, "rows", "scale=smoke", number=1)
    assert folder_to_read([STUDY]) == RESULTS
    assert capsys.readouterr().err == "reading results, which has runs of study=rows\n"


def test_without_own_records_of_the_study_the_published_ones_are_read(capsys):
    leave(PUBLISHED, "rows", "scale=smoke")
    leave(RESULTS, "placement", number=1)
    assert folder_to_read([STUDY]) == PUBLISHED
    assert capsys.readouterr().err == (
        "reading results/published: no finished run of study=rows is below results\n"
    )


@pytest.mark.parametrize("status", ["failed", "interrupted"])
def test_runs_that_have_not_finished_do_not_count(status):
    leave(PUBLISHED, "rows", "scale=smoke", number=1)
    leave(RESULTS, "rows", "scale=smoke", status=status)
    assert folder_to_read([STUDY]) == PUBLISHED


def test_a_study_at_another_scale_is_another_one():
    leave(PUBLISHED, "rows", "scale=smoke", number=1)
    leave(RESULTS, "rows", "scale=cpu")
    assert folder_to_read([STUDY]) == PUBLISHED


def test_one_of_several_studies_is_enough():
    leave(PUBLISHED, "rows", "scale=smoke", number=1)
    leave(RESULTS, "placement", number=1)
    assert folder_to_read([STUDY, ("placement", [])]) == RESULTS


def test_where_nothing_is_published_one_line_says_so():
    with pytest.raises(ConfigError) as refused:
        folder_to_read([STUDY])
    assert str(refused.value) == (
        "no finished run of study=rows is below results, and results/published is not here: it "
        "comes with a clone of the project; train with: bnrepro sweep study=rows scale=smoke, or "
        "name a folder with results_dir=FOLDER"
    )


COMMANDS = [
    ["figure", "1"],
    # The whole page takes some seconds to draw.
    pytest.param(["report"], marks=pytest.mark.slow),
    ["table", "study=figure_1", "--reference", "figure_1_plain"],
]


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: words[0])
def test_a_command_reads_the_published_records_and_writes_beside_them(words, capsys):
    leave(PUBLISHED, "figure_1")
    assert cli.main(words) == 0
    assert capsys.readouterr().err.startswith("reading results/published: no finished run")
    assert [path.name for path in Path(RESULTS).iterdir()] == ["published"]


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: words[0])
def test_a_command_reads_own_records_and_writes_beside_them(words, capsys):
    leave(PUBLISHED, "figure_1", number=1)
    leave(RESULTS, "figure_1")
    assert cli.main(words) == 0
    assert capsys.readouterr().err.startswith("reading results, which has runs of study=figure_1")
    assert [path.name for path in Path(PUBLISHED).iterdir()] == ["runs"]


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: words[0])
def test_a_command_reads_the_folder_that_is_named(words, capsys):
    leave("named", "figure_1")
    leave(RESULTS, "figure_1", number=1)
    assert cli.main([*words, "results_dir=named"]) == 0
    assert not capsys.readouterr().err.startswith("reading")
    assert [path.name for path in Path(RESULTS).iterdir()] == ["runs"]


@pytest.mark.parametrize("words", [["figure", "1"], ["report"], ["table", "study=figure_1"]])
def test_a_command_without_any_records_is_refused_in_one_line(words, capsys):
    assert cli.main(words) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("bnrepro: no finished run of study=figure_1")
    assert not Path(RESULTS).exists()


def test_claims_are_tested_on_published_records(capsys):
    leave(PUBLISHED, "figure_1")
    assert cli.main(["claims", "C12", "--format", "csv"]) == 0
    captured = capsys.readouterr()
    assert captured.err.startswith("reading results/published")
    assert "not evaluated" not in captured.out
    assert (Path(PUBLISHED) / "claims").is_dir() and not (Path(RESULTS) / "claims").exists()


def test_claims_without_any_records_say_which_command_makes_them(capsys):
    assert cli.main(["claims", "C12", "--format", "csv"]) == 0
    captured = capsys.readouterr()
    assert captured.err.startswith("no finished run of study=figure_1 is below results")
    assert "bnrepro sweep study=figure_1" in captured.out


@pytest.mark.parametrize(
    "words",
    [["table", "figure_1_bn"], ["table"], ["ensemble", "figure_1_bn"], ["tensorboard"]],
    ids=" ".join,
)
def test_what_is_asked_for_by_name_is_never_looked_up_in_what_is_published(words, capsys):
    leave(PUBLISHED, "figure_1")
    assert cli.main(words) == 2
    assert "published" not in capsys.readouterr().err
