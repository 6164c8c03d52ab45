"""How far a run has come: what its checkpoint keeps beside the variables."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from bnrepro.engine.memory import peak_memory
from bnrepro.measures.measure import Rows
from bnrepro.records.record import CurveRow
from bnrepro.records.stretches import Stretch

CLOCKS = ("train", "evaluate", "compile", "checkpoint", "population")


@dataclass
class Progress:
    """The numbers of a run, written as JSON into its checkpoints."""

    step: int = 0
    loss_sum: float = 0.0  # over the training batches since the last evaluation
    num_correct: int = 0
    num_batches: int = 0
    curve: list[CurveRow] = field(default_factory=list)
    rows: dict[str, Rows] = field(default_factory=dict)  # by the name of their measure
    measured: dict[str, int] = field(default_factory=dict)  # the last step at which each was asked
    seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(CLOCKS, 0.0))
    diverged_at_step: int | None = None
    stretches: list[Stretch] = field(default_factory=list)  # the last one goes on
    earlier_seconds: float = 0.0  # of the processes that were interrupted
    earlier_peak: dict[str, int | None] = field(default_factory=dict)  # bytes, of these processes
    continued_from: dict[str, Any] | None = None  # the finished run that is its beginning

    def __post_init__(self) -> None:
        # JSON knows rows as lists.
        self.curve = [CurveRow(*row) for row in self.curve]

    @classmethod
    def kept(cls, values: dict[str, Any]) -> "Progress":
        """The progress of a checkpoint; an older one has percentiles beside the curve."""
        rows = values.pop("percentiles", [])
        if rows:
            values |= {"rows": {"percentiles": rows}, "measured": {"percentiles": rows[-1][1]}}
        return cls(**values)

    def copied(self) -> "Progress":
        """The same numbers, which stay while the run goes on: its rows are only added to."""
        rows = {name: list(of_measure) for name, of_measure in self.rows.items()}
        curve, measured, seconds = list(self.curve), dict(self.measured), dict(self.seconds)
        return replace(self, curve=curve, rows=rows, measured=measured, seconds=seconds)

    def peak_memory(self) -> dict[str, int | None]:
        """The most bytes so far of `host` and `device`, in all processes that trained the run."""
        most = {}
        for where, now in peak_memory().items():
            known = [one for one in (self.earlier_peak.get(where), now) if one is not None]
            most[where] = max(known, default=None)
        return most

    @contextmanager
    def clock(self, name: str) -> Iterator[None]:
        """Add the time inside to `seconds[name]`."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] += time.perf_counter() - started
