"""The part of the page that asks why batch normalization works: the laboratory's exhibits, told.

Each leads from a paragraph to a drawing and on to the next; verdicts and tables stand at its end.
"""

from bnrepro.config import ConfigError
from bnrepro.exhibits import EXHIBITS, making
from bnrepro.exhibits.exhibit import Drawing, Exhibit
from bnrepro.report import markup, provenance
from bnrepro.report.sections import Section, short_or_folded

_TITLE = "Why it works"
_LEAD = (
    "The paper gives one reason, internal covariate shift: each layer must follow the changes of "
    "those before it. Is that it? Before any network is trained there is a simpler thing to see, "
    "which can be worked out with pencil and paper and then counted."
)


def section(results_dir: str) -> Section:
    """Every exhibit of this part; what there are no records for is left out, with its command.

    Raises:
        RecordError: if a record cannot be read.
    """
    names = [name for name, one in EXHIBITS.items() if one.part == "why it works"]
    bodies = [markup.paragraph(_LEAD, "lead")]
    findings: list[str] = []
    for name in names:
        title = f'<h3 id="{name}">{markup.escape(EXHIBITS[name].title)}</h3>'
        try:
            made = making.exhibit(name, results_dir)
        except ConfigError as error:
            bodies += [title, markup.missing(str(error))]
            continue
        made.write(results_dir)
        bodies += [title, _told(made, name)]
        findings += made.findings
    return Section("why-it-works", _TITLE, "\n".join(bodies), findings=findings)


def _told(made: Exhibit, identifier: str) -> str:
    cost = _cost(made)
    said = ", ".join(map(markup.code, made.commands))
    parts = [
        markup.paragraph(made.setting, "setting"),
        f'<p class="how">{said}<br>{markup.escape(cost)}</p>',
        *(markup.missing(line) for line in made.missing),
        *(_drawing(drawing, identifier) for drawing in made.drawings),
        *(markup.page_link(f"{made.name}/{page}") for page in made.pages),
        markup.findings(map(markup.escape, made.findings)),
        *(part for table in made.tables for part in short_or_folded(table)),
        *(markup.paragraph(reason, "note") for reason in made.reasons),
        markup.data_files(list(made.files)),
    ]
    return "\n".join(parts)


def _cost(made: Exhibit) -> str:
    """What was computed and what was trained for it; some exhibits are made of both."""
    computed = [provenance.cost_of(made.computed)] if made.computed else []
    return " ".join([*computed, *([] if made.runs.empty else [provenance.cost(made.runs)])])


def _drawing(drawing: Drawing, identifier: str) -> str:
    lead = "".join(map(markup.paragraph, drawing.lead))
    panels = "\n".join(
        markup.panel(panel, f"{identifier}-{drawing.name}") for panel in drawing.panels
    )
    return (
        f"{lead}<h4>{markup.escape(drawing.title)}</h4>"
        f'<div class="panels">{panels}</div>{markup.paragraph(drawing.caption, "note")}'
    )
