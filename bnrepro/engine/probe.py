"""The network at weights of one's own choice: loss, gradient, curvature and inner values.

A probe moves nothing: weights, statistics, random states and the optimizer's slots are handed to
the compiled programs as values, and what these would update is thrown away. Dropout, noise and
distortions are off. What batch normalization normalizes by is the probe's mode:

- `batch`: the mini-batch's own mean and variance, as in training
- `frozen`: the moving averages of the engine as it stands
- `population`: Algorithm 2's averages, computed anew at the given weights
  (https://arxiv.org/abs/1502.03167)
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import keras
import numpy as np
from keras import ops

from bnrepro.config.names import PROBE_MODES
from bnrepro.engine.batch import read_images
from bnrepro.engine.contract import Engine
from bnrepro.engine.loss import cross_entropy
from bnrepro.engine.segment import Arrays
from bnrepro.engine.weights import Layout
from bnrepro.models.graph import undisturbed, walk
from bnrepro.normalization.moments import moments

Function = Callable[[Any], Any]


class Calculus(Protocol):
    """What a backend differentiates and compiles with."""

    def value_and_gradient(self, function: Function, point: Any) -> tuple[Any, Any]:
        """A scalar function's value and its gradient at `point`, (size,)."""

    def hessian_product(self, function: Function, point: Any, direction: Any) -> Any:
        """The function's Hessian at `point` times `direction`, (size,)."""

    def each(self, program: Callable[..., Any]) -> Callable[..., Any]:
        """`program(*row, *shared)` compiled, over the rows of `rows`: called `(rows, shared)`."""


@dataclass(frozen=True)
class Batch:
    """One mini-batch to look at."""

    images: np.ndarray  # (batch, height, width, channels) uint8
    labels: np.ndarray  # (batch,) int32


class Probe:
    """Asks an engine's network about weights that are given as vectors (see `Layout`).

    `points` are (points, size) throughout: one compiled program serves all of them. The loss is the
    mean cross-entropy of the batch, without L2, as in a run's curve.
    """

    def __init__(self, engine: Engine, calculus: Calculus, population_batches: int = 10) -> None:
        """Take the network of `engine`; its weights are read anew at each call.

        Args:
            engine: whose network, data and moving averages are looked at.
            calculus: of the engine's backend.
            population_batches: over how many training mini-batches, undistorted and in the seed's
                own order, the statistics of mode `population` are averaged.
        """
        self.layout = Layout(engine.network.model)
        self._engine = engine
        self._calculus = calculus
        self._population_batches = population_batches
        graph = walk(engine.network.model, undisturbed)
        self._model = graph.model
        inputs = graph.model.inputs
        normalized = graph.inputs_of(keras.layers.BatchNormalization)
        self._layers = [layer for layer, _ in normalized]
        self._seen = keras.Model(inputs, [tensor for _, tensor in normalized] or inputs)
        activated = graph.inputs_of(keras.layers.Activation)
        self._units = [layer.name.removesuffix("_activation") for layer, _ in activated]
        self._inner = keras.Model(inputs, [tensor for _, tensor in activated] or inputs)
        self._programs: dict[tuple[str, str], Callable[..., Any]] = {}

    @property
    def point(self) -> np.ndarray:
        """The engine's weights as they stand, (size,)."""
        values = self._engine.variables()
        return self.layout.join(
            {each.path: values[f"model/{each.path}"] for each in self.layout.parameters}
        )

    def losses(self, points: np.ndarray, batch: Batch, mode: str) -> np.ndarray:
        """The loss at each point, (points,)."""
        return self._ask("losses", mode, (points,), batch)

    def gradients(
        self, points: np.ndarray, batch: Batch, mode: str
    ) -> tuple[np.ndarray, np.ndarray]:
        """The loss, (points,), and its gradient, (points, size), at each point."""
        return self._ask("gradients", mode, (points,), batch)

    def hessian_products(
        self, points: np.ndarray, directions: np.ndarray, batch: Batch, mode: str
    ) -> np.ndarray:
        """The loss's Hessian at each point times the direction of the same row, (points, size)."""
        return self._ask("hessian_products", mode, (points, directions), batch)

    def logits(self, points: np.ndarray, batch: Batch, mode: str) -> np.ndarray:
        """The outputs at each point, (points, batch, classes)."""
        return self._ask("logits", mode, (points,), batch)

    def pre_activations(self, points: np.ndarray, batch: Batch, mode: str) -> Arrays:
        """The inputs of the hidden activations at each point, (points, batch, ...), by layer.

        Those that are layers: the gates of a recurrent network are not.
        """
        if not self._units:
            return {}
        values = self._ask("pre_activations", mode, (points,), batch)
        return dict(zip(self._units, values, strict=True))

    def _ask(self, question: str, mode: str, rows: tuple[np.ndarray, ...], batch: Batch) -> Any:
        if mode not in PROBE_MODES:
            raise ValueError(f"mode={mode}: expected one of {', '.join(PROBE_MODES)}")
        statistics = self._engine.variables()
        population = self._population_images if mode == "population" else np.zeros(0, np.uint8)
        shared = (
            [statistics[f"model/{v.path}"] for v in self._model.non_trainable_variables],
            batch.images,
            batch.labels,
            population,
        )
        dtype = self._engine.config.dtype
        rows = tuple(np.asarray(row, dtype) for row in rows)
        answer = self._program(question, mode)(rows, shared)
        return keras.tree.map_structure(np.asarray, answer)

    def _program(self, question: str, mode: str) -> Callable[..., Any]:
        key = (question, mode)
        if key not in self._programs:
            self._programs[key] = self._calculus.each(getattr(self, f"_{question}")(mode))
        return self._programs[key]

    @cached_property
    def _population_images(self) -> np.ndarray:
        """(batches, batch, height, width, channels) uint8."""
        engine = self._engine
        count = min(self._population_batches, engine.order.steps_per_epoch)
        return read_images(engine.dataset.train, engine.order.indices(0, count))

    def _losses(self, mode: str) -> Callable[..., Any]:
        return lambda point, *shared: self._loss(mode, shared)(point)

    def _gradients(self, mode: str) -> Callable[..., Any]:
        return lambda point, *shared: self._calculus.value_and_gradient(
            self._loss(mode, shared), point
        )

    def _hessian_products(self, mode: str) -> Callable[..., Any]:
        return lambda point, direction, *shared: self._calculus.hessian_product(
            self._loss(mode, shared), point, direction
        )

    def _logits(self, mode: str) -> Callable[..., Any]:
        return lambda point, *shared: self._outputs(self._model, mode, point, shared)

    def _pre_activations(self, mode: str) -> Callable[..., Any]:
        return lambda point, *shared: keras.tree.flatten(
            self._outputs(self._inner, mode, point, shared)
        )

    def _loss(self, mode: str, shared: tuple[Any, ...]) -> Function:
        labels = shared[2]
        return lambda point: cross_entropy(labels, self._outputs(self._model, mode, point, shared))

    def _outputs(self, model: keras.Model, mode: str, point: Any, shared: tuple[Any, ...]) -> Any:
        """What a graph over the network's layers gives at `point`; nothing is updated."""
        statistics, images, _, population = shared
        values = self._values(point, statistics)
        if mode == "population" and self._layers:
            values |= self._population(values, population)
        return self._run(model, values, images, training=mode == "batch")

    def _values(self, point: Any, statistics: list[Any]) -> dict[str, Any]:
        """All variables by path."""
        trainable = (each.path for each in self.layout.parameters)
        others = (variable.path for variable in self._model.non_trainable_variables)
        return dict(zip(trainable, self.layout.split(point), strict=True)) | dict(
            zip(others, statistics, strict=True)
        )

    def _run(self, model: keras.Model, values: dict[str, Any], images: Any, training: bool) -> Any:
        inputs = self._engine.assembler.assemble(images, ops.arange(images.shape[0]), {})
        outputs, _ = model.stateless_call(
            [values[variable.path] for variable in model.trainable_variables],
            [values[variable.path] for variable in model.non_trainable_variables],
            inputs,
            training=training,
        )
        return outputs

    def _population(self, values: dict[str, Any], batches: Any) -> dict[str, Any]:
        """Algorithm 2, step 10: the averages of the mini-batches' moments, by variable."""
        seen = [
            keras.tree.flatten(self._run(self._seen, values, batches[position], training=True))
            for position in range(batches.shape[0])
        ]
        averages = {}
        for layer, inputs in zip(self._layers, zip(*seen, strict=True), strict=True):
            means, variances = zip(*(_moments(layer, each) for each in inputs), strict=True)
            averages[layer.moving_mean.path] = sum(means) / len(seen)
            averages[layer.moving_variance.path] = sum(variances) / len(seen)
        return averages


def _moments(layer: keras.layers.BatchNormalization, inputs: Any) -> tuple[Any, Any]:
    """A mini-batch's mean and unbiased variance for each of the layer's statistics."""
    rows = ops.reshape(inputs, (-1, layer.moving_mean.shape[0]))  # (m, statistics)
    mean, variance = moments(ops.cast(rows, layer.variable_dtype), (0,))
    return mean[0], variance[0] * (rows.shape[0] / (rows.shape[0] - 1))
