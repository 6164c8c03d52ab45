"""Rounds that take turns, so that what else the machine does meets all contenders alike."""

import statistics
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Protocol

from bnrepro.bench.processes import WorkerError

# The warm-up grows until it takes this share of a round.
_WARM_UP_SHARE = 0.25


class Asked(Protocol):
    """The process in which a contender trains: a `processes.Worker`."""

    def ask(self, do: str, **arguments: Any) -> dict[str, Any]:
        """Send a request and wait for the answer."""


@dataclass
class Member:
    """A contender on one workload, with all that was measured of it."""

    worker: Asked
    framework: str
    contender: str
    normalized: bool
    batch_size: int = 0
    flops_per_step: int = 0
    runs: int = 1  # networks that make each step
    losses: list[float] = field(default_factory=list)
    build_seconds: float | None = None
    first_steps_seconds: float | None = None  # compilation is in it
    warm_up: list[tuple[int, float]] = field(default_factory=list)  # (steps, seconds)
    steps_per_round: int = 0
    seconds: list[float] = field(default_factory=list)  # of each round
    refused: str | None = None

    @property
    def label(self) -> str:
        """`with/tensorflow/engine`: batch normalization, framework, contender."""
        return f"{'with' if self.normalized else 'without'}/{self.framework}/{self.contender}"

    @property
    def steps_per_second(self) -> dict[str, float]:
        """The median, least and most over the rounds, of all networks together."""
        return spread([self.runs * self.steps_per_round / seconds for seconds in self.seconds])

    def build(self) -> None:
        """Make the network and put its data on the device."""
        answer = self.worker.ask(
            "build", member=self.label, contender=self.contender, normalized=self.normalized
        )
        self.build_seconds = answer["seconds"]
        self.batch_size, self.flops_per_step = answer["batch_size"], answer["flops_per_step"]
        self.runs = answer["runs"]

    def take_first_steps(self, steps: int) -> None:
        """Compile, and train the steps whose losses are compared."""
        answer = self.worker.ask("losses", member=self.label, steps=steps)
        self.losses, self.first_steps_seconds = answer["losses"], answer["seconds"]

    def warm_up_for(self, round_seconds: float) -> None:
        """Train untimed, and find how many steps a round takes."""
        steps, seconds = 1, 0.0
        while seconds < round_seconds * _WARM_UP_SHARE:
            steps = self._whole(4 * steps if self.warm_up else steps)
            seconds = self._train(steps)
            self.warm_up.append((steps, seconds))
        self.steps_per_round = self._whole(max(1, round(steps * round_seconds / seconds)))

    def play(self) -> None:
        """Train a round against the clock."""
        self.seconds.append(self._train(self.steps_per_round))

    def _train(self, steps: int) -> float:
        return self.worker.ask("train", member=self.label, steps=steps)["seconds"]

    def _whole(self, steps: int) -> int:
        return self.worker.ask("whole", member=self.label, steps=steps)["steps"]


def spread(values: Sequence[float]) -> dict[str, float]:
    """The median, the least and the most of some values."""
    return {"median": statistics.median(values), "least": min(values), "most": max(values)}


def attempt(members: Sequence[Member], act: Callable[[Member], None]) -> list[Member]:
    """Have each member act; those that fail are refused, the others are returned."""
    for member in members:
        try:
            act(member)
        except WorkerError as error:
            member.refused = str(error)
    return [member for member in members if member.refused is None]


def play_rounds(members: Sequence[Member], rounds: int) -> None:
    """A B C A B C ...: one round of each in turn."""
    for _ in range(rounds):
        members = attempt(members, Member.play)


def at_once(members: Sequence[Member], act: Callable[[Member], None]) -> None:
    """Have all members act at the same moment.

    Raises:
        WorkerError: if one of them fails.
    """
    with ThreadPoolExecutor(len(members)) as pool:
        list(pool.map(act, members))


def refuse_other_losses(members: Sequence[Member], tolerance: float) -> list[Member]:
    """Refuse who does not train the same network on the same batches; return the others.

    The first member with and the first without batch normalization are the references.
    """
    references: dict[bool, Member] = {}
    for member in members:
        reference = references.setdefault(member.normalized, member)
        for step, (loss, expected) in enumerate(
            zip(member.losses, reference.losses, strict=True), start=1
        ):
            # Not a number is refused too.
            if not abs(loss - expected) <= tolerance * abs(expected):
                member.refused = (
                    f"at step {step} its loss is {loss:.6g}, that of "
                    f"{reference.framework} {reference.contender} {expected:.6g}: "
                    f"they differ by more than {tolerance:g} of it"
                )
                break
    return [member for member in members if member.refused is None]
