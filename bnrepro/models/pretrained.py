"""Weights of a file for a family of `keras.applications`: read by Keras, and checked.

Keras reads `.weights.h5` by the kinds of the layers, and the `.h5` that it downloads by their
order. It is content with less than the file holds, and with more: what was read is looked at here.
"""

import tempfile
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np

from bnrepro.config import ConfigError, RunConfig, first_few, shown
from bnrepro.config.weights_file import file_of

# Mean and deviation of ImageNet's pixels, from 0 to 1, by channel.
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
# What h5py and Keras raise on files that are cut short, damaged, or another network's.
_UNREADABLE = (OSError, ValueError, KeyError, TypeError, RuntimeError, AttributeError)

Pair = tuple[keras.layers.Layer, keras.layers.Layer]


@dataclass(frozen=True)
class Loaded:
    """Weights to begin with, by the paths of a network's variables; of most networks none."""

    values: dict[str, np.ndarray] = field(default_factory=dict)
    told: str = ""  # which these are, in a line


def load(original: keras.Model, config: RunConfig) -> list[keras.layers.Layer]:
    """Let a family have the weights of `config.model.weights_file`; the layers that it has none of.

    These are at its end: the classifier, where the file has another number of classes or none, and
    what comes with it. Their weights are not numbers then.

    Raises:
        ConfigError: if the file cannot be read, or is not of the family.
    """
    file = file_of(config)
    whole = f"model.weights_file={shown(file)}"
    try:
        is_legacy, number = _described(file)
        parts = {len(part.weights): part for part in _parts(original)}
        if number in parts:
            _forget(original)
            _read(parts[number], file, is_legacy)
    except _UNREADABLE as error:
        raise ConfigError(
            f"{whole}: cannot be read as weights of {config.model.application}, whole or without "
            "its classifier; it is damaged, or of another family"
        ) from error
    if number not in parts:
        raise ConfigError(
            f"{whole}: holds {number} weights; expected one of {', '.join(map(str, parts))}, which "
            f"{config.model.application} has whole or without its classifier"
        )
    return _without_weights(original, whole, config)


def rescaling_of(layer: keras.layers.Layer) -> list[float] | None:
    """By what Keras's EfficientNet multiplies behind its normalization, with ImageNet's weights.

    That normalization divides by the root of the deviation; Keras adds the other root where it
    loads the weights itself, and not where it loads a file.
    """
    if not (isinstance(layer, keras.layers.Normalization) and layer.weights):
        return None
    mean = _array(layer.adapt_mean)
    return (1 / np.sqrt(_DEVIATION)).tolist() if np.allclose(mean, _MEAN, atol=1e-3) else None


def taken_over(
    pairs: Iterable[Pair], anew: Sequence[keras.layers.Layer], config: RunConfig
) -> Loaded:
    """The weights of a family's layers for those that stand in their places."""
    values, epsilons = {}, set()
    for original, ours in pairs:
        if isinstance(original, keras.layers.BatchNormalization):
            epsilons.add(original.epsilon)
        if original not in anew:
            for one, other in zip(original.weights, ours.weights, strict=True):
                values[other.path] = _array(one)
    return Loaded(values, _told(len(values), anew, epsilons - {config.batch_normalization.epsilon}))


def _told(number: int, anew: Sequence[keras.layers.Layer], others: set[float]) -> str:
    parts = [f"begins with {number} weights of model.weights_file"]
    if anew:
        parts.append(f"anew: {first_few(layer.name for layer in anew)}")
    if others:
        numbers = " or ".join(f"{each:g}" for each in sorted(others))
        parts.append(f"the family's own batch_normalization.epsilon={numbers} is another")
    return "; ".join(parts)


def _described(file: Path) -> tuple[bool, int]:
    """Whether a file is of the older kind, and how many weights it holds."""
    names: list[str] = []
    with h5py.File(file) as stored:
        is_legacy = "layer_names" in stored.attrs or "model_weights" in stored
        inner = "model_weights" if "model_weights" in stored else "/"
        top = stored[inner if is_legacy else "layers"]
        top.visititems(lambda name, each: names.append(name) if _is_array(each) else None)
    beside = ("optimizer_weights/", "top_level_model_weights/")
    counted = [n for n in names if not n.startswith(beside) and "seed_generator" not in n]
    return is_legacy, len(counted)


def _is_array(stored: Any) -> bool:
    return isinstance(stored, h5py.Dataset)


def _parts(original: keras.Model) -> list[keras.Model]:
    """The family without its classifier, without what follows the last pooling, and whole.

    Of which of them a file is, its number of weights says.
    """
    before = [_input_of(layer) for layer in (_classifier(original), _pooling(original))]
    return [*(keras.Model(original.inputs, tensor) for tensor in before), original]


def _input_of(layer: keras.layers.Layer) -> Any:
    return layer._inbound_nodes[0].input_tensors[0]


def _classifier(original: keras.Model) -> keras.layers.Layer:
    return [layer for layer in original.layers if hasattr(layer, "kernel")][-1]


def _pooling(original: keras.Model) -> keras.layers.Layer:
    """What makes one vector of the last feature maps."""
    kinds = keras.layers.GlobalAveragePooling2D, keras.layers.Flatten
    found = [[each for each in original.layers if isinstance(each, kind)] for kind in kinds]
    pooled, flattened = found
    return pooled[-1] if pooled else flattened[0]


def _forget(original: keras.Model) -> None:
    """Let no weight be a number, so that it can be seen of which a file has none."""
    for each in original.weights:
        if keras.backend.is_float_dtype(each.dtype):
            each.assign(np.full(each.shape, np.nan, each.dtype))


def _read(model: keras.Model, file: Path, is_legacy: bool) -> None:
    """Let Keras read what a file has of the model's weights, whatever the file is called."""
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # says of each layer what it lacks
        link = Path(folder) / ("stored.h5" if is_legacy else "stored.weights.h5")
        link.symlink_to(file.resolve())
        model.load_weights(link, skip_mismatch=True)


def _without_weights(
    original: keras.Model, whole: str, config: RunConfig
) -> list[keras.layers.Layer]:
    """The layers from the first on of which the file had no weights, all behind the pooling."""
    weighted = [layer for layer in original.layers if layer.weights]
    lacking = [place for place, layer in enumerate(weighted) if not _is_finite(layer)]
    if not lacking:
        return []
    features = {id(weight) for weight in _parts(original)[1].weights}
    first = weighted[lacking[0]]
    if any(id(weight) in features for weight in first.weights):
        raise ConfigError(
            f"{whole}: has no finite weights of the shape of {first.name} in "
            f"{config.model.application}; it is damaged, or of another family"
        )
    return weighted[lacking[0] :]


def _is_finite(layer: keras.layers.Layer) -> bool:
    return all(np.isfinite(_array(each)).all() for each in layer.weights)


def _array(variable: Any) -> np.ndarray:
    return np.asarray(keras.ops.convert_to_tensor(variable))
