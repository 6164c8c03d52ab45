"""Derivatives and compiled programs of a probe under TensorFlow."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from bnrepro.engine.probe import Function


class TensorFlowCalculus:
    """See `engine.probe.Calculus`."""

    def __init__(self, loops: bool) -> None:
        """`loops`: whether XLA is quick, as it is not for convolutions on a CPU."""
        self._loops = loops

    def value_and_gradient(self, function: Function, point: Any) -> tuple[Any, Any]:
        with tf.GradientTape() as tape:
            tape.watch(point)
            value = function(point)
        return value, tape.gradient(value, point)

    def hessian_product(self, function: Function, point: Any, direction: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(point)
            _, gradient = self.value_and_gradient(function, point)
            slope = tf.reduce_sum(gradient * direction)
        return tape.gradient(slope, point)

    def each(self, program: Callable[..., Any]) -> Callable[..., Any]:
        def over_rows(rows: tuple[Any, ...], shared: tuple[Any, ...]) -> Any:
            def one(row: tuple[Any, ...]) -> Any:
                return program(*row, *shared)

            first = tuple(values[0] for values in rows)
            answer = tf.function(one, autograph=False).get_concrete_function(first)
            specs = tf.nest.map_structure(
                lambda value: tf.TensorSpec(value.shape, value.dtype), answer.structured_outputs
            )
            return tf.map_fn(one, rows, parallel_iterations=1, fn_output_signature=specs)

        compiled = tf.function(over_rows, jit_compile=self._loops, autograph=False)
        return lambda rows, shared: compiled(*tf.nest.map_structure(tf.constant, (rows, shared)))
