"""The TensorFlow engine: a `tf.while_loop` over steps inside one `tf.function`.

Dense networks, and everything on a GPU, go through XLA as one program. Convolutions inside an XLA
loop are twenty times slower on a CPU than TensorFlow's own kernels: there the loop stays a plain
graph.
"""

from collections.abc import Callable, Collection, Iterable
from functools import partial
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from bnrepro.config import Recipe
from bnrepro.config.fields import own_parts
from bnrepro.data import Dataset
from bnrepro.data.alignment import is_aligned
from bnrepro.engine.contract import Engine
from bnrepro.engine.loss import add_l2_gradients, cross_entropy, kernel_positions, num_correct
from bnrepro.engine.segment import Arrays, Inputs
from bnrepro.models import Network
from bnrepro.models.dropout import without_dropout
from bnrepro.records.environment import processor

# Steps of one call: about half a second of work, so that progress moves and a signal is heard.
_XLA_SEGMENT_STEPS = 500
_GRAPH_SEGMENT_STEPS = 25


class TensorFlowEngine(Engine):
    """Trains Keras variables in place; see `Engine` for the contract."""

    def __init__(
        self,
        network: Network,
        optimizer: keras.optimizers.Optimizer,
        dataset: Dataset,
        config: Recipe,
    ) -> None:
        super().__init__(network, optimizer, dataset, config)
        self.on_accelerator = bool(tf.config.list_physical_devices("GPU"))
        self.loops = network.is_dense or self.on_accelerator
        self.kind = "tensorflow xla loop" if self.loops else "tensorflow graph loop"
        segment_steps = _XLA_SEGMENT_STEPS if self.loops else _GRAPH_SEGMENT_STEPS
        self.segment_steps = self._steps_within_memory(segment_steps)
        # The graph optimizer puts convolution, batch normalization and tanh into one operation, of
        # which there is none for a CPU (tensorflow#53459).
        fuses = config.activation != "tanh" and not own_parts(config)
        tf.config.optimizer.set_experimental_options({"remapping": fuses})
        self._weights = network.model.trainable_variables
        self._kernels = kernel_positions(network.model)
        self._state = {
            **{f"model/{variable.path}": variable for variable in network.model.variables},
            **{f"optimizer/{variable.path}": variable for variable in optimizer.variables},
        }
        self._train = self.compiled(self._train_loop)
        self._forward = self.compiled(self._infer)
        self._loss_gradients = self.compiled(self._gradients_of_batch)
        self._are_finite = self.compiled(_all_finite)

    def to_device(self, array: np.ndarray) -> Any:
        if is_aligned(array) and accelerator() is None:
            # Shared: a constant would take the memory twice more.
            return tf.experimental.dlpack.from_dlpack(array.__dlpack__())
        return tf.constant(array)

    def fetch(self, arrays: Any) -> Any:
        return tf.nest.map_structure(lambda array: array.numpy(), arrays)

    def compile(self) -> None:
        """Run the program over zero steps: everything is compiled and nothing changes."""
        self.update(self.segment_inputs(0, 1), 0)
        self.is_finite()

    def copy_state(self) -> list[Any]:
        return _copy(self._state.values())

    def restore_state(self, state: list[Any]) -> None:
        _restore(self._state.values(), state)

    def is_finite(self) -> bool:
        return bool(self.fetch(self._are_finite(self.weights())))

    def forward(self, images: Any) -> Any:
        return self._forward(tf.convert_to_tensor(images))

    def watch(self, program: Callable[..., list[Any]], images: Any) -> list[Any]:
        return program(images)

    def weights(self) -> list[Any]:
        # As tensors: a program is traced anew for variables.
        return [tf.convert_to_tensor(variable.value) for variable in self._weights]

    def loss_gradients(self, step: int) -> list[Any]:
        inputs = self.inputs(step, step + 1)
        first = {name: tf.constant(value[0]) for name, value in inputs.distortions.items()}
        return self._loss_gradients(
            inputs.table, inputs.labels, tf.constant(inputs.indices[0]), first
        )

    def device(self) -> str:
        return accelerator() or processor()

    def model(self) -> keras.Model:
        return self.network.model

    def variables(self, paths: Collection[str] | None = None) -> Arrays:
        chosen = self._state if paths is None else paths
        return {path: self._state[path].numpy() for path in chosen}

    def assign(self, values: Arrays) -> None:
        for path, value in values.items():
            self._state[path].assign(value)

    def update(self, inputs: Inputs, steps: int) -> tuple[np.ndarray, np.ndarray]:
        table, labels, *own = inputs.padded(self.segment_steps).arguments
        seen = self._train(
            table, labels, *tf.nest.map_structure(tf.constant, own), tf.constant(steps)
        )
        loss, correct = self.fetch(seen)
        return loss[:steps], correct[:steps]

    def _train_loop(
        self, table: Any, labels: Any, indices: Any, rates: Any, distortions: Any, steps: Any
    ) -> tuple[Any, Any]:
        """The compiled program: `steps` updates, and each one's loss and number of hits."""

        def body(step: Any, losses: Any, corrects: Any) -> tuple[Any, Any, Any]:
            here = {name: value[step] for name, value in distortions.items()}
            loss, correct, gradients = self._differentiate(table, labels, indices[step], here)
            self.optimizer.learning_rate.assign(rates[step])
            self.optimizer.apply(gradients, self._weights)
            return step + 1, losses.write(step, loss), corrects.write(step, correct)

        size = self.segment_steps
        losses = tf.TensorArray(self.assembler.dtype, size, element_shape=())
        corrects = tf.TensorArray(tf.int32, size, element_shape=())
        _, losses, corrects = tf.while_loop(
            lambda step, *_: step < steps,
            body,
            (tf.constant(0), losses, corrects),
            parallel_iterations=1,
        )
        return losses.stack(), corrects.stack()

    def _differentiate(
        self, table: Any, labels: Any, indices: Any, distortions: Any
    ) -> tuple[Any, Any, list[Any]]:
        images = self.assembler.assemble(table, indices, distortions)
        targets = tf.gather(labels, indices)
        weights = [variable.value for variable in self._weights]
        with tf.GradientTape() as tape:
            logits = self.network.model(images, training=True)
            loss = cross_entropy(targets, logits)
        gradients = tape.gradient(loss, weights)
        gradients = add_l2_gradients(gradients, weights, self._kernels, self.config.l2)
        return loss, num_correct(targets, logits), gradients

    def _gradients_of_batch(
        self, table: Any, labels: Any, indices: Any, distortions: Any
    ) -> list[Any]:
        differentiate = partial(self._differentiate, table, labels, indices, distortions)
        return self._undisturbed(differentiate)[2]

    def _infer(self, images: Any) -> Any:
        rows = tf.range(tf.shape(images)[0])
        return self.network.model(self.assembler.assemble(images, rows, {}), training=False)

    def watcher(
        self, tensors: list[Any], reduce: Callable[[list[Any]], list[Any]]
    ) -> Callable[[Any], list[Any]]:
        """A program that computes inner values of the network in batch mode and reduces them."""
        watched = keras.Model(self.network.model.inputs, tensors)

        def watch(images: Any) -> list[Any]:
            rows = tf.range(tf.shape(images)[0])
            batch = self.assembler.assemble(images, rows, {})
            # Keras gives a single tensor without its list.
            with without_dropout():
                return self._undisturbed(
                    lambda: reduce(keras.tree.flatten(watched(batch, training=True)))
                )

        return self.compiled(watch)

    def compiled(self, function: Callable[..., Any]) -> Callable[..., Any]:
        return tf.function(function, jit_compile=self.loops, autograph=False)

    def _undisturbed(self, compute: Callable[[], Any]) -> Any:
        """`compute`'s value, with what it updates on the way (moving statistics) put back."""
        updated = self.network.model.non_trainable_variables
        before = _copy(updated)
        value = compute()
        _restore(updated, before)
        return value


def accelerator() -> str | None:
    """The name of the accelerator that trains, None on a CPU."""
    for gpu in tf.config.list_physical_devices("GPU"):
        return tf.config.experimental.get_device_details(gpu)["device_name"]
    return None


def _all_finite(weights: list[Any]) -> Any:
    return tf.reduce_all([tf.reduce_all(tf.math.is_finite(weight)) for weight in weights])


def _copy(variables: Iterable[Any]) -> list[Any]:
    return [tf.identity(variable.value) for variable in variables]


def _restore(variables: Iterable[Any], values: list[Any]) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
