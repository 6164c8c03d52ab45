"""A small network whose loss is looked at as a function of all of its weights."""

from dataclasses import dataclass

import numpy as np

from bnrepro import data
from bnrepro.engine import Engine, build_probe, optimizers
from bnrepro.engine import build as build_engine
from bnrepro.engine.batch import read_images
from bnrepro.engine.probe import Batch, Probe
from bnrepro.lab.setting import config_of, network

_EXAMPLES = 64


@dataclass(frozen=True)
class WholeNetwork:
    """An engine at its initial weights, what asks about others, and the mini-batch to ask with."""

    engine: Engine
    probe: Probe
    batch: Batch

    @property
    def scaled_kernels(self) -> np.ndarray:
        """Which weights are kernels before a normalization or an activation, (size,) bool."""
        layout = self.probe.layout
        return layout.mask("kernel", layers=range(layout.parameters[-1].layer))


def build(*overrides: str) -> WholeNetwork:
    """A fully connected network with two hidden layers on the digits, epsilon = 0."""
    words = ("model=mlp", "model.hidden_layers=2", "model.width=0.1", "batch_size=32", *overrides)
    config = config_of(*words, epsilon=0.0)
    dataset = data.load(config.data)
    engine = build_engine(network(config), optimizers.build(config), dataset, config)
    rows = np.arange(_EXAMPLES)
    batch = Batch(read_images(dataset.train, rows), dataset.train.labels[rows])
    return WholeNetwork(engine, build_probe(engine), batch)
