"""`bnrepro report`: all exhibits on one page that needs nothing but itself.

`sections`, `own_runs`, `tested_claims` and `why_it_works`: the parts of the page. `markup`: tables
and drawings as HTML. `deviations`: the configs against the paper's settings. `provenance`: the
runs, their machine and their time.
"""

from pathlib import Path

from markupsafe import Markup

from bnrepro.config.study import DEFAULT_SCALE
from bnrepro.drawing.inline import page
from bnrepro.exhibits import EXHIBITS, making
from bnrepro.records.loading import reading_once
from bnrepro.records.record import write_atomically
from bnrepro.report import deviations, markup, own_runs, sections, tested_claims, why_it_works


def main(results_dir: str | None = None) -> int:
    """Write the exhibits, `report.html` with all of them and `deviations.md` below `results_dir`.

    Without `results_dir` the records are those of `making.folder_to_read`.

    Raises:
        ConfigError: if no folder is named and there are no records.
        RecordError: if a record cannot be read.
    """
    if results_dir is None:
        results_dir = making.folder_to_read(EXHIBITS)
        own_runs.say_where(results_dir)
    text = build(results_dir)
    folder = Path(results_dir)
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / "deviations.md", deviations.to_markdown(DEFAULT_SCALE))
    write_atomically(folder / "report.html", text)
    print(folder / "report.html")
    return 0


@reading_once()
def build(results_dir: str) -> str:
    """The page; what there are no records for is left out, with the command that makes them.

    Raises:
        RecordError: if a record cannot be read.
    """
    shown = making.every_part("the paper")
    exhibits = [sections.exhibit(part, results_dir) for part in shown]
    own = own_runs.parts(results_dir, exhibits)
    tested = tested_claims.section(results_dir)
    why = why_it_works.section(results_dir)
    parts = [
        sections.in_short([*own, *exhibits, tested, why]),
        *own,
        *exhibits,
        tested,
        why,
        sections.settings(DEFAULT_SCALE),
        sections.origin([*own, *exhibits]),
    ]
    return page("bnrepro.report", {"text": _text, "markup": Markup}, parts=parts)


def _text(text: str) -> Markup:
    return Markup(markup.escape(text))  # noqa: S704 (escaped)
