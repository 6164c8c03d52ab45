"""The engine of each backend, through its contract.

Each backend and precision answers in one process of its own: Keras has one backend a process.
"""

import json
import subprocess
import sys
from functools import cache

import numpy as np
import pytest

from bnrepro.config import ACTIVATIONS

PROBE = """
import json, sys
from bnrepro import backend
from bnrepro.composition import compose

asked = json.load(sys.stdin)
backend.select(compose(asked[0][1]).config)

import numpy as np
from bnrepro.training import build_engine


def sums(arrays):
    return {name: float(np.abs(array.astype("float64")).sum()) for name, array in arrays.items()}


def same(first, second):
    return all(np.array_equal(first[name], second[name]) for name in first)


def weights_are_finite(trainer):
    values = trainer.variables()
    weights = trainer.network.model.trainable_variables
    return all(bool(np.isfinite(values["model/" + weight.path]).all()) for weight in weights)


def losses(trainer):
    segment = trainer.train(0, 20)
    return {"loss": segment.loss.tolist(), "variables": sums(trainer.variables())}


def cuts(trainer):
    before = trainer.variables()
    whole = trainer.train(0, 12).loss
    end = trainer.variables()
    trainer.assign(before)
    parts = [trainer.train(start, stop).loss for start, stop in ((0, 5), (5, 6), (6, 12))]
    return {
        "losses": bool(np.array_equal(whole, np.concatenate(parts))),
        "variables": same(end, trainer.variables()),
    }


def watching(trainer):
    trainer.train(0, 3)
    before = trainer.variables()
    watched = trainer.pre_activations(trainer.dataset.evaluation.images[:50])
    trainer.gradients(3)
    trainer.population_statistics(3)
    trainer.logits(trainer.dataset.evaluation)
    shapes = {name: list(values.shape) for name, values in watched.items()}
    return {"unchanged": same(before, trainer.variables()), "shapes": shapes}


def divergence(trainer):
    start = trainer.variables()
    segment = trainer.train(0, 10)
    found = segment.diverged_at_step
    finite = []
    for steps in (found - 1, found):
        trainer.assign(start)
        if steps:
            trainer.train(0, steps)
        finite.append(weights_are_finite(trainer))
    return {"found": found, "finite": finite, "length": len(segment.loss)}


def gradient(trainer):
    trainer.train(0, 2)
    path = trainer.network.model.trainable_variables[0].path
    before = trainer.variables()["model/" + path]
    gradient = trainer.gradients(2)[path]
    trainer.train(2, 3)
    step = before - trainer.variables()["model/" + path]
    error = np.abs(step - trainer.config.peak_learning_rate * gradient).max()
    return {"error": float(error), "size": float(np.abs(step).max())}


def logits(trainer):
    evaluation = trainer.dataset.evaluation
    scores = trainer.logits(evaluation)
    alone = trainer.forward(evaluation.images[:1])
    return {"shape": list(scores.shape), "error": float(np.abs(scores[:1] - alone).max())}


def compiled(trainer):
    trainer.train(0, 2)
    images = trainer.dataset.evaluation.images[:8]
    batch = trainer.assembler.assemble(images, np.arange(8), {})
    plain = np.asarray(trainer.model()(batch, training=False))
    return {"error": float(np.abs(trainer.forward(images) - plain).max())}


answers = [globals()[task](build_engine(compose(overrides))) for task, overrides in asked]
print(json.dumps(answers))
"""


@cache
def ask_all(backend, group):
    """Every question's answer, from one process."""
    common = [f"backend={backend}", f"precision={group.split()[0]}"]
    asked = [(task, [*overrides, *common]) for task, overrides in QUESTIONS[group]]
    result = subprocess.run(
        [sys.executable, "-c", PROBE],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr[-3000:]
    answers = json.loads(result.stdout.splitlines()[-1])
    asked_for = [(task, tuple(words)) for task, words in QUESTIONS[group]]
    return dict(zip(asked_for, answers, strict=True))


def ask(backend, task, overrides, group="float32"):
    return ask_all(backend, group)[task, tuple(overrides)]


BACKENDS = pytest.mark.parametrize("backend", ["tensorflow", "jax"])
CNN = ["model=cnn", "model.width=0.1", "dropout=0.4", "optimizer=momentum", "l2=0.001"]
DISTORTED = [*CNN, "dropout=0", "distortion=1", "data.flip=true", "data.crop_padding=1"]
INCEPTION = ["model=inception", "model.width=0.05", "dropout=0"]
MLP_DROPOUT = ["model=mlp", "dropout=0.4"]
ONE_LAYER = ["model=mlp", "model.hidden_layers=1"]
DIVERGING = ["model=mlp", "bn=none", "activation=relu", "learning_rate=1e30"]
PLAIN = ["model=mlp", "optimizer=sgd", "l2=0.01"]
QUESTIONS = {
    "float64": [("losses", DISTORTED)],
    "float64 slow": [("losses", ["model=mlp"]), ("losses", INCEPTION)],
    "float32": [
        ("cuts", MLP_DROPOUT),
        ("watching", MLP_DROPOUT),
        ("watching", ONE_LAYER),
        ("divergence", DIVERGING),
        ("gradient", PLAIN),
        ("logits", ["model=mlp"]),
        *(("compiled", [*CNN, f"activation={activation}"]) for activation in ACTIVATIONS),
    ],
    "float32 slow": [("cuts", CNN)],
}


@pytest.mark.parametrize(
    ("overrides", "group"),
    [
        pytest.param(DISTORTED, "float64", id="cnn"),
        pytest.param(["model=mlp"], "float64 slow", id="mlp", marks=pytest.mark.slow),
        pytest.param(INCEPTION, "float64 slow", id="inception", marks=pytest.mark.slow),
    ],
)
def test_both_backends_train_the_same_in_float64(overrides, group):
    """20 steps, to 1e-6: in float32 a deep network amplifies one rounding beyond any bound."""
    first, second = (ask(backend, "losses", overrides, group) for backend in ("tensorflow", "jax"))
    np.testing.assert_allclose(first["loss"], second["loss"], rtol=1e-6)
    assert first["variables"].keys() == second["variables"].keys()
    for name, value in first["variables"].items():
        other = second["variables"][name]
        np.testing.assert_allclose(value, other, rtol=1e-6, atol=1e-7, err_msg=name)


@pytest.mark.parametrize(
    ("overrides", "group"),
    [
        pytest.param(MLP_DROPOUT, "float32", id="mlp"),
        pytest.param(CNN, "float32 slow", id="cnn", marks=pytest.mark.slow),
    ],
)
@BACKENDS
def test_how_a_training_is_cut_into_segments_does_not_change_it(backend, overrides, group):
    assert ask(backend, "cuts", overrides, group) == {"losses": True, "variables": True}


@BACKENDS
def test_watching_changes_nothing(backend):
    answer = ask(backend, "watching", MLP_DROPOUT)
    assert answer["unchanged"]
    assert answer["shapes"] == {f"hidden_{layer}": [50, 100] for layer in (1, 2, 3)}


@BACKENDS
def test_one_hidden_layer_is_watched_too(backend):
    answer = ask(backend, "watching", ONE_LAYER)
    assert answer["unchanged"]
    assert answer["shapes"] == {"hidden_1": [50, 100]}


@BACKENDS
def test_the_first_step_that_is_not_finite_is_found_exactly(backend):
    answer = ask(backend, "divergence", DIVERGING)
    assert 1 <= answer["found"] <= 10
    assert answer["finite"] == [True, False]
    assert answer["length"] == answer["found"]


@BACKENDS
def test_the_gradient_that_is_watched_is_the_one_of_the_next_step(backend):
    answer = ask(backend, "gradient", PLAIN)
    assert answer["size"] > 0
    assert answer["error"] < 1e-6


@BACKENDS
def test_an_image_has_the_same_scores_alone_as_in_the_whole_split(backend):
    answer = ask(backend, "logits", ["model=mlp"])
    assert answer["shape"][1] == 10
    assert answer["error"] < 1e-5


@pytest.mark.parametrize("activation", ACTIVATIONS)
@BACKENDS
def test_the_compiled_scores_are_those_of_the_model(backend, activation):
    answer = ask(backend, "compiled", [*CNN, f"activation={activation}"])
    assert answer["error"] < 1e-5
