"""The JAX engine: pure steps over (trainable, non-trainable, optimizer) variables.

Dense networks, and everything on a GPU, go through one compiled loop. Convolutions inside a
compiled loop are ten times slower on a CPU than one jitted step per call: there the loop is
Python's, over donated buffers.
"""

from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, partial
from typing import Any

import jax
import jax.numpy as jnp
import keras
import numpy as np

from bnrepro.config import Recipe
from bnrepro.data import Dataset
from bnrepro.engine import processes
from bnrepro.engine.contract import Engine
from bnrepro.engine.jax_looking import JaxLooker
from bnrepro.engine.jax_loop import Constants, State, all_finite, copied, repeat
from bnrepro.engine.loss import add_l2_gradients, cross_entropy, kernel_positions, num_correct
from bnrepro.engine.optimizers import momentum_of
from bnrepro.engine.placement import place
from bnrepro.engine.segment import Arrays, Inputs
from bnrepro.models import Network
from bnrepro.records.environment import processor

_LOOP_SEGMENT_STEPS = 500
_STEP_SEGMENT_STEPS = 25


class JaxEngine(JaxLooker, Engine):
    """Keeps its state as arrays of its own; see `Engine` for the contract."""

    def __init__(
        self,
        network: Network,
        optimizer: keras.optimizers.Optimizer,
        dataset: Dataset,
        config: Recipe,
    ) -> None:
        self._placement = place(config)
        super().__init__(network, optimizer, dataset, config)
        self._placement.check(self.order.batch_size)
        self.on_accelerator = jax.default_backend() != "cpu"
        self.loops = network.is_dense or self.on_accelerator
        self.kind = "jax loop" if self.loops else "jax step"
        segment_steps = _LOOP_SEGMENT_STEPS if self.loops else _STEP_SEGMENT_STEPS
        self.segment_steps = self._steps_within_memory(segment_steps)
        model = network.model
        self._kernels = kernel_positions(model)
        self._variables = (
            model.trainable_variables,
            model.non_trainable_variables,
            optimizer.variables,
        )
        self._rate_position = [v.path for v in optimizer.variables].index(
            optimizer._learning_rate.path
        )
        # From the host, where the network was built: nothing is compiled for it.
        initial = jax.tree.map(lambda variable: np.array(variable.value), self._variables)
        self.state: State = self._placement.replicate(initial)
        self.trains_alone = True
        self._forward = self.compiled(self._infer)
        self._forward_all = self.compiled(self.infer_all)
        self.compile_gradients()

    def compile_gradients(self) -> None:
        """Have the program of `gradients` compiled anew, at its first call, under this config."""
        self._loss_gradients = self.compiled(self._gradients_of_batch)

    def share_programs(self) -> None:
        """Have copies of this engine share its programs and images; another one trains them all."""
        self.trains_alone = False
        shared = ["_tally", "_norms"]
        if self.network.pre_activations:
            shared.append("watch_activations")
        if self.network.batch_normalizations:
            shared += ["watch_moments", "_average_moments"]
        if self._lies_in_memory(self.dataset.evaluation):
            shared += ["_evaluation_batches", "_evaluation_targets"]
        for name in shared:
            getattr(self, name)

    def to_device(self, array: np.ndarray) -> Any:
        # On a processor it shares the memory, where that is aligned.
        return self._placement.replicate(array)

    def batch_to_device(self, images: np.ndarray) -> Any:
        return jax.device_put(self._placement.split(images))

    def fetch(self, arrays: Any) -> Any:
        return jax.device_get(arrays)

    def compile(self) -> None:
        """Compile ahead of time: nothing is trained."""
        if self.trains_alone:
            _ = self._train_segment if self.loops else self._train_step
        self.is_finite()
        self.copy_state()

    def prepare(self, preparations: Sequence[Callable[[], None]]) -> None:
        if processes.count() > 1:  # they do everything in the same order
            super().prepare(preparations)
            return
        # Tracing takes turns, XLA's compiler does not. A thread of Keras's begins with no policy.
        policy = partial(keras.config.set_dtype_policy, keras.config.dtype_policy())
        with ThreadPoolExecutor(len(preparations), initializer=policy) as pool:
            for done in [pool.submit(each) for each in preparations]:
                done.result()

    def copy_state(self) -> State:
        return copied(self.state)

    def restore_state(self, state: State) -> None:
        # The programs take the buffers of the state that they are given.
        self.state = copied(state)

    def is_finite(self) -> bool:
        return bool(all_finite(self.state[0]))

    def compiled(self, function: Callable[..., Any]) -> Callable[..., Any]:
        return self._placement.jit(function)

    def loss_gradients(self, step: int) -> list[Any]:
        table, labels, indices, _, distortions = self._row(self.inputs(step, step + 1), 0)
        return self._loss_gradients(self.state, table, labels, indices, distortions)

    def weights(self) -> list[Any]:
        return self.state[0]

    def device(self) -> str:
        return self._placement.named(accelerator() or processor())

    def model(self) -> keras.Model:
        for variable, value in zip(
            self._flat_variables(), jax.tree.leaves(self.state), strict=True
        ):
            variable.assign(value)
        return self.network.model

    def variables(self, paths: Collection[str] | None = None) -> Arrays:
        values = zip(self._paths(), jax.tree.leaves(self.state), strict=True)
        chosen = {path: at for path, at in values if paths is None or path in paths}
        variables: Arrays = self.fetch(chosen)
        return variables

    def assign(self, values: Arrays) -> None:
        leaves, structure = jax.tree.flatten(self.state)
        merged = [
            self.to_device(np.array(values[path], leaf.dtype)) if path in values else leaf
            for path, leaf in zip(self._paths(), leaves, strict=True)
        ]
        self.state = jax.tree.unflatten(structure, merged)

    def _flat_variables(self) -> list[Any]:
        return [variable for group in self._variables for variable in group]

    def _paths(self) -> list[str]:
        owners = ("model", "model", "optimizer")
        return [
            f"{owner}/{variable.path}"
            for owner, group in zip(owners, self._variables, strict=True)
            for variable in group
        ]

    def update(self, inputs: Inputs, steps: int) -> tuple[np.ndarray, np.ndarray]:
        if self.loops:
            rows = self._rows(inputs)
            self.state, *seen = self._train_segment(self.state, *rows, steps)
            loss, correct = self.fetch(seen)
            return loss[:steps], correct[:steps]
        seen = []
        for step in range(steps):
            self.state, *numbers = self._train_step(self.state, *self._row(inputs, step))
            seen.append(numbers)
        loss, correct = zip(*self.fetch(seen), strict=True)
        return np.array(loss), np.array(correct)

    def loop(
        self, state: State, table: Any, labels: Any, indices: Any, rates: Any, distortions: Any,
        steps: Any,
    ) -> tuple[State, Any, Any]:  # fmt: skip
        """The compiled program: `steps` updates, and each one's loss and number of hits."""

        def advance(state: State, indices: Any, rate: Any, here: Any) -> tuple[State, Any, Any]:
            return self.step(state, table, labels, indices, rate, here)

        return repeat(advance, state, (indices, rates, distortions), steps)

    def step(
        self, state: State, table: Any, labels: Any, indices: Any, rate: Any, distortions: Any,
        given: Constants | None = None,
    ) -> tuple[State, Any, Any]:  # fmt: skip
        """One update of the weights; its loss and number of hits.

        `given` are tensors in place of the config's own numbers, of which none may be 0 where the
        config's is not, or the other way round.
        """
        trainable, _, optimizer = state
        l2 = given.l2 if given and self.config.l2 else self.config.l2
        gradients, (loss, correct, non_trainable) = self._differentiate(
            state, table, labels, indices, distortions, l2
        )
        # Keras's update rule reads the rate from a variable of the optimizer, a part of the state;
        # rates come from the host, the same numbers for both backends.
        optimizer = list(optimizer)
        optimizer[self._rate_position] = rate.astype(optimizer[self._rate_position].dtype)
        with momentum_of(self.optimizer, given.momentum if given else None):
            trainable, optimizer = self.optimizer.stateless_apply(optimizer, gradients, trainable)
        return (list(trainable), list(non_trainable), list(optimizer)), loss, correct

    def _differentiate(
        self, state: State, table: Any, labels: Any, indices: Any, distortions: Any, l2: Any
    ) -> tuple[list[Any], tuple[Any, Any, list[Any]]]:
        trainable, non_trainable, _ = state
        assembled = self.assembler.assemble(table, indices, distortions)
        images = self._placement.split_traced(assembled)
        targets = jnp.take(labels, indices)

        def compute_loss(weights: list[Any]) -> tuple[Any, tuple[Any, list[Any]]]:
            logits, updated = self.network.model.stateless_call(
                weights, non_trainable, images, training=True
            )
            return cross_entropy(targets, logits), (logits, updated)

        differentiate = jax.value_and_grad(compute_loss, has_aux=True)
        (loss, (logits, updated)), gradients = differentiate(trainable)
        gradients = add_l2_gradients(gradients, trainable, self._kernels, l2)
        return gradients, (loss, num_correct(targets, logits), updated)

    def _gradients_of_batch(
        self, state: State, table: Any, labels: Any, indices: Any, distortions: Any
    ) -> list[Any]:
        l2 = self.config.l2
        return self._differentiate(state, table, labels, indices, distortions, l2)[0]

    @cached_property
    def _train_segment(self) -> Callable[..., tuple[State, Any, Any]]:
        """The compiled loop, compiled ahead of time."""
        rows = self._rows(self.segment_inputs(0, 1))
        loop = self._placement.jit(self.loop, donate_argnums=0)
        return loop.lower(self.state, *rows, 0).compile()

    @cached_property
    def _train_step(self) -> Callable[..., tuple[State, Any, Any]]:
        """One step, compiled ahead of time."""
        step = self._placement.jit(self.step, donate_argnums=0)
        return step.lower(self.state, *self._row(self.segment_inputs(0, 1), 0)).compile()

    def _rows(self, inputs: Inputs) -> tuple[Any, ...]:
        """What the loop takes beside the state: the inputs of as many steps as it has room for."""
        table, labels, indices, rates, distortions = inputs.padded(self.segment_steps).arguments
        split = partial(self._placement.split, axis=1)
        return table, labels, split(indices), rates, jax.tree.map(split, distortions)

    def _row(self, inputs: Inputs, step: int) -> tuple[Any, ...]:
        """What one step takes beside the state."""
        split = self._placement.split
        here = {name: split(values[step]) for name, values in inputs.distortions.items()}
        return inputs.table, inputs.labels, split(inputs.indices[step]), inputs.rates[step], here


def accelerator() -> str | None:
    """The name of the accelerator that trains, None on a CPU."""
    device = jax.devices()[0]
    return None if device.platform == "cpu" else device.device_kind
