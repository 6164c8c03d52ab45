"""The page of a comparison: one file that needs nothing but itself."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from bnrepro.drawing.inline import inline_svg, page
from bnrepro.drawing.style import Panel
from bnrepro.experiments.line import Line
from bnrepro.lab.comparison import panels
from bnrepro.lab.comparison.findings import PROPERTIES, Property
from bnrepro.lab.comparison.plan import Candidate
from bnrepro.lab.comparison.rows import CardRow
from bnrepro.lab.comparison.summary import TARGET, Comparison, Spread, listed

_NO_BREAK = "\N{NO-BREAK SPACE}"
# How the two kinds of inputs are called in a narrow cell.
_SHORT = {"vectors": "vectors", "feature maps": "maps"}
_MARKERS = {
    "s": "M3 3h8v8h-8z",
    "D": "M7 2l5 5l-5 5l-5 -5z",
    "^": "M7 2l5.5 9.5h-11z",
    "v": "M7 12l5.5 -9.5h-11z",
    "<": "M2 7l9.5 -5.5v11z",
    ">": "M12 7l-9.5 -5.5v11z",
    "d": "M7 2l3 5l-3 5l-3 -5z",
    "X": "M4 2l3 3l3 -3l2 2l-3 3l3 3l-2 2l-3 -3l-3 3l-2 -2l3 -3l-3 -3z",
    "o": "M7 2.5a4.5 4.5 0 1 0 .01 0z",
    "x": "M3 3l8 8M11 3l-8 8",
    "P": "M5 2h4v3h3v4h-3v3h-4v-3h-3v-4h3z",
    "*": "M7 1l1.8 4.2l4.5 .4l-3.4 3l1 4.4l-3.9 -2.3l-3.9 2.3l1 -4.4l-3.4 -3l4.5 -.4z",
    "h": "M7 2l4.5 2.5v5l-4.5 2.5l-4.5 -2.5v-5z",
    "H": "M2 7l2.5 -4.5h5l2.5 4.5l-2.5 4.5h-5z",
    "p": "M7 1.5l5.5 4l-2.1 6.5h-6.8l-2.1 -6.5z",
}


@dataclass(frozen=True)
class Cell:
    """One answer: lines of text with what they are about, and how it is to be taken."""

    lines: tuple[tuple[str, str], ...]  # (text, "" or "vectors" or "maps")
    judgement: str
    error: str


def build(comparison: Comparison, setting: dict[str, Any]) -> str:
    """The page as HTML; everything from outside is escaped. `setting` is that of `files`."""
    return page(
        "bnrepro.lab.comparison",
        {"accuracy": _accuracy, "steps": _steps},
        title=_title([each.label for each in comparison.candidates]),
        candidates=comparison.candidates,
        swatches={one: _swatch(line) for one, line in _lines(comparison).items()},
        in_short=list(_in_short(comparison)),
        glance=[_glance(comparison, candidate) for candidate in comparison.candidates],
        groups=_groups(comparison),
        rows=panels.ROW_TITLES,
        measures=panels.MEASURES,
        comparison=comparison,
        ranges=_ranges(comparison),
        row_drawings=[_drawing(one) for one in panels.of_rows(comparison)],
        measure_drawings=[_drawing(one) for one in panels.of_measures(comparison)],
        cost_drawings=[_drawing(one) for one in _cost_panels(comparison)],
        costs=comparison.costs,
        refusals=_refusals(comparison),
        command=_command(setting),
        target=f"{100 * TARGET:.0f}",
        versions=", ".join(f"{name} {version}" for name, version in setting["versions"].items()),
        processor=setting["processor"],
    )


def _title(labels: list[str]) -> str:
    """`RMSNorm beside batch, layer and none`."""
    first, *others = labels
    return f"{first[:1].upper()}{first[1:]} beside {listed(others)}" if others else first


def _lines(comparison: Comparison) -> dict[Candidate, Line]:
    return panels.lines(comparison.candidates)


def _swatch(line: Line) -> Markup:
    """A line's marker in its colour, as the legend of every drawing."""
    color = f"var(--{line.color[1:]})"
    fill = "none" if line.marker == "x" else color
    return Markup(
        '<svg class="swatch" viewBox="0 0 14 14" aria-hidden="true">'
        '<path d="{}" fill="{}" stroke="{}" stroke-width="1.5"/></svg>'
    ).format(_MARKERS[line.marker], fill, color)


def _drawing(panel: Panel) -> dict[str, Any]:
    svg = inline_svg(panel, panel.name)
    return {"svg": Markup(svg), "title": panel.title}  # noqa: S704 (drawn by matplotlib)


def _cost_panels(comparison: Comparison) -> list[Panel]:
    titles = {"inception": "Small Inception: convolutions", "mlp": "Fully connected, three layers"}
    return [panels.cost(comparison, network, title) for network, title in titles.items()]


def _in_short(comparison: Comparison) -> Iterator[tuple[str, str]]:
    """(kind, sentence): what was found, the faults first."""
    titles = {each.name: each.title for each in PROPERTIES}
    faults = 0
    for judgement, kind in (("fault", "fault"), ("unusual", "unusual")):
        for candidate in comparison.candidates:
            for name in comparison.judged(candidate, judgement):
                faults += kind == "fault"
                cell = _cell(comparison, candidate, name)
                texts = "; ".join(f"{text} {about}".strip() for text, about in cell.lines)
                yield kind, f"{candidate.label}: {titles[name]}: {texts}"
    if not faults:
        tested = sum(row.property in titles for rows in comparison.card.values() for row in rows)
        yield "good", f"No fault in {tested:,} exact tests."
    first = comparison.plan.rows[0]
    yield "", f"{panels.of_rows(comparison)[0].title.replace(':', ' recipe:')}."
    best = {each: comparison.best(each, "row", first) for each in comparison.candidates}
    scores = [f"{each.label} {_accuracy(found)}" for each, found in best.items() if found]
    yield "", f"Best accuracy there: {', '.join(scores)}."
    ratios = [
        f"{each.label} {comparison.costs[each.word, 'inception'].times_none:.2f}"
        for each in comparison.candidates
        if (each.word, "inception") in comparison.costs and each.word != "none"
    ]
    if ratios:
        yield "", f"A step of the small Inception, times that of none: {', '.join(ratios)}."


def _glance(comparison: Comparison, candidate: Candidate) -> dict[str, Any]:
    first = comparison.plan.rows[0]
    return {
        "candidate": candidate,
        "statistics": _cell(comparison, candidate, "statistics_over"),
        "faults": len(comparison.judged(candidate, "fault")),
        "unusual": len(comparison.judged(candidate, "unusual")),
        "best": comparison.best(candidate, "row", first),
        "steps": comparison.steps(candidate, first),
        "ranges": [_range(comparison, candidate, measure) for measure in panels.MEASURES],
        "cost": comparison.costs.get((candidate.word, "inception")),
    }


def _range(comparison: Comparison, candidate: Candidate, measure: str) -> str:
    """From the lowest to the highest setting that trains; gaps are named."""
    found = comparison.trains(candidate, measure)
    if found is None:
        return "–"
    if not found:
        return "at no setting"
    every = comparison.settings(measure)
    between = every[every.index(found[0]) : every.index(found[-1]) + 1]
    missing = [setting for setting in between if setting not in found]
    span = found[0] if len(found) == 1 else f"{found[0]} to {found[-1]}"
    return f"{span}, not {', '.join(missing)}" if missing else span


def _ranges(comparison: Comparison) -> dict[str, dict[Candidate, str]]:
    return {
        measure: {each: _range(comparison, each, measure) for each in comparison.candidates}
        for measure in panels.MEASURES
    }


def _groups(comparison: Comparison) -> dict[str, list[tuple[Property, list[Cell]]]]:
    """The card: the properties of each group with a cell for each normalization."""
    groups: dict[str, list[tuple[Property, list[Cell]]]] = {}
    for each in PROPERTIES:
        cells = [_cell(comparison, candidate, each.name) for candidate in comparison.candidates]
        groups.setdefault(each.group, []).append((each, cells))
    return groups


def _cell(comparison: Comparison, candidate: Candidate, name: str) -> Cell:
    rows = comparison.card.get((candidate.word, name), [])
    worst = max((row.judgement for row in rows), key=_severity, default="text")
    errors = [row.error for row in rows if math.isfinite(row.error)]
    error = f"number behind it: {max(errors):.2g}" if errors else ""
    return Cell(_texts(rows), worst, error)


def _severity(judgement: str) -> int:
    return ("yes", "text", "no", "unusual", "fault").index(judgement)


def _texts(rows: list[CardRow]) -> tuple[tuple[str, str], ...]:
    """Said once where it is the same on vectors and on feature maps."""
    if not rows:
        return (("–", ""),)
    if len({row.finding for row in rows}) == 1:
        return ((rows[0].finding, ""),)
    return tuple((row.finding, _SHORT[row.inputs]) for row in rows)


def _refusals(comparison: Comparison) -> list[tuple[str, str]]:
    """(what, why), said once for all networks with the same reason."""
    found: dict[tuple[str, str], dict[str, list[str]]] = {}
    for row in comparison.refusals:
        settings = found.setdefault((row.normalization, row.reason), {})
        settings.setdefault(row.measure, []).append(row.setting)
    said = [
        (f"{word}: {', '.join(_settings(comparison, *each) for each in settings.items())}", reason)
        for (word, reason), settings in found.items()
    ]
    for candidate in comparison.candidates:
        for refused in comparison.card.get((candidate.word, "accepted"), []):
            said.append((f"{candidate.word}: exact tests on {refused.inputs}", refused.finding))
    return said


def _settings(comparison: Comparison, measure: str, settings: list[str]) -> str:
    """`batch size 2, 4`, or `every batch size`."""
    named = list(dict.fromkeys(settings))
    every = named == comparison.settings(measure)
    return f"every {measure}" if every else f"{measure} {', '.join(named)}"


def _command(setting: dict[str, Any]) -> str:
    # Without the digests of one's own.
    subject, *others = (each.partition("@")[0] for each in setting["normalizations"])
    quick = " --quick" if setting["plan"] == "quick" else ""
    against = f"--against {','.join(others)}"
    return f"bnrepro compare {subject} {against} backend={setting['backend']}{quick}"


def _accuracy(found: Spread | None) -> str:
    return "–" if found is None else f"{100 * found.middle:.1f}{_NO_BREAK}%"


def _steps(found: Spread | None) -> str:
    if found is None:
        return "–"
    return f"{found.middle:,.0f}" if math.isfinite(found.middle) else "never"
