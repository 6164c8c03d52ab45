"""The network that a run has trained: as a Keras model, or in an engine that can be asked."""

import os
import sys
import warnings
import zlib
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import BadZipFile, ZipFile

import numpy as np

from bnrepro.config import ConfigError, backend, flatten
from bnrepro.config.composition import compose
from bnrepro.config.overrides import overrides_of
from bnrepro.records.checking import AGAIN
from bnrepro.records.run_directory import read_config, snapshot_path

if TYPE_CHECKING:
    import keras
    import pandas as pd

    from bnrepro.engine import Engine

MODEL = "model.keras"


def load_model(run: "str | Path | pd.Series") -> "keras.Model":
    """The network of a finished run, with the weights of its last step, ready to be called.

    The model takes images as they are, uint8 with pixels from 0 to 255, (examples, height, width,
    channels), of the size and channels that the run was trained on, and gives class probabilities,
    (examples, classes): its first layer, `scaling`, does what was done in training, minus the mean
    and divided by the deviation of the training images where the run's `input_normalization` is
    true. It is in inference mode unless it is called with `training=True`: normalized by moving
    averages, without dropout. `model.layers[2]` is the network by itself, which gives logits.

        model = bnrepro.load_model("results/runs/mlp-digits-x1/seed_0")
        digits = sklearn.datasets.load_digits()
        images = np.rint(digits.images[..., None] * 255 / 16).astype("uint8")  # of 0 to 16
        print((model.predict(images).argmax(axis=1) == digits.target).mean())

    Plain `keras.saving.load_model` reads the file `model.keras` too, after `import bnrepro.models`.

    Args:
        run: the directory of a run, or its `model.keras`, or a row of `load_runs`.

    Raises:
        FileNotFoundError: if there is no model, such as in a published run: models are not kept in
            version control.
        ConfigError: if the file is damaged, or a part of somebody's own that it has is not there or
            has changed since.
        ValueError: if an earlier bnrepro saved the network alone.
    """
    path = Path(run if isinstance(run, str | Path) else run["directory"])
    path = path / MODEL if path.suffix != ".keras" else path
    if not path.is_file():
        raise FileNotFoundError(
            f"{path}: no model; expected the directory of a run that was trained here, such as "
            "results/runs/mlp-digits-x1/seed_0 (models are not published with the records)"
        )
    _check_whole(path)
    if not _is_from_pixels(path):
        raise ValueError(
            f"{path}: an earlier bnrepro saved it, without its scaling; train the run again"
        )
    if "keras" not in sys.modules:
        _choose_backend()
    import keras

    import bnrepro.models  # noqa: F401  The layers that a file names must be known to Keras.
    from bnrepro import own

    config = path.with_name("config.yaml")
    known = own.objects_of(flatten(read_config(config))) if config.is_file() else {}
    return keras.saving.load_model(path, custom_objects=known, compile=False)


def load_engine(
    run: str | Path, step: int | None = None, overrides: Sequence[str] = ()
) -> "Engine":
    """The engine of a run, with the weights of its last step or of a snapshot.

    It holds the run's data, and scores, measures and trains as in the run; `engine.build_probe`
    asks it about other weights. Only what the optimizer remembers is not there: it begins anew.

        engine = bnrepro.load_engine("results/runs/mlp-digits-x1/seed_0")
        loss, accuracy = bnrepro.measures.evaluation.evaluate(engine, engine.config)

    Args:
        run: the directory of a run.
        step: one of the run's `snapshots`; without it the last step of a completed run.
        overrides: what no run records, such as `data.root=FOLDER`, `model.weights_file=FILE` of a
            run that began with one, or `device=cpu`.

    Raises:
        ConfigError: if the config or the data cannot be read, the weights are damaged or another
            network's, or Keras is loaded already with another backend than the run's.
        FileNotFoundError: if the weights are not there, such as in a published run.
    """
    directory = Path(run)
    weights = directory / MODEL if step is None else snapshot_path(directory, step)
    if not weights.is_file():
        raise FileNotFoundError(
            f"{weights}: no weights; expected those of a run that was trained here to its end, or "
            "a step of its snapshots (neither is published with the records)"
        )
    _check_whole(weights)
    composition = compose([*overrides_of(read_config(directory / "config.yaml")), *overrides])
    backend.select(composition.config)
    from bnrepro.training import build_engine

    engine = build_engine(composition)
    try:
        values = _model_values(engine, weights) if step is None else _snapshot_values(weights)
        engine.assign({f"model/{path}": value for path, value in values.items()})
    except (KeyError, ValueError, UserWarning) as error:
        raise ConfigError(
            f"{weights}: not the weights of the network in config.yaml beside it; {AGAIN}"
        ) from error
    return engine


def _check_whole(path: Path) -> None:
    """Refuse weights, or a model, of which a part is lost or altered.

    Raises:
        ConfigError: then.
    """
    try:
        with ZipFile(path) as stored:
            damaged = stored.testzip()
    except (BadZipFile, EOFError, NotImplementedError, RuntimeError, ValueError, zlib.error):
        damaged = path.name
    if damaged is not None:
        raise ConfigError(f"{path}: cut short or damaged; {AGAIN}")


def _model_values(engine: "Engine", path: Path) -> dict[str, np.ndarray]:
    import keras

    model = engine.model_from_pixels() if _is_from_pixels(path) else engine.network.model
    with warnings.catch_warnings():
        # Of what a file does not have, Keras keeps the initial weights.
        warnings.filterwarnings("error", message="Skipping nested container")
        model.load_weights(path)
    variables = engine.network.model.variables
    return {each.path: keras.ops.convert_to_numpy(each) for each in variables}


def _is_from_pixels(path: Path) -> bool:
    """Whether a model's file holds its scaling, or the network alone as before."""
    with ZipFile(path) as stored:
        return b"bnrepro>Scaling" in stored.read("config.json")


def _snapshot_values(path: Path) -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files}


def _choose_backend() -> None:
    """TensorFlow unless the environment says otherwise, or JAX alone is installed."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if find_spec("tensorflow") is None:
        os.environ.setdefault("KERAS_BACKEND", "jax")
