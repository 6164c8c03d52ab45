"""Features and the error surface, from what `bnrepro laboratory error_surface` has left."""

from dataclasses import astuple

from bnrepro.exhibits.error_surface import claims, scales
from bnrepro.exhibits.error_surface.claims import STUDY
from bnrepro.exhibits.exhibit import Exhibit, Table
from bnrepro.records import laboratory
from bnrepro.verdicts.verdict import COLUMNS


def exhibit(results_dir: str) -> Exhibit:
    """E1 from the tables below `results_dir`.

    Raises:
        ConfigError: if the study was not computed there.
        RecordError: if its record or a table cannot be read.
    """
    record = laboratory.read(results_dir, STUDY)
    scale, mean, batches = (
        laboratory.read_table(results_dir, STUDY, name)
        for name in ("scales", "means", "mini_batches")
    )
    return Exhibit(
        name=STUDY,
        title="Error surface",
        setting=f"a linear unit with least squares, n = {scale['seed'].nunique()} samples",
        findings=scales.findings(scale, mean),
        commands=[laboratory.command(STUDY), f"bnrepro figure {STUDY}"],
        missing=[],
        drawings=[scales.drawing(scale, mean, batches)],
        tables=[_verdicts(results_dir)],
        series=[],
        computed=record,
    )


def _verdicts(results_dir: str) -> Table:
    rows = [astuple(verdict) for verdict in claims.verdicts(results_dir)]
    return Table("verdicts", COLUMNS, rows, "Verdicts, by criteria that were fixed beforehand.")
