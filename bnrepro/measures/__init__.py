"""What is watched while a run trains. Observers read the engine, they never steer it."""

from typing import TYPE_CHECKING, Any

from bnrepro.records.record import RunRecord

if TYPE_CHECKING:
    from bnrepro.engine import Engine, Segment


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

    def on_end(self, record: RunRecord) -> None:
        """The run ends, for now or for good, with that record."""

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps, as JSON."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint's `state`."""
