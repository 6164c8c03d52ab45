"""Features and the error surface, from what `bnrepro laboratory error_surface` has left."""

from importlib import resources

from bnrepro.exhibits.computed import verdict_table
from bnrepro.exhibits.error_surface import correlation, optimizers, paths, scales
from bnrepro.exhibits.error_surface.claims import JUDGED, STUDY
from bnrepro.exhibits.exhibit import Exhibit
from bnrepro.records import laboratory
from bnrepro.verdicts.reasons import reasons_for

# In the order in which the argument is told.
_PICTURES = (scales, correlation, paths, optimizers)


def exhibit(results_dir: str) -> Exhibit:
    """E1 to E3 from the tables below `results_dir`.

    Raises:
        ConfigError: if the study was not computed there.
        RecordError: if its record or a table cannot be read.
    """
    record = laboratory.read(results_dir, STUDY)
    found = JUDGED.tables(results_dir)
    verdicts = JUDGED.verdicts(found)
    seeds = found["scales"]["seed"].nunique()
    return Exhibit(
        name=STUDY,
        title="Error surface",
        setting=f"a linear unit with least squares, n = {seeds} samples",
        findings=[finding for each in _PICTURES for finding in each.findings(found)],
        commands=[laboratory.command(STUDY), f"bnrepro figure {STUDY}"],
        missing=[],
        drawings=[each.drawing(found) for each in _PICTURES],
        tables=[verdict_table(verdicts), correlation.table(found)],
        series=[],
        computed=record,
        reasons=reasons_for(verdicts),
        pages={"interactive.html": _page()},
    )


def _page() -> str:
    """E4: the surface with sliders, a page that needs nothing but itself."""
    folder = resources.files("bnrepro.exhibits.error_surface")
    return folder.joinpath("interactive.html").read_text(encoding="utf-8")
