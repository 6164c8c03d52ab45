"""The records of a study: those that belong to it, and the line about what is missing."""

from pathlib import Path

import pytest
from hand_made_records import HandMade, write_run

from bnrepro.config import ConfigError, study
from bnrepro.records import study_records
from bnrepro.records.loading import read_runs


def write_all(results: Path, statuses: list[str]) -> None:
    """The first runs of the study `rows`, which is five networks, with these statuses."""
    planned = study.planned_runs("rows", ["scale=smoke"])
    for run, status in zip(planned, statuses, strict=False):
        diverged_at_step = 150 if status == "diverged" else None
        made = HandMade(lambda step: 0.5, status=status, diverged_at_step=diverged_at_step)
        write_run(results, run.composition, made)


def find(results: Path) -> study_records.StudyRecords:
    return study_records.find("rows", read_runs(results), str(results), ["scale=smoke"])


def test_runs_of_other_studies_are_left_out(tmp_path: Path) -> None:
    write_all(tmp_path, ["completed"] * 5)
    (other,) = study.plan(["model=mlp"])
    write_run(tmp_path, other.composition, HandMade(lambda step: 0.5))
    found = find(tmp_path)
    assert other.name not in set(found.runs["name"])
    assert len(found.runs) == 5
    assert found.missing == ""


def test_what_has_not_finished_is_missing_but_there(tmp_path: Path) -> None:
    write_all(tmp_path, ["completed", "diverged", "failed", "interrupted"])
    found = find(tmp_path)
    assert len(found.runs) == 4
    assert found.missing == (
        "study=rows: 3 of 5 runs are missing (bn_x5-smoke seed 0; bn_x30-smoke seed 0; "
        "bn_x5_sigmoid-smoke seed 0); begun: bn_x30-smoke seed 0 interrupted at step 400; "
        "make them with: "
        f"bnrepro sweep study=rows scale=smoke results_dir={tmp_path}"
    )
    assert found.command == "bnrepro sweep study=rows scale=smoke"


@pytest.mark.parametrize("statuses", [[], ["failed", "interrupted"]])
def test_a_study_none_of_whose_runs_has_finished_is_refused(
    statuses: list[str], tmp_path: Path
) -> None:
    write_all(tmp_path, statuses)
    with pytest.raises(ConfigError, match="none of its 5 runs.*bnrepro sweep study=rows"):
        find(tmp_path)
