"""Who is timed on what, how often and for how long."""

from dataclasses import dataclass

from bnrepro.bench.workloads import Workload
from bnrepro.config import BACKENDS


@dataclass(frozen=True)
class Choice:
    """A way to train that is timed, where one of its frameworks is installed."""

    name: str
    words: str
    frameworks: tuple[str, ...]
    dense_only: bool = False
    # Convolutions inside a compiled loop are slow on a CPU: there it is not offered.
    loops_only: bool = False
    # Without batch normalization only where its cost is asked for.
    without: bool = False


CONTENDERS = (
    Choice("engine", "bnrepro's engine as `bnrepro run` uses it", BACKENDS, without=True),
    Choice("keras_loop", "bare compiled loop over Keras's layers", BACKENDS, without=True),
    Choice("keras_fit", "Keras `fit`", BACKENDS),
    # It saves Python between two steps, which is nothing beside a step of convolutions.
    Choice("keras_fit_50", "Keras `fit`, steps_per_execution=50", BACKENDS, dense_only=True),
    Choice("group_16", "16 seeds as one program, all together", ("jax",), loops_only=True),
    Choice("torch_eager", "PyTorch eager, channels last", ("torch",)),
)


@dataclass(frozen=True)
class Plan:
    """How thoroughly to measure."""

    quick: bool
    rounds: int
    seconds_per_round: float
    repeats: int  # of each command that is timed

    def covers(self, workload: Workload) -> bool:
        """Whether the workload is measured at all."""
        return not self.quick or workload.name in ("mnist_network", "inception_025_32")

    def members(
        self, framework: str, workload: Workload, frameworks: list[str], accelerated: bool
    ) -> list[tuple[str, bool]]:
        """(contender, with batch normalization) of one of the frameworks that are measured."""
        # Of a second backend a quick call shows only that it works.
        second = framework == "jax" and "tensorflow" in frameworks
        chosen = [
            (choice, normalized)
            for normalized in (True, False)
            for choice in CONTENDERS
            if framework in choice.frameworks
            and (normalized or choice.without)
            and (workload.is_dense or not choice.dense_only)
            and (workload.is_dense or accelerated or not choice.loops_only)
        ]
        if self.quick and second:
            chosen = chosen[:1] if workload.is_dense else []
        return [(choice.name, normalized) for choice, normalized in chosen]


FULL = Plan(quick=False, rounds=7, seconds_per_round=2.0, repeats=5)
QUICK = Plan(quick=True, rounds=3, seconds_per_round=0.4, repeats=3)
