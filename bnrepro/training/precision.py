"""Keras's global number formats, set before a network is built."""

import keras


def set_precision(precision: str) -> None:
    """Let layers compute and store as `config.precision` says."""
    if precision == "float64":
        keras.config.set_floatx("float64")
        _keep_double_precision()
    keras.config.set_dtype_policy(precision)


def _keep_double_precision() -> None:
    """Outside TensorFlow Keras narrows float64 to float32 in `ops.mean` and what is built on it.

    There is no public switch: the table by which it narrows is mended.
    """
    from keras.src.backend.common import dtypes

    dtypes.BIT64_TO_BIT32_DTYPE["float64"] = "float64"
