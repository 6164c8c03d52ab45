"""What is watched while a run trains: measures leave rows, observers show. Neither steers it.

Each name of `config.MEASURES` is a file of this folder, with a function `build` that gives its
`Measure`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from bnrepro.config import MEASURES, RunConfig
from bnrepro.records.record import RunRecord

if TYPE_CHECKING:
    from bnrepro.engine import Engine, Segment
    from bnrepro.measures.measure import Measure, Rows


def build(config: RunConfig) -> list["Measure"]:
    """The measures that a run is asked for."""
    asked = filter(config.is_measured, MEASURES)
    return [import_module(f"{__name__}.{name}").build(config) for name in asked]


class Observer:
    """Hears what happens in a run; every method may be left out.

    `state` and `restore` carry what a resumed run needs to go on as if it had not stopped.
    """

    def prepare(self, engine: "Engine") -> None:
        """Compile what will be watched, before the first step."""

    def on_segment(self, step: int, train_seconds: float, segment: "Segment") -> None:
        """Training has reached `step`, after `train_seconds` of training in all."""

    def on_evaluation(self, engine: "Engine", row: dict[str, float]) -> None:
        """The curve has a new row (`record.CURVE_COLUMNS`)."""

    def on_rows(self, measure: "Measure", rows: "Rows") -> None:
        """A measure has new rows."""

    def on_end(self, record: RunRecord) -> None:
        """The run ends, for now or for good, with that record."""

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps, as JSON."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint's `state`."""
