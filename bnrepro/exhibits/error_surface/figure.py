"""Features and the error surface, from what `bnrepro laboratory error_surface` has left."""

from importlib import resources

from bnrepro.exhibits.computed import Tables, Told
from bnrepro.exhibits.error_surface import correlation, optimizers, paths, scales
from bnrepro.exhibits.error_surface.claims import JUDGED
from bnrepro.records.laboratory import LaboratoryRecord

# In the order in which the argument is told.
_PICTURES = (scales, correlation, paths, optimizers)


@JUDGED.exhibited
def exhibit(_record: LaboratoryRecord, found: Tables) -> Told:
    """E1 to E3, from the study's tables."""
    seeds = found["scales"]["seed"].nunique()
    return Told(
        title="Error surface",
        setting=f"a linear unit with least squares, n = {seeds} samples",
        findings=[finding for each in _PICTURES for finding in each.findings(found)],
        drawings=[each.drawing(found) for each in _PICTURES],
        tables=[correlation.table(found)],
        pages={"interactive.html": _page()},
    )


def _page() -> str:
    """E4: the surface with sliders, a page that needs nothing but itself."""
    folder = resources.files("bnrepro.exhibits.error_surface")
    return folder.joinpath("interactive.html").read_text(encoding="utf-8")
