"""Who is timed on what, how often and for how long."""

from dataclasses import dataclass, replace

from bnrepro.bench.workloads import WORKLOADS, Workload
from bnrepro.config import BACKENDS, one_of


@dataclass(frozen=True)
class Choice:
    """A way to train that is timed, where one of its frameworks is installed."""

    name: str
    words: str
    frameworks: tuple[str, ...]
    dense_only: bool = False
    # Convolutions inside a compiled loop are slow on a CPU: there it is not offered.
    loops_only: bool = False
    # Where there is no accelerator it is not offered.
    accelerated_only: bool = False
    # Where there is one device it is not offered, nor on a processor that plays several, unless it
    # is asked for by name: these share its cores.
    several_only: bool = False
    # Without batch normalization only where its cost is asked for.
    without: bool = False


CONTENDERS = (
    Choice("engine", "bnrepro's engine as `bnrepro run` uses it", BACKENDS, without=True),
    Choice("engine_all", "the engine, each batch over all devices", ("jax",), several_only=True),
    Choice("keras_loop", "bare compiled loop over Keras's layers", BACKENDS, without=True),
    Choice("keras_fit", "Keras `fit`", BACKENDS),
    # It saves Python between two steps, which is nothing beside a step of convolutions.
    Choice("keras_fit_50", "Keras `fit`, steps_per_execution=50", BACKENDS, dense_only=True),
    Choice("group_16", "16 seeds as one program, all together", ("jax",), loops_only=True),
    Choice("torch_eager", "PyTorch eager, channels last", ("torch",)),
    # Over CUDA graphs; on a CPU it wants a compiler of C++, and saves little.
    Choice("torch_compile", "PyTorch `torch.compile`", ("torch",), accelerated_only=True),
)
# What stands beside the contenders in a measurement: whole commands against the clock, and what is
# asked of a GPU alone.
COMMANDS = "commands"
GPU = "gpu"


@dataclass(frozen=True)
class Plan:
    """How thoroughly to measure."""

    quick: bool
    rounds: int
    seconds_per_round: float
    repeats: int  # of each command that is timed
    only: frozenset[str] = frozenset()  # workloads, contenders, `COMMANDS`, `GPU`; none: all

    @property
    def parts(self) -> list[str]:
        """What was chosen apart from contenders; empty where everything is measured."""
        every = [*(workload.name for workload in WORKLOADS), COMMANDS, GPU]
        return [name for name in every if name in self.only]

    def covers(self, workload: Workload) -> bool:
        """Whether the workload is measured at all."""
        named = self.only & {workload.name for workload in WORKLOADS}
        if self.only:
            return workload.name in named or (not named and not self.only <= {COMMANDS, GPU})
        return not self.quick or workload.name in ("mnist_network", "inception_025_32")

    @property
    def covers_commands(self) -> bool:
        """Whether whole commands are measured."""
        return not self.only or COMMANDS in self.only

    @property
    def covers_gpu(self) -> bool:
        """Whether what is asked of a GPU alone is measured, where there is one."""
        return GPU in self.only or not (self.only or self.quick)

    def members(
        self,
        framework: str,
        workload: Workload,
        frameworks: list[str],
        accelerated: bool,
        num_devices: int = 1,
    ) -> list[tuple[str, bool]]:
        """(contender, with batch normalization) of one of the frameworks that are measured."""
        # Of a second backend a quick call shows only that it works.
        second = framework == "jax" and "tensorflow" in frameworks
        chosen = [
            (choice, normalized)
            for normalized in (True, False)
            for choice in self._contenders(workload)
            if framework in choice.frameworks
            and (normalized or (choice.without and not workload.engine_only))
            and (workload.is_dense or not choice.dense_only)
            and (workload.is_dense or accelerated or not choice.loops_only)
            and (accelerated or not choice.accelerated_only)
            and (not choice.several_only or accelerated or choice.name in self.only)
            and (not choice.several_only or _can_be_split(workload, num_devices))
        ]
        if self.quick and second:
            chosen = chosen[:1] if workload.is_dense else []
        return [(choice.name, normalized) for choice, normalized in chosen]

    def _contenders(self, workload: Workload) -> list[Choice]:
        named = self.only & {choice.name for choice in CONTENDERS}
        return [
            choice
            for choice in CONTENDERS
            if (choice.name in named or not named)
            and (choice.name == "engine" or not workload.engine_only)
        ]


def _can_be_split(workload: Workload, num_devices: int) -> bool:
    """Whether there are several devices, and as many examples of a batch for each."""
    batch_size = workload.compose(True, []).config.batch_size
    return num_devices > 1 and int(batch_size) % num_devices == 0


def choose(quick: bool, only: str | None, rounds: int | None = None) -> Plan:
    """The plan of a command line; `only` are names with commas between them.

    Without `rounds` there are as many as the plan has.

    Raises:
        ConfigError: if there is no such workload or contender.
    """
    plan = QUICK if quick else FULL
    if rounds is not None:
        plan = replace(plan, rounds=rounds)
    names = [name.strip() for name in only.split(",")] if only is not None else []
    known = [workload.name for workload in WORKLOADS]
    known += [*(choice.name for choice in CONTENDERS), COMMANDS, GPU]
    for name in names:
        one_of("--only", name, known)
    return replace(plan, only=frozenset(names))


FULL = Plan(quick=False, rounds=7, seconds_per_round=2.0, repeats=5)
QUICK = Plan(quick=True, rounds=3, seconds_per_round=0.4, repeats=3)
