"""Compiled training: many steps as one program. One file per backend, one contract."""

import os
from typing import TYPE_CHECKING

import keras

from bnrepro.config import ConfigError, Recipe, one_line
from bnrepro.data import Dataset
from bnrepro.engine.contract import Engine
from bnrepro.engine.segment import Segment
from bnrepro.models import Network

if TYPE_CHECKING:
    from bnrepro.engine.probe import Probe

__all__ = ["Engine", "Segment", "build", "build_probe", "find_accelerator", "find_devices"]


def build(
    network: Network,
    optimizer: keras.optimizers.Optimizer,
    dataset: Dataset,
    config: Recipe,
) -> Engine:
    """The engine of the selected backend, its state the network's initial weights."""
    if config.backend == "jax":
        from bnrepro.engine.jax import JaxEngine

        return JaxEngine(network, optimizer, dataset, config)
    from bnrepro.engine.tensorflow import TensorFlowEngine

    return TensorFlowEngine(network, optimizer, dataset, config)


def build_probe(engine: Engine, population_batches: int = 10) -> "Probe":
    """What answers about `engine`'s network at weights of one's own choice; see `engine.probe`."""
    from bnrepro.engine.probe import Probe

    if engine.config.backend == "jax":
        from bnrepro.engine.calculus_jax import JaxCalculus

        return Probe(engine, JaxCalculus(engine.loops), population_batches)
    from bnrepro.engine.calculus_tensorflow import TensorFlowCalculus

    return Probe(engine, TensorFlowCalculus(engine.loops), population_batches)


def find_devices() -> list[str]:
    """The devices of the selected backend, `["cpu:0"]`.

    This wakes the drivers, which write about it, at a moment that the caller chooses.

    Raises:
        ConfigError: if the environment asks the backend for what is not there.
    """
    try:
        return keras.distribution.list_devices()
    except (RuntimeError, AssertionError) as error:
        platforms = os.environ.get("JAX_PLATFORMS")
        asks = "" if platforms is None else f"JAX_PLATFORMS={platforms}: "
        raise ConfigError(
            f"{asks}{keras.config.backend()} finds no such device ({one_line(error)}); use "
            "device=cpu, or unset what asks for another"
        ) from error


def find_accelerator() -> str | None:
    """The name of the accelerator that trains under the selected backend, None on a CPU."""
    if keras.config.backend() == "jax":
        from bnrepro.engine.jax import accelerator

        return accelerator()
    from bnrepro.engine.tensorflow import accelerator

    return accelerator()
