"""The part of the page that asks why batch normalization works: the laboratory's exhibits, told.

Each leads from a paragraph to a drawing and on to the next; verdicts and tables stand at its end.
Before them stands the argument as a whole: five of the drawings in order, a sentence on each, and
what it shows in its own words, which are made of the records.
"""

from collections.abc import Mapping
from typing import NamedTuple

from bnrepro.config import ConfigError
from bnrepro.exhibits import EXHIBITS, making
from bnrepro.exhibits.exhibit import Drawing, Exhibit
from bnrepro.report import markup, provenance
from bnrepro.report.sections import Section, short_or_folded

_TITLE = "Why it works"
_LEAD = (
    "The paper gives one reason, internal covariate shift: each layer must follow the changes of "
    "those before it. Is that it? Five pictures lead from there to the answer that is given today, "
    "a smoother error surface, and to what must be held against it."
)


class _Picture(NamedTuple):
    """A drawing of an exhibit, and why one looks at it."""

    exhibit: str
    drawing: str
    asks: str


_ARGUMENT = (
    _Picture(
        "error_surface",
        "paths",
        "Before any network is trained there is a simpler thing to see, with pencil and paper: "
        "normalizing the features of one linear unit makes a long valley a rounder one, and "
        "descent arrives in fewer steps.",
    ),
    _Picture(
        "noisy_batch",
        "accuracy",
        "Now a deep network, and the paper's own reason: if what helps are distributions that "
        "hold still, it must be gone when every unit is moved and scaled at random in every step, "
        "behind its normalization.",
    ),
    _Picture(
        "covariate_shift",
        "vgg",
        "Perhaps not distributions but gradients should hold still: let the layers before a layer "
        "make their step, and see whether its own gradient still points where it did.",
    ),
    _Picture(
        "covariate_shift",
        "deep_linear",
        "The same where no activation can be blamed, in 25 matrices one after the other: which "
        "network has the steadier gradients, and which one learns sooner?",
    ),
    _Picture(
        "smoothness",
        "landscape",
        "What is left is the surface itself: walk along the gradient, and see whether loss and "
        "gradient at the other end are what the step relied on. The reservation is in the same "
        "picture: multiply the kernels by ten, which changes nothing that the network computes, "
        "and the surface looks smoother (dashed); where nothing is learned it is flat; so believe "
        "the panel without units, from when the loss falls.",
    ),
)
_AFTERWARDS = (
    "The exhibits below tell it at length. Those after the fifth picture ask what follows from it, "
    "for rates, initial weights, mini-batches, averages, decay and depth."
)


def section(results_dir: str) -> Section:
    """Every exhibit of this part; what there are no records for is left out, with its command.

    Raises:
        RecordError: if a record cannot be read.
    """
    names = [name for name, one in EXHIBITS.items() if one.part == "why it works"]
    made: dict[str, Exhibit] = {}
    bodies: list[str] = []
    findings: list[str] = []
    for name in names:
        bodies.append(f'<h3 id="{name}">{markup.escape(EXHIBITS[name].title)}</h3>')
        try:
            made[name] = making.exhibit(name, results_dir)
        except ConfigError as error:
            bodies.append(markup.missing(str(error)))
            continue
        made[name].write(results_dir)
        bodies.append(_told(made[name], name))
        findings += made[name].findings
    body = "\n".join([markup.paragraph(_LEAD, "lead"), _argument(made), *bodies])
    return Section("why-it-works", _TITLE, body, findings=findings)


def _argument(made: Mapping[str, Exhibit]) -> str:
    """The five pictures in order, each linked to where it stands; those that there are."""
    drawings = {(name, one.name): one for name in made for one in made[name].drawings}
    items = [
        f'<li>{markup.escape(asks)} <a href="#{name}-{drawing}">'
        f"{markup.escape(drawings[name, drawing].title)}</a>.</li>"
        for name, drawing, asks in _ARGUMENT
        if (name, drawing) in drawings
    ]
    return f"<ol>{''.join(items)}</ol>{markup.paragraph(_AFTERWARDS)}" if items else ""


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
        f'{lead}<h4 id="{identifier}-{drawing.name}">{markup.escape(drawing.title)}</h4>'
        f'<div class="panels">{panels}</div>{markup.paragraph(drawing.caption, "note")}'
    )
