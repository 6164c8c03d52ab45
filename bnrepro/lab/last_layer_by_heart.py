"""G3b: the last layer alone where every network learns its training images by heart.

The VGG network of `last_layer` is still learning when its training ends, and logits grow with what
is learnt. Fully connected networks on 1,000 images of MNIST are soon right on all of them, and what
grows from there on has no other use than a smaller loss. Batch normalization gains about a point
there (`dropout`), less than the two that the specification asks for.
"""

from pathlib import Path

from bnrepro.lab import last_layer
from bnrepro.lab.little_data import lasting
from bnrepro.records.laboratory import PUBLISHED_SCALE, SMOKE

QUESTION = (
    "How much of what batch normalization does for generalization does the last layer alone give "
    "where every training image is learnt by heart?"
)
SETTINGS = {
    PUBLISHED_SCALE: last_layer.Setting(
        (0, 1, 2, 3, 4, 5),
        (100, 101),
        (0.003, 0.01, 0.03, 0.1, 0.3),
        (0, 50, 100, 200, 400, 600, 800, 1000),
        (
            *("model=mlp", "data=mnist", "data.train_examples=1000"),
            *(*lasting(1000), "batch_size=32"),
        ),
        halves=False,
    ),
    SMOKE: last_layer.SETTINGS[SMOKE],
}


def compute(folder: Path, scale: str = PUBLISHED_SCALE) -> None:
    """Leave the tables of `last_layer` in `folder`."""
    last_layer.leave(folder, SETTINGS[scale])
