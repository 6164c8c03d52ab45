"""Words for what the runs of an exhibit were made on."""

import math
from collections.abc import Iterable
from typing import Any

import pandas as pd

from bnrepro.tables.wording import span

_DATA = {
    "digits": "digits",
    "mnist": "MNIST",
    "fashion_mnist": "Fashion-MNIST",
    "cifar10": "CIFAR-10",
    "image_folder": "own images",
}
_BACKENDS = {"tensorflow": "TensorFlow", "jax": "JAX"}
# A network in words; one that is missing here goes by its own name and width.
_MODELS = {
    "mlp": "{hidden_layers} layers of {units:g} {activation} units",
    "cnn": "CNN at width {width:g}",
    "vgg_a": "VGG-A at width {width:g}",
    "resnet": "ResNet at width {width:g}",
    "lstm": "LSTM of {units:g} units",
    "inception": "Inception at width {width:g}",
}


def setting(runs: pd.DataFrame) -> str:
    """Data set, network, width, batch size and number of seeds, for titles."""
    seeds = span(runs.groupby("label").size())
    return f"{_network(runs)}, n = {seeds} {'seed' if seeds == '1' else 'seeds'}"


def setting_of_one_each(runs: pd.DataFrame) -> str:
    """Data set, network, batch size and number of networks, for runs that are all different."""
    return f"{_network(runs)}, {len(runs)} networks"


def _network(runs: pd.DataFrame) -> str:
    data = _each(data_set(name) for name in runs["data.name"])
    binary = "binary " if runs["config.data.binary"].all() else ""
    shapes = ["config.model.name", "config.model.width", "config.model.hidden_layers"]
    models = _each(_model(shape, of_shape) for shape, of_shape in runs.groupby(shapes))
    batch = _each(f"{size}" for size in runs["config.batch_size"])
    return f"{binary}{data}, {models}, batch {batch}"


def made_on(runs: pd.DataFrame, study: str = "") -> str:
    """How many runs, of a study, took how long on which device: a sentence.

    `runs` is a frame of `loading.load_runs`.
    """
    of_study = f" of study={study}" if study else ""
    seconds, devices = runs["seconds.total"], runs["environment.device"]
    size, unit = (60, "minutes") if seconds.max() >= 120 else (1, "seconds")
    backends = _each(_BACKENDS.get(name, name) for name in runs["environment.backend"])
    threads = _each(str(number) for number in runs["environment.threads"])
    mixed = int((runs.assign(device=devices).groupby("seed")["device"].nunique() > 1).sum())
    each = f"{mixed} of the seeds on several" if mixed else "each seed on one of them"
    which = f" ({each})" if devices.nunique() > 1 else ""
    return (
        f"The {len(runs)} runs{of_study} took {seconds.min() / size:.0f} to "
        f"{seconds.max() / size:.0f} {unit} each, {seconds.sum() / 3600:.1f} hours together, under "
        f"{backends} on {_each(devices)}{which}, with {threads} "
        f"{'thread' if threads == '1' else 'threads'} a run."
    )


def data_set(name: str) -> str:
    """A data set in words: `CIFAR-10` for `cifar10`; one of a person's own by its own name."""
    return _DATA.get(name, name)


def percent(fraction: float, digits: int = 1) -> str:
    """`97.5 %`."""
    return f"{100 * fraction:.{digits}f} %"


def listed(words: Iterable[str]) -> str:
    """`BN-x5`, or `50, 60 and 70`."""
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last


def points(difference: float, digits: int) -> str:
    """A difference of fractions in percentage points, with its sign: `+0.41`.

    Half of the last digit is rounded away from 0, whatever the last bits of a float are.
    """
    return f"{100 * difference + math.copysign(1e-6, difference):+.{digits}f}"


def _model(shape: Any, runs: pd.DataFrame) -> str:
    name, width, hidden_layers = shape
    activation = _each(runs["config.activation"])
    return _MODELS.get(name, "{name} at width {width:g}").format(
        name=name,
        width=width,
        hidden_layers=hidden_layers,
        units=100 * width,
        activation=activation,
    )


def _each(words: Iterable[str]) -> str:
    """Shorter ones first, so that numbers are in order."""
    *most, last = sorted(set(words), key=lambda word: (len(word), word))
    return f"{', '.join(most)} or {last}" if most else last
