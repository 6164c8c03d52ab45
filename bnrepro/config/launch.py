"""How a run is started and kept, apart from what it computes (`fields`)."""

from dataclasses import dataclass, field

from bnrepro.config.about import about
from bnrepro.config.ranges import at_least


@dataclass(frozen=True)
class LaunchConfig:
    """Where and how one training runs, and what it leaves beside its record.

    Two runs that differ in nothing else are the same run: no name and no identity holds these keys.
    """

    device: str = field(
        metadata=about(
            "auto, cpu, gpu (the first that this process sees), gpu:1 (the second)",
            ours=True,
            recorded=False,
        )
    )
    devices: int | str = field(
        metadata=about(
            "over how many devices each batch is split, or all (backend=jax)",
            ours=True,
            recorded=False,
        )
    )
    processes: int = field(
        metadata=about(
            "of how many processes this is one, which train together (backend=jax)",
            at_least(1, 10_000),
            ours=True,
            recorded=False,
        )
    )
    device_memory: float = field(
        metadata=about(
            "the most of a GPU's memory that JAX takes, a share; 0: 0.9, in a sweep by --per-gpu",
            at_least(0, 1),
            ours=True,
            recorded=False,
        )
    )
    threads: int = field(
        metadata=about("0: all cores that the machine gives", at_least(0, 4096), ours=True)
    )
    results_dir: str = field(metadata=about("where runs lie", ours=True, recorded=False))
    force: bool = field(
        metadata=about(
            "move a finished run of the same config aside and run it again",
            ours=True,
            recorded=False,
        )
    )
    checkpoint_every: int = field(
        metadata=about("steps between two checkpoints", at_least(1, 10**9), ours=True)
    )
    tensorboard: bool = field(metadata=about("write TensorBoard's event files", ours=True))
    keep_checkpoint: bool = field(
        metadata=about(
            "a finished run keeps its last checkpoint: a longer train_steps goes on from it",
            ours=True,
            recorded=False,
        )
    )
