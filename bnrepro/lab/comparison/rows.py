"""What workers answer and files hold, a line each. Nothing here loads Keras."""

import re
from typing import NamedTuple

from bnrepro.config import one_line
from bnrepro.lab.comparison.findings import Judgement


class CardRow(NamedTuple):
    """An answer of the card about one normalization on one kind of inputs: `card.csv`."""

    normalization: str
    property: str
    inputs: str  # "vectors" or "feature maps"
    finding: str
    judgement: Judgement
    error: float


class Point(NamedTuple):
    """One evaluation of one network: `trainings.csv`."""

    normalization: str
    measure: str
    setting: str
    seed: int
    step: int
    accuracy: float  # on the evaluation split; not a number once a weight is not finite


class Refusal(NamedTuple):
    """A network that was not trained, and why: `refusals.csv`."""

    normalization: str
    measure: str
    setting: str
    reason: str


class CostRow(NamedTuple):
    """One normalization in one network: `cost.csv`."""

    normalization: str
    network: str
    milliseconds_per_step: float  # median of the rounds
    times_none: float  # median over the rounds of the time beside that without normalization
    times_none_low: float
    times_none_high: float
    parameters: int  # trained, of all normalizations of the network
    state: int  # numbers that are kept and not trained
    network_parameters: int


Row = CardRow | Point | Refusal | CostRow
Kind = type[CardRow] | type[Point] | type[Refusal] | type[CostRow]
# What lies in which file.
FILES: dict[Kind, str] = {
    CardRow: "card",
    Point: "trainings",
    Refusal: "refusals",
    CostRow: "cost",
}
KINDS = {kind.__name__: kind for kind in FILES}

# Keras writes what was raised between marks for bold letters, and its own account around it.
_RAISED = re.compile("\x1b\\[1m(.*?)\x1b\\[0m", re.DOTALL)
_LONGEST = 300


def said_by(error: Exception) -> str:
    """What a layer has raised, in one line."""
    found = _RAISED.search(str(error))
    said = " ".join(found[1].split()) if found else one_line(error)
    return said[:_LONGEST]
