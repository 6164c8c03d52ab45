"""Figures 1(b, c): percentiles of the last hidden activation's input, over fixed images.

Paper: "one typical activation from the last hidden layer", unnamed. Ours: unit 0, fixed before any
run, and the average over all units. Normalization uses the images' own mini-batch statistics.
"""

import numpy as np

from bnrepro.engine import Engine
from bnrepro.engine.batch import read_images

PERCENTILES = (15, 50, 85)


def watched_images(engine: Engine, num_examples: int) -> np.ndarray:
    """The first images of the evaluation split, uint8."""
    split = engine.dataset.evaluation
    return read_images(split, np.arange(min(num_examples, len(split.labels))))


def unit_percentiles(values: np.ndarray) -> np.ndarray:
    """Percentiles over all axes but the last, (units, 3)."""
    flat = values.reshape(-1, values.shape[-1]).astype(np.float64)
    return np.percentile(flat, PERCENTILES, axis=0).T


def percentile_rows(engine: Engine, images: np.ndarray, step: int) -> list[list[float | str]]:
    """Rows of `percentiles.csv` at `step`: unit 0, and `mean` over the units."""
    *_, last = engine.pre_activations(images).values()
    units = unit_percentiles(last)
    return [["0", step, *units[0].tolist()], ["mean", step, *units.mean(axis=0).tolist()]]
