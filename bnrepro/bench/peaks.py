"""What the machine can do: the largest matrix product, and on a GPU the fastest copy.

Measured through Keras's backend, in the process that trains with it.
"""

import time
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

_CPU_SIZES = (512, 1024, 2048)
_GPU_SIZES = (2048, 4096, 8192)
_PRODUCTS = 8
_CALLS = 3
_COPIED_BYTES = 2**30


def device() -> tuple[str | None, bool]:
    """(name, whether it is an accelerator) of what the backend computes on; no name for a CPU."""
    if keras.config.backend() == "jax":
        import jax

        first = jax.devices()[0]
        return (None, False) if first.platform == "cpu" else (first.device_kind, True)
    if keras.config.backend() == "torch":
        import torch

        found = torch.cuda.is_available()
        return (torch.cuda.get_device_name(), True) if found else (None, False)
    import tensorflow as tf

    for gpu in tf.config.list_physical_devices("GPU"):
        return tf.config.experimental.get_device_details(gpu)["device_name"], True
    return None, False


def num_devices() -> int:
    """How many devices one program of the backend can use: under JAX all that it finds."""
    if keras.config.backend() != "jax":
        return 1
    import jax

    return jax.device_count()


def matrix_product_flops(dtype: str) -> float:
    """The most floating-point operations per second of a product of square matrices."""
    sizes = _GPU_SIZES if device()[1] else _CPU_SIZES
    return max(_flops(size, dtype) for size in sizes)


def copy_bytes() -> float:
    """Bytes read and written per second by a program that negates an array in memory."""
    values = ops.zeros(_COPIED_BYTES // 4, "float32")
    return 2 * _COPIED_BYTES / _shortest(_compiled(lambda array: -array), values)


def _flops(size: int, dtype: str) -> float:
    numbers = np.random.default_rng(0).standard_normal((size, size), np.float32)
    # A product of such matrices has the size of its factors: nothing grows.
    matrix = ops.cast(ops.convert_to_tensor(numbers / np.sqrt(size)), dtype)

    def products(values: Any) -> Any:
        for _ in range(_PRODUCTS):
            values = ops.matmul(values, matrix)
        return values

    return _PRODUCTS * 2 * size**3 / _shortest(_compiled(products), matrix)


def _compiled(compute: Callable[[Any], Any]) -> Callable[[Any], Any]:
    if keras.config.backend() == "jax":
        import jax

        program = jax.jit(compute)
        return lambda values: jax.block_until_ready(program(values))
    import tensorflow as tf

    graph = tf.function(compute, autograph=False)

    def run(values: Any) -> Any:
        graph(values)
        tf.test.experimental.sync_devices()

    return run


def _shortest(run: Callable[[Any], Any], values: Any) -> float:
    """The seconds of the quickest of some calls, the first left out."""
    run(values)
    seconds = []
    for _ in range(_CALLS):
        started = time.perf_counter()
        run(values)
        seconds.append(time.perf_counter() - started)
    return min(seconds)
