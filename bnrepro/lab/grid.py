"""Grids of small networks: those that differ in numbers alone train as one program.

Layers, update rules, initial weights and the order of examples are those of every run; only how
many networks a compiled step moves is another.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import keras
import numpy as np

from bnrepro.config import Recipe
from bnrepro.config.composition import compose
from bnrepro.engine import Engine
from bnrepro.lab.comparison.training import build
from bnrepro.lab.tables import write_table

if TYPE_CHECKING:
    from bnrepro.engine.group import Group
    from bnrepro.engine.jax import JaxEngine

# Most networks that diverge do so at once; the step is then found without repeating many.
_FIRST_STOPS = (20, 100)
# The share of the steps, at the end, over which the loss of a training is averaged.
_LAST_SHARE = 0.1
# The classifier's kernel, which nothing normalizes.
_CLASSIFIER = "logits/kernel"


@dataclass
class Trained:
    """One network after its training: losses (steps,) and hits on each mini-batch.

    `seen` is what was observed, by step; of a network that diverged only what came before.
    """

    config: Recipe
    engine: Engine
    losses: np.ndarray = field(default_factory=lambda: np.empty(0))
    hits: np.ndarray = field(default_factory=lambda: np.empty(0))
    seen: dict[int, Any] = field(default_factory=dict)
    diverged_at: int | None = None

    @property
    def last_loss(self) -> float:
        """The mean loss of the last tenth of the mini-batches; nan if it diverged."""
        return self._last(self.losses)

    @property
    def last_accuracy(self) -> float:
        """The share of hits in the last tenth of the mini-batches; nan if it diverged."""
        return self._last(self.hits) / cast(int, self.config.batch_size)

    def score(self) -> tuple[float, float]:
        """(mean cross-entropy, accuracy) on the evaluation split; nan, nan if it diverged."""
        if self.diverged_at is not None:
            return math.nan, math.nan
        return self.engine.score(self.engine.dataset.evaluation)

    def _last(self, values: np.ndarray) -> float:
        if self.diverged_at is not None:
            return math.nan
        return float(values[-max(1, round(_LAST_SHARE * len(values))) :].mean())


def kernel_norm(engine: Engine) -> float:
    """The Euclidean norm of all hidden kernels together: those that are normalized after."""
    norms = engine.weight_norms().items()
    hidden = [norm for path, norm in norms if path.endswith("kernel") and path != _CLASSIFIER]
    return math.hypot(*hidden)


def recipe(*overrides: str) -> Recipe:
    """What trains a network under JAX on one thread."""
    return compose(["backend=jax", "threads=1", *overrides]).config.accelerated()


def write(
    folder: Path, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]], *words: str
) -> None:
    """Leave a study's table, and in `setting.csv` what all its networks share, by those words."""
    config = recipe(*words)
    shared = (config.data.name, config.train_steps, config.batch_size)
    write_table(folder / "setting.csv", ("data", "train_steps", "batch_size"), [shared])
    write_table(folder / table, columns, rows)


def train(
    recipes: Sequence[Recipe],
    block: int,
    observe: Callable[[Engine], Any] | None = None,
    observed_at: Sequence[int] = (),
) -> Iterator[Trained]:
    """Networks of one program, trained `block` at a time; in order.

    What `observe` says of a network stands in `seen`, at the steps `observed_at` (0 to the last).

    Raises:
        ConfigError: for convolutions on a CPU.
        ValueError: if the last block would not be a whole one.
    """
    if len(recipes) % block:
        raise ValueError(f"{len(recipes)} networks: expected a multiple of {block}")
    program = Program(recipes[:block])
    for start in range(0, len(recipes), block):
        yield from program.train(recipes[start : start + block], observe, observed_at)


class Program:
    """What trains as many networks at a time as `first` are, and is compiled once.

    Raises:
        ConfigError: for convolutions on a CPU.
    """

    def __init__(self, first: Sequence[Recipe]) -> None:
        from bnrepro.engine.group import Group

        keras.utils.clear_session(free_memory=False)
        self._group = Group(cast("JaxEngine", build(first[0])), list(first))
        self._group.compile()

    def train(
        self,
        recipes: Sequence[Recipe],
        observe: Callable[[Engine], Any] | None = None,
        observed_at: Sequence[int] = (),
    ) -> "list[Trained]":
        """As many networks from their beginnings to their ends, as `train` has it."""
        self._group.begin(list(recipes))
        return _trained(self._group, list(recipes), observe, observed_at)


def _trained(
    group: "Group",
    members: list[Recipe],
    observe: Callable[[Engine], Any] | None,
    observed_at: Sequence[int],
) -> list[Trained]:
    networks = [
        Trained(config, engine) for config, engine in zip(members, group.engines, strict=True)
    ]
    for start, stop in pairwise(_stops(members[0], group, observed_at)):
        going = [place for place, one in enumerate(networks) if one.diverged_at is None]
        if start in observed_at and observe:
            for place in going:
                networks[place].seen[start] = observe(networks[place].engine)
        for place, segment in zip(going, group.train(start, stop, going), strict=True):
            one = networks[place]
            one.losses = np.append(one.losses, segment.loss)
            one.hits = np.append(one.hits, segment.num_correct)
            one.diverged_at = segment.diverged_at_step
    last = members[0].train_steps
    if last in observed_at and observe:
        for one in networks:
            if one.diverged_at is None:
                one.seen[last] = observe(one.engine)
    return networks


def _stops(config: Recipe, group: "Group", observed_at: Sequence[int]) -> list[int]:
    """Where segments end, from 0 to the last step."""
    last, most = config.train_steps, group.engines[0].segment_steps
    stops = {0, last, *_FIRST_STOPS, *observed_at, *range(0, last, most)}
    return sorted(stop for stop in stops if stop <= last)
