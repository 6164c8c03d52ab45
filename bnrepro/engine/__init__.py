"""Compiled training: many steps as one program. One file per backend, one contract."""

from typing import TYPE_CHECKING

import keras

from bnrepro.config import RunConfig
from bnrepro.data import Dataset
from bnrepro.engine.contract import Engine, Segment
from bnrepro.models import Network

if TYPE_CHECKING:
    from bnrepro.engine.probe import Probe

__all__ = ["Engine", "Segment", "build", "build_probe", "find_devices"]


def build(
    network: Network,
    optimizer: keras.optimizers.Optimizer,
    dataset: Dataset,
    config: RunConfig,
) -> Engine:
    """The engine of the selected backend, its state the network's initial weights.

    `config` is the recipe that trains (`RunConfig.accelerated`).
    """
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


def find_devices() -> None:
    """Wake the drivers, which write about it, at a moment that the caller chooses."""
    keras.distribution.list_devices()
