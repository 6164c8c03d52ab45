"""What is watched around the weights and of the distributions, against the formulas in NumPy."""

import csv
import io
from functools import cache

import numpy as np
import pytest
from engine_process import JAX_AND_SLOWLY_TENSORFLOW, ask
from numpy_dense import Dense

from bnrepro import data
from bnrepro.config.composition import compose
from bnrepro.config.randomness import generator
from bnrepro.measures.covariate_shift import compared
from bnrepro.measures.distributions import Distributions
from bnrepro.measures.geometric import geometric_steps
from bnrepro.measures.landscape import Landscape

RATE = 0.2
WORDS = [
    "model=mlp", "model.hidden_layers=2", "model.width=0.05", "bn=x1", "batch_size=20",
    f"learning_rate={RATE}", "train_steps=12", "evaluate_every=6", "input_normalization=false",
    "checkpoint_every=5", "landscape.measurements=5", "distributions.measurements=4",
    # What a probe must not see.
    "dropout=0.5", "distortion=1",
]  # fmt: skip
NAMES = ("landscape", "covariate_shift", "distributions")
COLUMNS = Landscape.columns[2:]


@cache
def watched(backend, interrupt_at=None):
    return ask("watched", WORDS, (3, 4), NAMES, interrupt_at, backend=backend)


def network(answer, step):
    seen = answer["at"][step]
    return Dense({**seen, "layout": answer["layout"]}, "batch"), seen["point"]


def mask(answer, *paths):
    chosen = np.zeros(answer["layout"][-1][-1], bool)
    for path, _, start, stop in answer["layout"]:
        chosen[start:stop] = path in paths
    return chosen


def expected(dense, point, moved, lengths, direction=None):
    """The values of a row, from the definitions."""
    gradient = dense.gradient(point)
    along = moved * gradient if direction is None else direction
    distances = [a * np.linalg.norm(along) for a in lengths]
    ends = [point - length * along for length in lengths]
    own, losses = gradient[moved], [dense.loss(end) for end in ends]
    others = [dense.gradient(end)[moved] for end in ends]
    norm = np.linalg.norm(own)
    changes = [np.linalg.norm(other - own) for other in others]
    return dict(
        zip(
            COLUMNS,
            (
                dense.loss(point),
                np.linalg.norm(point[moved]),
                norm,
                min(losses),
                max(losses),
                min(changes),
                max(changes),
                max(change / far for change, far in zip(changes, distances, strict=True)),
                min(other @ own / np.linalg.norm(other) / norm for other in others),
            ),
            strict=True,
        )
    )


def random_direction(answer, dense, point):
    """Noise, every column of a kernel as long as the weights', in all as long as the gradient."""
    noise = generator(0, "landscape", 3).standard_normal(len(point))
    direction = np.zeros(len(point))
    for path, kind, start, stop in answer["layout"]:
        if kind == "kernel":
            units = 5 if path.startswith("hidden") else 10
            own, weights = (each[start:stop].reshape(-1, units) for each in (noise, point))
            columns = [
                d * np.linalg.norm(w) / np.linalg.norm(d)
                for d, w in zip(own.T, weights.T, strict=True)
            ]
            direction[start:stop] = np.stack(columns, axis=1).ravel()
    return direction * np.linalg.norm(dense.gradient(point)) / np.linalg.norm(direction)


@JAX_AND_SLOWLY_TENSORFLOW
def test_each_move_along_the_gradient_is_numpys(backend):
    answer = watched(backend)
    dense, point = network(answer, 3)
    rows = {name: row for name, _, *row in answer["at"][3]["rows"]["landscape"]}
    everything = np.ones(len(point), bool)
    kernels = mask(answer, "hidden_1/kernel", "hidden_2/kernel")
    lengths = RATE * 0.5 * 8.0 ** (np.arange(8) / 7)
    few = RATE * np.array([0.5, 2**0.5, 4.0])
    far = np.linalg.norm(point) / np.linalg.norm(dense.gradient(point))
    wanted = {
        "gradient": (point, everything, lengths),
        "relative 0.001": (point, everything, [0.001 * far]),
        "relative 0.01": (point, everything, [0.01 * far]),
        "relative 0.1": (point, everything, [0.1 * far]),
        "kernels": (point, kernels, few),
        "kernels times 10": (np.where(kernels, 10 * point, point), kernels, few),
        "random": (point, everything, lengths, random_direction(answer, dense, point)),
    }
    assert list(rows) == list(wanted)
    for name, where in wanted.items():
        values = expected(dense, *where)
        received = dict(zip(COLUMNS, rows[name], strict=True))
        for column, value in values.items():
            # Six digits; finite differences carry nine places of small gradients.
            assert received[column] == pytest.approx(value, rel=2e-5, abs=1e-7), (name, column)


def test_ten_times_the_kernels_make_everything_smoother_by_the_factors_of_the_law():
    """X4: at a hundred times the length nothing but gradients a tenth as large."""
    words = [*WORDS, "batch_normalization.epsilon=1e-12"]
    short = [1e-4, 2e-4]
    seen = ask("rescaled", words, 10.0, short, backend="jax")
    here, larger, farther = seen["as they are"], seen["larger"], seen["larger and farther"]
    for column in ("loss", "lowest_loss", "highest_loss", "least_cosine"):
        assert farther[column] == pytest.approx(here[column], rel=1e-7)
    for column in ("gradient_norm", "least_change", "greatest_change"):
        assert farther[column] == pytest.approx(here[column] / 10, rel=1e-6)
    assert farther["beta"] == pytest.approx(here["beta"] / 100, rel=1e-6)
    # At the same length, in the limit of short ones.
    change = {each: seen[each]["loss"] - seen[each]["lowest_loss"] for each in seen}
    assert change["as they are"] / change["larger"] == pytest.approx(100, rel=0.01)
    assert here["greatest_change"] / larger["greatest_change"] == pytest.approx(1000, rel=0.01)
    assert here["beta"] / larger["beta"] == pytest.approx(100, rel=0.01)


@JAX_AND_SLOWLY_TENSORFLOW
def test_a_layers_gradient_shifts_as_those_before_it_step(backend):
    answer = watched(backend)
    dense, point = network(answer, 3)
    gradient = dense.gradient(point)
    first = [path for path, *_ in answer["layout"] if path.startswith("hidden_1")]
    after = dense.gradient(point - RATE * gradient * mask(answer, *first))
    rows = {path: row for path, _, *row in answer["at"][3]["rows"]["covariate_shift"]}
    assert list(rows) == ["hidden_1/kernel", "hidden_2/kernel"]
    norm, difference, relative, cosine = rows["hidden_1/kernel"]
    # Before the first layer nothing stepped: the gradient is the same.
    assert (cosine, difference) == (pytest.approx(1, abs=1e-6), pytest.approx(0, abs=1e-14))
    own, other = (each[mask(answer, "hidden_2/kernel")] for each in (gradient, after))
    norm, difference, relative, cosine = rows["hidden_2/kernel"]
    assert norm == pytest.approx(np.linalg.norm(own), rel=1e-5)
    assert difference == pytest.approx(np.linalg.norm(own - other), rel=1e-4)
    assert relative == pytest.approx(difference / norm, rel=1e-4)
    wanted = own @ other / np.linalg.norm(own) / np.linalg.norm(other)
    assert cosine == pytest.approx(wanted, abs=2e-6)
    assert 1 - cosine > 1e-4


def test_a_gradient_of_dead_units_has_no_direction():
    norm, difference, relative, cosine = compared(np.zeros(3), np.array([0.0, 2.0, 0.0]))
    assert (norm, difference, relative) == (0, 2, np.inf) and np.isnan(cosine)


def test_without_a_rate_nothing_shifts():
    words = [*WORDS, "learning_rate=1e-15"]
    answer = ask("watched", words, (1,), ("covariate_shift",), None, backend="jax")
    for _, _, _, _, relative, cosine in answer["at"][1]["rows"]["covariate_shift"]:
        assert relative < 1e-9 and cosine == pytest.approx(1, abs=1e-9)


@JAX_AND_SLOWLY_TENSORFLOW
def test_distributions_are_those_of_the_activations_inputs(backend):
    answer = watched(backend)
    rows = {
        step: {layer: row for layer, _, *row in answer["at"][step]["rows"]["distributions"]}
        for step in (3, 4)
    }
    before, now = (_inputs(answer, step) for step in (3, 4))
    for layer, early, late in zip(("hidden_1", "hidden_2"), before, now, strict=True):
        mean, variance, mean_change, variance_change, drift, low, high, *counts = rows[4][layer]
        assert mean == pytest.approx(late[:, 0].mean(), rel=1e-4, abs=1e-9)
        assert variance == pytest.approx(late[:, 0].var(), rel=1e-4)
        moved = np.abs(late.mean(axis=0) - early.mean(axis=0))
        assert mean_change == drift == pytest.approx(np.median(moved), rel=1e-4)
        spread = np.abs(late.var(axis=0) - early.var(axis=0))
        assert variance_change == pytest.approx(np.median(spread), rel=1e-4)
        assert (low, high) == pytest.approx((late[:, 0].min(), late[:, 0].max()), rel=1e-4)
        assert sum(counts) == len(late)
        assert counts[0] == np.sum(late[:, 0] < low + (high - low) / len(counts))
        assert np.isnan(rows[3][layer][2:4]).all()


@JAX_AND_SLOWLY_TENSORFLOW
@pytest.mark.parametrize(
    ("normalization", "least", "most"), [("batch", 0, 1e-6), ("noisy_batch", 0.1, 1)]
)
def test_noise_moves_distributions_where_nothing_learns(backend, normalization, least, most):
    words = [*WORDS, "learning_rate=1e-15", f"normalization={normalization}"]
    answer = ask("watched", words, (1, 2), NAMES[-1:], None, backend=backend)
    for _, _, _, _, mean_change, *_ in answer["at"][2]["rows"][NAMES[-1]]:
        assert least <= mean_change <= most


def _inputs(answer, step):
    dense, point = network(answer, step)
    images, random = data.load(compose(WORDS).config.data).train.images, generator(0, NAMES[-1])
    dense.images = dense.flat(images[random.choice(len(images), 20, replace=False)])
    return dense.forward(dense.weights(point), dense.images, [None, None])[2]


@JAX_AND_SLOWLY_TENSORFLOW
def test_a_training_that_is_watched_is_the_one_that_is_not(backend):
    runs = watched(backend)["runs"]
    assert runs["with"]["end"] == runs["without"]["end"]
    steps = {
        name: sorted({int(row["step"]) for row in _rows(runs["with"]["files"][f"{name}.csv"])})
        for name in NAMES
    }
    assert steps["landscape"] == [0, 1, 2, 5, 12]
    assert steps["distributions"] == [0, 1, 2, 3, 4, 12]


@JAX_AND_SLOWLY_TENSORFLOW
def test_a_watched_training_that_is_resumed_leaves_the_same_bytes(backend):
    whole, resumed = (watched(backend, stop)["runs"]["with"] for stop in (None, 4))
    for name in NAMES:
        assert resumed["files"][f"{name}.csv"] == whole["files"][f"{name}.csv"]


def _rows(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_steps_are_of_equal_ratios_as_far_as_they_are_whole():
    assert geometric_steps(5, 1000) == [0, 1, 10, 100, 1000]
    assert geometric_steps(20, 2) == [0, 1, 2]
    steps = geometric_steps(24, 1000)
    assert steps[-1] == 1000 and len(steps) > 18


def test_a_measure_with_a_grid_is_due_on_it():
    config = compose(["landscape.every=30", "train_steps=100"]).config
    due = [step for step in range(101) if Landscape(30, 24).is_due(step, config)]
    assert due == [0, 30, 60, 90]
    # The change in one step needs the step after.
    due = [step for step in range(101) if Distributions(30, 12).is_due(step, config)]
    assert due == [0, 1, 30, 31, 60, 61, 90, 91]
