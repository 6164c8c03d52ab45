"""Features and the error surface, from what `bnrepro laboratory error_surface` has left."""

from dataclasses import astuple

from bnrepro.exhibits.error_surface import claims, scales
from bnrepro.exhibits.error_surface.claims import STUDY
from bnrepro.exhibits.exhibit import Exhibit, Table
from bnrepro.records import laboratory
from bnrepro.verdicts.verdict import COLUMNS, Verdict


def exhibit(results_dir: str) -> Exhibit:
    """E1 to E3 from the tables below `results_dir`.

    Raises:
        ConfigError: if the study was not computed there.
        RecordError: if its record or a table cannot be read.
    """
    record = laboratory.read(results_dir, STUDY)
    found = claims.tables(results_dir)
    seeds = found["scales"]["seed"].nunique()
    return Exhibit(
        name=STUDY,
        title="Error surface",
        setting=f"a linear unit with least squares, n = {seeds} samples",
        findings=scales.findings(found),
        commands=[laboratory.command(STUDY), f"bnrepro figure {STUDY}"],
        missing=[],
        drawings=[scales.drawing(found)],
        tables=[_verdicts(claims.verdicts(found))],
        series=[],
        computed=record,
    )


def _verdicts(verdicts: list[Verdict]) -> Table:
    rows = [astuple(verdict) for verdict in verdicts]
    return Table("verdicts", COLUMNS, rows, "Verdicts, by criteria that were fixed beforehand.")
