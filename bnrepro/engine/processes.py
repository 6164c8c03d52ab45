"""Several processes that train one network together under JAX, each on devices of its own.

All of them run the same program on the same numbers; what a process knows alone (a signal that came
to it, what lies on its disk) must be agreed on before it may change what they do. With one process
nothing is asked of anybody.
"""

import atexit
import os
import pickle
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from bnrepro.config import ConfigError, RunConfig, one_line

_COORDINATOR, _RANK = "JAX_COORDINATOR_ADDRESS", "JAX_PROCESS_ID"
# After so long without a sign of life a process counts as dead, and the others end.
_SECONDS_WITHOUT_A_SIGN = 30
_SECONDS_TO_MEET = 300

Value = TypeVar("Value")


@dataclass
class _Company:
    rank: int = 0
    count: int = 1


_company = _Company()


def join(config: RunConfig) -> None:
    """Meet the other processes, before JAX looks for devices.

    Where to meet and who this one is say Slurm's or Open MPI's variables, or
    `JAX_COORDINATOR_ADDRESS` (`host:port` of the first) and `JAX_PROCESS_ID` (from 0).

    Raises:
        ConfigError: if nothing says it, or not all of them come.
    """
    if config.processes == 1:
        return
    import jax

    own = os.environ.get(_RANK)
    given = {"num_processes": config.processes, "process_id": int(own)} if own else {}
    try:
        jax.distributed.initialize(
            **given,
            heartbeat_timeout_seconds=_SECONDS_WITHOUT_A_SIGN,
            initialization_timeout=_SECONDS_TO_MEET,
        )
    except (RuntimeError, ValueError) as error:
        raise ConfigError(
            f"processes={config.processes}: they have not met ({one_line(error)}); start them with "
            f"srun or mpirun, or set {_COORDINATOR} and {_RANK} for each"
        ) from error
    if jax.process_count() != config.processes:
        raise ConfigError(
            f"processes={config.processes}: {jax.process_count()} have met; use "
            f"processes={jax.process_count()}"
        )
    _company.rank, _company.count = jax.process_index(), jax.process_count()


def count() -> int:
    """How many processes train together."""
    return _company.count


def is_first() -> bool:
    """Whether this one keeps the run's directory and speaks to people."""
    return _company.rank == 0


def broken_off(error: Exception) -> Exception:
    """What to say of an error in this process, whose others may be gone; it ends without them.

    The end of one comes to the others as an error of XLA's, in whatever they compute together.
    """
    # Whoever ends in good order waits for the others; that registered last is called first.
    atexit.register(os._exit, 1)
    if not type(error).__name__.endswith("RuntimeError"):
        return error
    return ConnectionError(
        f"{_company.count} processes train together, and one of them has ended, or cannot be "
        f"reached ({one_line(error)}); the same commands go on from what is saved"
    )


def largest(number: int) -> int:
    """The largest of the numbers that the processes give; each must ask."""
    if _company.count == 1:
        return number
    from jax.experimental import multihost_utils

    return int(np.max(multihost_utils.process_allgather(np.int32(number))))


def of_first(value: Value) -> Value:
    """The first process's value, in all of them; each must ask."""
    if _company.count == 1:
        return value
    from jax.experimental import multihost_utils

    said = np.frombuffer(pickle.dumps(value), np.uint8)
    length = int(multihost_utils.broadcast_one_to_all(np.int32(len(said))))
    room = np.zeros(length, np.uint8)
    if is_first():
        room[:] = said
    heard = np.asarray(multihost_utils.broadcast_one_to_all(room)).tobytes()
    first: Value = pickle.loads(heard)  # noqa: S301 (of a process of our own)
    return first
