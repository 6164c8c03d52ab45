"""The network that a run has trained, as a Keras model, for a notebook."""

import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras

MODEL = "model.keras"


def load_model(run: str | Path) -> "keras.Model":
    """The network of a finished run, with the weights of its last step, ready to be called.

    The model takes images as floats, (examples, height, width, channels), of the size and channels
    that the run was trained on, with pixels from 0 to 1: a pixel of 0 to 255 is divided by 255, one
    of scikit-learn's digits, 0 to 16, by 16. Where the run's `config.yaml` says
    `input_normalization: true`, they are then normalized as in training: minus the mean, divided by
    the standard deviation, of the training images per channel. The model gives logits, (examples,
    classes), of which `keras.ops.softmax` makes probabilities. It is in inference mode unless it is
    called with `training=True`: normalized by moving averages, without dropout.

        model = bnrepro.load_model("results/runs/mlp-digits-x1/seed_0")
        digits = sklearn.datasets.load_digits()
        logits = model.predict(digits.images[..., None] / 16)
        print((logits.argmax(axis=1) == digits.target).mean())

    Args:
        run: the directory of a run, or its `model.keras`.

    Raises:
        FileNotFoundError: if there is no model, such as in a published run: models are not kept in
            version control.
    """
    path = Path(run)
    path = path / MODEL if path.suffix != ".keras" else path
    if not path.is_file():
        raise FileNotFoundError(
            f"{path}: no model; expected the directory of a run that was trained here, such as "
            "results/runs/mlp-digits-x1/seed_0 (models are not published with the records)"
        )
    if "keras" not in sys.modules:
        _choose_backend()
    import keras

    import bnrepro.models  # noqa: F401  The layers that a file names must be known to Keras.

    return keras.saving.load_model(path, compile=False)


def _choose_backend() -> None:
    """TensorFlow unless the environment says otherwise, or JAX alone is installed."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if find_spec("tensorflow") is None:
        os.environ.setdefault("KERAS_BACKEND", "jax")
