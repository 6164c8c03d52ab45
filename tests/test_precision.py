"""`precision=float64` is double precision throughout: against NumPy, and by its compiled program.

Each backend answers in a process of its own: Keras has one backend a process.
"""

import json
import subprocess
import sys
from functools import cache

import numpy as np
import pytest
from scipy.special import erf

from bnrepro import data
from bnrepro.config import ACTIVATIONS, NORMALIZATIONS, OPTIMIZERS
from bnrepro.config.composition import compose
from bnrepro.config.names import REPARAMETRIZATIONS
from bnrepro.config.randomness import generator

# Constants that no float32 can hold.
STEPS, BATCH, SEED, RATE, DECAY, DECAY_STEPS, L2 = 6, 20, 3, 0.03, 0.3, 7, 0.013
MOMENTUM, RHO, BETA_1, BETA_2, EPSILON = 0.83, 0.7, 0.61, 0.97, 1e-3
BN_MOMENTUM, BN_EPSILON, POPULATION_BATCHES = 0.83, 1e-3, 4
NUMBERS = [
    "model=mlp", "model.width=0.2", "model.hidden_layers=2", "input_normalization=true",
    "distortion=1", "schedule=exponential", f"batch_size={BATCH}", f"seed={SEED}",
    f"learning_rate={RATE}", f"schedule.decay_rate={DECAY}", f"schedule.decay_steps={DECAY_STEPS}",
    f"l2={L2}", f"batch_normalization.momentum={BN_MOMENTUM}",
    f"batch_normalization.epsilon={BN_EPSILON}",
]  # fmt: skip
CONSTANTS = [
    f"optimizer.momentum={MOMENTUM}", f"optimizer.rho={RHO}", f"optimizer.beta_1={BETA_1}",
    f"optimizer.beta_2={BETA_2}", f"optimizer.epsilon={EPSILON}",
]  # fmt: skip
# Each update rule once, with an activation of its own.
TRAINED = dict(zip(OPTIMIZERS, ACTIVATIONS, strict=True))
QUICK = ("momentum",)
SLOW = tuple(rule for rule in TRAINED if rule not in QUICK)
PARTS = [
    *(["model=cnn", "model.width=0.05", f"normalization={name}"] for name in NORMALIZATIONS
      if name != "instance"),
    *(["model=cnn", "model.width=0.05", f"reparametrization={name}"]
      for name in REPARAMETRIZATIONS),
    # A fully connected layer, which the CNN has, is refused with it.
    ["model=inception", "model.width=0.05", "normalization=instance"],
    ["model=cnn", "model.width=0.05", "data=digits", "data.flip=true", "data.crop_padding=1",
     "distortion=1", "dropout=0.3", "lrn=true", "l2=0.01", "optimizer=adam", "activation=gelu"],
    ["model=cnn", "model.width=0.05", "placement=after",
     "batch_normalization.statistics=per_activation", "optimizer=momentum", "activation=elu"],
]  # fmt: skip
INCEPTION = [
    ["model=inception", "model.width=0.05", "bn=none", "lrn=true", "dropout=0.4"],
    ["model=inception", "model.width=0.05", "bn=x30", "optimizer=nesterov"],
]

PROBE = """
import json, sys
from bnrepro.config import backend
from bnrepro.config.composition import compose

task, words, arguments = json.load(sys.stdin)
backend.select(compose(words[0]).config)

import numpy as np
from bnrepro.training import build_engine


def train(engine, steps, population_batches, path):
    arrays = {"before/" + name: value for name, value in engine.variables().items()}
    arrays["indices"] = engine.inputs(0, steps).indices
    arrays["loss"] = engine.train(0, steps).loss
    arrays |= {"after/" + name: value for name, value in engine.variables().items()}
    for position, (mean, variance) in enumerate(engine.population_statistics(population_batches)):
        arrays |= {f"population/{position}/mean": mean, f"population/{position}/variance": variance}
    np.savez(path + engine.config.optimizer.name, **arrays)


def narrow(engine):
    import keras

    inputs = engine.inputs(0, 1)
    return globals()["narrow_" + keras.config.backend()](engine, inputs)


def narrow_tensorflow(engine, inputs):
    import tensorflow as tf

    program = tf.function(engine._train_loop, autograph=False).get_concrete_function(
        inputs.table, inputs.labels, inputs.indices, inputs.rates, inputs.distortions,
        tf.constant(1),
    )
    graph = program.graph.as_graph_def()
    (functions,) = [each for field, each in graph.ListFields() if field.name == "library"]
    nodes = [*graph.node, *(node for one in functions.function for node in one.node_def)]
    # Keras's argmax looks at signs, which a cast keeps, by their bits.
    bits = [node for node in nodes if node.op == "Bitcast"]
    signs = {source.split(":")[0] for node in bits for source in node.input}
    float32 = tf.float32.as_datatype_enum
    return [
        node.name
        for node in nodes
        if node not in bits and node.name not in signs
        and any(float32 in (value.type, *value.list.type) for value in node.attr.values())
    ]


def narrow_jax(engine, inputs):
    import jax

    program = jax.make_jaxpr(engine.step)(engine.state, *engine._row(inputs, 0))
    return [str(value) for value in values_of(program.jaxpr) if is_narrow(value)]


def values_of(program):
    import jax

    yield from (*program.invars, *program.constvars)
    for equation in program.eqns:
        yield from equation.outvars
        for inner in jax.tree.leaves(list(equation.params.values()), is_leaf=is_program):
            if is_program(inner):
                yield from values_of(getattr(inner, "jaxpr", inner))


def is_program(value):
    return hasattr(value, "eqns") or hasattr(value, "jaxpr")


def is_narrow(value):
    return getattr(value.aval, "dtype", None) == np.float32


print(json.dumps([globals()[task](build_engine(compose(one)), *arguments) for one in words]))
"""

BACKENDS = pytest.mark.parametrize("backend", ["tensorflow", "jax"])
RULES_IN_TURN = pytest.mark.parametrize(
    "rule", [*QUICK, *(pytest.param(rule, marks=pytest.mark.slow) for rule in SLOW)]
)


def ask(backend, task, configs, *arguments):
    common = [f"backend={backend}", "precision=float64", "threads=1"]
    asked = [task, [[*words, *common] for words in configs], arguments]
    result = subprocess.run(
        [sys.executable, "-c", PROBE],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr[-3000:]
    return json.loads(result.stdout.splitlines()[-1])


# The training in NumPy.


def rate(step):
    return RATE * DECAY ** (step / DECAY_STEPS)


def sgd(step, _, gradient):
    return -rate(step) * gradient


def momentum(step, state, gradient):
    state["v"] = MOMENTUM * state.get("v", 0) - rate(step) * gradient
    return state["v"]


def nesterov(step, state, gradient):
    return MOMENTUM * momentum(step, state, gradient) - rate(step) * gradient


def adagrad(step, state, gradient):
    state["sum"] = state.get("sum", 0) + gradient**2
    return -rate(step) * gradient / np.sqrt(state["sum"] + EPSILON)


def rmsprop(step, state, gradient):
    state["mean"] = RHO * state.get("mean", 0) + (1 - RHO) * gradient**2
    increment = rate(step) * gradient / np.sqrt(state["mean"] + EPSILON)
    state["v"] = MOMENTUM * state.get("v", 0) + increment
    return -state["v"]


def adam(step, state, gradient):
    state["m"] = BETA_1 * state.get("m", 0) + (1 - BETA_1) * gradient
    state["s"] = BETA_2 * state.get("s", 0) + (1 - BETA_2) * gradient**2
    correction = np.sqrt(1 - BETA_2 ** (step + 1)) / (1 - BETA_1 ** (step + 1))
    return -rate(step) * correction * state["m"] / (np.sqrt(state["s"]) + EPSILON)


RULES = {rule.__name__: rule for rule in (sgd, momentum, nesterov, adagrad, rmsprop, adam)}


def normal_distribution(x):
    return (1 + erf(x / np.sqrt(2))) / 2


# Each activation with its derivative.
FUNCTIONS = {
    "relu": (lambda x: np.maximum(x, 0), lambda x: (x > 0) * 1.0),
    "sigmoid": (
        lambda x: 1 / (1 + np.exp(-x)),
        lambda x: np.exp(-x) / (1 + np.exp(-x)) ** 2,
    ),
    "tanh": (np.tanh, lambda x: 1 - np.tanh(x) ** 2),
    "elu": (
        lambda x: np.where(x > 0, x, np.exp(x) - 1),
        lambda x: np.where(x > 0, 1, np.exp(x)),
    ),
    "gelu": (
        lambda x: x * normal_distribution(x),
        lambda x: normal_distribution(x) + x * np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi),
    ),
    "linear": (lambda x: x, np.ones_like),
}


@cache
def split():
    return data.load(compose(NUMBERS).config.data).train


def pixels(indices):
    """Scaled to [0, 1], (examples, height * width)."""
    return split().images[indices].reshape(len(indices), -1) / 255


def standardized(images):
    every = split().images / 255
    return (images - every.mean()) / every.std()


def distorted(images, step):
    def around(center, spread, purpose):
        numbers = generator(SEED, f"distortion/{purpose}").random((STEPS, BATCH))[step]
        return (center + spread * (2 * numbers - 1))[:, None]

    mean = images.mean(1, keepdims=True)
    contrast = around(1, 0.4, "contrast")
    return np.clip((images - mean) * contrast + mean + around(0, 0.2, "brightness"), 0, 1)


def forward(weights, values, activation):
    """Class scores, and what each hidden layer needs for its way back."""
    layers = []
    for name in ("hidden_1", "hidden_2"):
        sums = values @ weights[f"{name}/kernel"]
        deviation = np.sqrt(sums.var(0) + BN_EPSILON)
        x_hat = (sums - sums.mean(0)) / deviation
        gamma, beta = (weights[f"{name}_normalization/{which}"] for which in ("gamma", "beta"))
        layers.append((name, values, sums, deviation, x_hat, gamma * x_hat + beta))
        values = FUNCTIONS[activation][0](layers[-1][-1])
    return values @ weights["logits/kernel"] + weights["logits/bias"], values, layers


def backward(weights, scores, labels, features, layers, activation):
    """(loss, gradients of the loss with its L2 term)."""
    shares = np.exp(scores - scores.max(1, keepdims=True))
    shares /= shares.sum(1, keepdims=True)
    loss = -np.log(shares[np.arange(len(labels)), labels]).mean()
    upstream = (shares - np.eye(scores.shape[1])[labels]) / len(labels)
    gradients = {"logits/kernel": features.T @ upstream, "logits/bias": upstream.sum(0)}
    upstream = upstream @ weights["logits/kernel"].T
    for name, values, _, deviation, x_hat, normalized in reversed(layers):
        upstream = upstream * FUNCTIONS[activation][1](normalized)
        gradients[f"{name}_normalization/gamma"] = (upstream * x_hat).sum(0)
        gradients[f"{name}_normalization/beta"] = upstream.sum(0)
        by_x_hat = upstream * weights[f"{name}_normalization/gamma"]
        centered = by_x_hat - by_x_hat.mean(0) - x_hat * (by_x_hat * x_hat).mean(0)
        gradients[f"{name}/kernel"] = values.T @ (centered / deviation)
        upstream = (centered / deviation) @ weights[f"{name}/kernel"].T
    for name in gradients:
        if name.endswith("kernel"):
            gradients[name] = gradients[name] + 2 * L2 * weights[name]
    return loss, gradients


def train(start, indices, rule, activation):
    """(losses, variables of the network at the end)."""
    values, states, losses = dict(start), {name: {} for name in start}, []
    for step, rows in enumerate(indices):
        images = standardized(distorted(pixels(rows), step))
        scores, features, layers = forward(values, images, activation)
        loss, gradients = backward(
            values, scores, split().labels[rows], features, layers, activation
        )
        losses.append(loss)
        for name, _, sums, *_ in layers:
            for which, batch in (("mean", sums.mean(0)), ("variance", sums.var(0))):
                average = f"{name}_normalization/moving_{which}"
                values[average] = BN_MOMENTUM * values[average] + (1 - BN_MOMENTUM) * batch
        for name, gradient in gradients.items():
            values[name] = values[name] + RULES[rule](step, states[name], gradient)
    return losses, values


def population(values, indices, activation):
    """Algorithm 2, step 10, of each hidden layer: (mean, variance)."""
    seen = []
    for rows in indices:
        layers = forward(values, standardized(pixels(rows)), activation)[2]
        unbiased = BATCH / (BATCH - 1)
        seen.append([(sums.mean(0), sums.var(0) * unbiased) for _, _, sums, *_ in layers])
    return np.mean(seen, axis=0)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """What an engine made of the first steps, by backend and update rule."""

    @cache
    def all_of(backend, rules):
        folder = tmp_path_factory.mktemp(backend)
        configs = [
            [*NUMBERS, f"optimizer={rule}", *CONSTANTS, f"activation={TRAINED[rule]}"]
            for rule in rules
        ]
        ask(backend, "train", configs, STEPS, POPULATION_BATCHES, f"{folder}/")
        return {rule: dict(np.load(folder / f"{rule}.npz")) for rule in rules}

    def of(backend, rule):
        return all_of(backend, QUICK if rule in QUICK else SLOW)[rule]

    return of


def under(arrays, folder):
    return {
        name.removeprefix(folder): value
        for name, value in arrays.items()
        if name.startswith(folder)
    }


@RULES_IN_TURN
@BACKENDS
def test_a_training_in_double_precision_is_numpys(backend, rule, trained):
    """Loss, weights, moving averages and Algorithm 2 after some steps, to 1e-12."""
    arrays, activation = trained(backend, rule), TRAINED[rule]
    received = under(arrays, "after/model/")
    losses, expected = train(under(arrays, "before/model/"), arrays["indices"], rule, activation)
    np.testing.assert_allclose(arrays["loss"], losses, rtol=1e-12)
    assert received.keys() == expected.keys()
    for name, values in expected.items():
        assert received[name].dtype == np.float64
        np.testing.assert_allclose(received[name], values, rtol=1e-12, atol=1e-13, err_msg=name)


@RULES_IN_TURN
@BACKENDS
def test_algorithm_2_is_in_double_precision(backend, rule, trained):
    arrays, activation = trained(backend, rule), TRAINED[rule]
    values = under(arrays, "after/model/")
    indices = arrays["indices"][:POPULATION_BATCHES]
    for position, (mean, variance) in enumerate(population(values, indices, activation)):
        received = under(arrays, f"population/{position}/")
        np.testing.assert_allclose(received["mean"], mean, rtol=1e-12, atol=1e-13)
        np.testing.assert_allclose(received["variance"], variance, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize(
    "configs",
    [
        pytest.param(PARTS, id="parts", marks=pytest.mark.slow),
        pytest.param(INCEPTION, id="inception", marks=pytest.mark.slow),
    ],
)
@BACKENDS
def test_a_program_in_double_precision_holds_no_single_one(backend, configs):
    assert ask(backend, "narrow", configs) == [[] for _ in configs]
