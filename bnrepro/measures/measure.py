"""What a measurement is: it has a name, columns, steps at which it is due, and rows."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from bnrepro.config import RunConfig
from bnrepro.engine import Engine

Rows = list[list[Any]]


def in_six_digits(values: Sequence[float]) -> list[float]:
    """The numbers of a row as far as single precision carries, so that files stay small."""
    return [float(f"{value:.6g}") for value in values]


class Measure(ABC):
    """Measures something between two segments of a run, and leaves its rows as `<name>.csv`.

    It reads the engine and never steers it. Whatever `rows` remembers from one measurement to the
    next belongs into `state`, so that a resumed run leaves the same bytes.

    Attributes:
        name: what its file is called, without `.csv`.
        columns: of the file. One of them is `step`; what is text in the others says of what a row
            is, what is a number is a value, which TensorBoard shows over steps.
    """

    name: ClassVar[str]
    columns: ClassVar[Sequence[str]]

    def __init__(self, every: int = 0) -> None:
        """It is due every so many steps; with 0 wherever the curve has a row."""
        self.every = every

    def next_due(self, step: int, config: RunConfig) -> int:
        """The first step after `step` at which rows are due (they are at step 0, too)."""
        if self.every:
            return (step // self.every + 1) * self.every
        return config.next_evaluation(step)

    def is_due(self, step: int, config: RunConfig) -> bool:
        """Whether rows are due at `step`."""
        return step == 0 or self.next_due(step - 1, config) == step

    @abstractmethod
    def rows(self, engine: Engine, step: int) -> Rows:
        """The rows at `step`, which has been reached; each has a value per column."""

    def prepare(self, engine: Engine) -> None:  # noqa: B027 (it may be left out)
        """Compile what `rows` will ask for, before the first step."""

    def state(self) -> dict[str, np.ndarray]:
        """What a checkpoint keeps, by names of its own."""
        return {}

    def restore(self, state: dict[str, np.ndarray]) -> None:  # noqa: B027 (it may be left out)
        """Go on from a checkpoint's `state`."""
