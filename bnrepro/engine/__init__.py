"""Compiled training: many steps as one program. One file per backend, one contract."""

import keras

from bnrepro.config import RunConfig
from bnrepro.data import Dataset
from bnrepro.engine.contract import Engine, Segment
from bnrepro.models import Network

__all__ = ["Engine", "Segment", "build", "find_devices"]


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


def find_devices() -> None:
    """Wake the drivers, which write about it, at a moment that the caller chooses."""
    keras.distribution.list_devices()
