"""Section 3.1: the statistics that a trained network infers with.

One trained network, its statistics taken in four ways from mini-batches of 2 to 128 examples: those
of the mini-batch to be classified itself; the moving averages of its layers; Algorithm 2's averages
without and with the factor m/(m-1) on the variance.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from bnrepro.data.order import BatchOrder
from bnrepro.engine import Engine
from bnrepro.engine.batch import read_images
from bnrepro.lab.setting import config_of, flat, trained
from bnrepro.lab.tables import write_table
from bnrepro.measures.evaluation import score
from bnrepro.verdicts.criteria import ROUNDING_BOUND, Criterion
from bnrepro.verdicts.verdict import Verdict, judge

CRITERIA = {
    "C9.variance": Criterion(
        "C9",
        "Algorithm 2's variance of the first layer, batches of 2 to 128: largest relative error",
        "at most",
        0.05,
    ),
    "C9.correction": Criterion(
        "C9",
        "the same variance without m/(m-1), batches of 2: relative error",
        "at least",
        0.4,
    ),
    "C9.accuracy": Criterion(
        "C9",
        "accuracy by population statistics minus by the statistics of batches of 2",
        "at least",
        0.05,
    ),
    "C9.alone": Criterion(
        "C9",
        "class scores of an example alone against the same in a batch: largest difference",
        "at most",
        ROUNDING_BOUND,
    ),
}

_BATCH_SIZES = (2, 4, 8, 16, 32, 60, 128)
_MOST_BATCHES = 360
# Enough for the initial 0 and 1 to be forgotten.
_MOVING_BATCHES = 150
_TRAIN_STEPS = 600

Statistics = list[tuple[np.ndarray, np.ndarray]]  # (mean, variance) of each layer
BatchMode = Callable[[np.ndarray], np.ndarray]


class Row(NamedTuple):
    """The evaluation split by one kind of statistics, taken from mini-batches of one size."""

    batch_size: int
    statistics: str
    loss: float
    accuracy: float
    variance_over_true: float  # of the first layer, summed over its units


COLUMNS = Row._fields


def verdicts(folder: Path) -> list[Verdict]:
    """C9; writes `inference.csv`."""
    engine = trained(
        config_of("model=mlp", "activation=relu", "initializer=he", f"train_steps={_TRAIN_STEPS}")
    )
    program = batch_mode(engine)
    rows = [row for size in _BATCH_SIZES for row in compare(engine, program, size)]
    write_table(folder / "inference.csv", COLUMNS, rows)
    smallest = {row.statistics: row for row in rows if row.batch_size == _BATCH_SIZES[0]}
    ratios = np.array([row.variance_over_true for row in rows if row.statistics == "algorithm 2"])
    uncorrected, corrected = smallest["without m/(m-1)"], smallest["algorithm 2"]
    gap = corrected.accuracy - smallest["mini-batch"].accuracy
    losses = f"test loss {uncorrected.loss:.3f}, with it {corrected.loss:.3f}"
    return [
        judge(CRITERIA["C9.variance"], float(np.abs(ratios - 1).max())),
        judge(CRITERIA["C9.correction"], abs(uncorrected.variance_over_true - 1), losses),
        judge(CRITERIA["C9.accuracy"], gap, f"{100 * corrected.accuracy:.1f} % by the former"),
        judge(CRITERIA["C9.alone"], difference_alone(engine)),
    ]


def compare(engine: Engine, program: BatchMode, batch_size: int) -> list[Row]:
    """Loss and accuracy on the evaluation split with statistics from mini-batches of one size.

    Beside them the estimated variance of the first layer, summed over its units, over the true one.
    """
    split = engine.dataset.train
    engine.order = BatchOrder(len(split.labels), batch_size, "within_shards", seed=0)
    population = engine.population_statistics(_MOST_BATCHES)
    biased = [(mean, var * (batch_size - 1) / batch_size) for mean, var in population]
    moving = moving_averages(engine, program)
    true = true_variance(engine).sum()
    rows = []
    for name, statistics in (
        ("moving average", moving),
        ("without m/(m-1)", biased),
        ("algorithm 2", population),
    ):
        assign(engine, statistics)
        scores = score(engine.logits(engine.dataset.evaluation), engine.dataset.evaluation)
        rows.append(Row(batch_size, name, *scores, float(statistics[0][1].sum() / true)))
    logits = batch_mode_logits(engine, program, batch_size)
    scores = score(logits, engine.dataset.evaluation)
    return [Row(batch_size, "mini-batch", *scores, float("nan")), *rows]


def true_variance(engine: Engine) -> np.ndarray:
    """Variance of the first layer's Wu over all training images, in NumPy, (units,)."""
    kernel = engine.network.model.get_layer("hidden_1").kernel
    return (flat(engine.dataset.train) @ np.asarray(kernel)).var(axis=0, ddof=1)


def moving_averages(engine: Engine, program: BatchMode) -> Statistics:
    """What the layers themselves keep when they see the mini-batches, from 0 and 1 on."""
    layers = engine.network.batch_normalizations
    assign(engine, [(0 * layer.moving_mean, 0 * layer.moving_mean + 1) for layer in layers])
    for batch in engine.order.indices(0, _MOVING_BATCHES):
        program(read_images(engine.dataset.train, batch))
    return [(np.asarray(layer.moving_mean), np.asarray(layer.moving_variance)) for layer in layers]


def batch_mode_logits(engine: Engine, program: BatchMode, batch_size: int) -> np.ndarray:
    """Class scores of the evaluation split, each mini-batch with its own statistics."""
    split = engine.dataset.evaluation
    count = len(split.labels)
    batches = np.resize(np.arange(count), (-(-count // batch_size), batch_size))
    return np.concatenate([program(read_images(split, batch)) for batch in batches])[:count]


def batch_mode(engine: Engine) -> BatchMode:
    """A program: images -> class scores by their own statistics; it moves the layers' averages."""
    model = engine.network.model
    shape = tf.TensorSpec((None, *model.input.shape[1:]), tf.float64)
    program = tf.function(
        lambda images: model(images, training=True), input_signature=[shape], autograph=False
    )
    return lambda images: program(tf.constant(images / 255.0)).numpy()


def assign(engine: Engine, statistics: Statistics) -> None:
    """Infer with these statistics from now on."""
    for layer, (mean, variance) in zip(
        engine.network.batch_normalizations, statistics, strict=True
    ):
        layer.moving_mean.assign(mean)
        layer.moving_variance.assign(variance)


def difference_alone(engine: Engine) -> float:
    """Largest difference of the first image's class scores, by itself and with 99 others."""
    images = read_images(engine.dataset.evaluation, np.arange(100))
    return float(np.abs(engine.forward(images[:1])[0] - engine.forward(images)[0]).max())
