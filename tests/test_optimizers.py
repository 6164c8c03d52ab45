"""Schedules against their formulas, update rules against NumPy."""

import keras
import numpy as np
import numpy_training
import pytest

from bnrepro.config import OPTIMIZERS, SCHEDULES, schedules
from bnrepro.config.composition import compose
from bnrepro.engine import optimizers

DECAY = ("schedule.decay_steps=100", "schedule.decay_rate=0.25")


def rates(*words, start=0, stop=301):
    return schedules.learning_rates(compose(list(words)).config.accelerated(), start, stop)


@pytest.mark.parametrize(
    ("name", "factors"),
    [
        ("constant", {0: 1, 50: 1, 300: 1}),
        ("exponential", {0: 1, 50: 0.5, 100: 0.25, 150: 0.125, 200: 0.0625}),
        ("inverse_time", {0: 1, 100: 1 / 1.25, 200: 1 / 1.5}),
        ("step", {0: 1, 99: 1, 100: 0.25, 199: 0.25, 200: 0.0625}),
        ("cosine", {0: 1, 50: 0.625, 100: 0.25, 101: 0.25, 300: 0.25}),
    ],
)
def test_schedules_follow_their_formulas(name, factors):
    received = rates(f"schedule={name}", *DECAY, "learning_rate=0.5", "learning_rate_multiplier=4")
    for step, factor in factors.items():
        assert received[step] == np.float32(2 * factor)


@pytest.mark.parametrize("accelerate", ["[]", "[decay]"])
@pytest.mark.parametrize("decay_steps", [1, 7, 60, 1000])
@pytest.mark.parametrize("name", SCHEDULES)
def test_the_rate_of_every_step_follows_its_formula(name, decay_steps, accelerate):
    """At the first step, within, on and beside every multiple of `decay_steps`, and beyond."""
    words = (
        f"schedule={name}",
        f"schedule.decay_steps={decay_steps}",
        "learning_rate=0.3",
        "schedule.decay_rate=0.8",
        "learning_rate_multiplier=5",
        f"accelerate={accelerate}",
    )
    config = compose(list(words)).config
    expected = [numpy_training.rate(config, step) for step in range(301)]
    np.testing.assert_allclose(rates(*words), expected, rtol=2e-7)


@pytest.mark.parametrize("name", SCHEDULES)
def test_rates_are_the_same_however_the_steps_are_cut_up(name):
    words = (f"schedule={name}", *DECAY)
    whole = rates(*words)
    assert whole.dtype == np.float32
    parts = [rates(*words, start=start, stop=start + 43) for start in range(0, 301, 43)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_the_accelerated_decay_is_six_times_faster():
    words = ("schedule=exponential", *DECAY)
    np.testing.assert_allclose(
        rates(*words, "accelerate=[decay]", stop=50), rates(*words, stop=300)[::6], rtol=1e-6
    )


def test_there_are_as_many_rates_as_steps():
    assert rates(start=7, stop=7).shape == (0,)
    assert rates(start=7, stop=9).shape == (2,)


RATE, MOMENTUM, RHO, BETA_1, BETA_2, EPSILON = 0.1, 0.8, 0.7, 0.6, 0.9, 1e-3


def sgd(weights, gradients):
    for gradient in gradients:
        weights = weights - RATE * gradient
    return weights


def momentum(weights, gradients):
    velocity = 0
    for gradient in gradients:
        velocity = MOMENTUM * velocity - RATE * gradient
        weights = weights + velocity
    return weights


def nesterov(weights, gradients):
    velocity = 0
    for gradient in gradients:
        velocity = MOMENTUM * velocity - RATE * gradient
        weights = weights + MOMENTUM * velocity - RATE * gradient
    return weights


def adagrad(weights, gradients):
    total = 0
    for gradient in gradients:
        total = total + gradient**2
        weights = weights - RATE * gradient / np.sqrt(total + EPSILON)
    return weights


def rmsprop(weights, gradients):
    mean = velocity = 0
    for gradient in gradients:
        mean = RHO * mean + (1 - RHO) * gradient**2
        velocity = MOMENTUM * velocity + RATE * gradient / np.sqrt(mean + EPSILON)
        weights = weights - velocity
    return weights


def adam(weights, gradients):
    first = second = 0
    for step, gradient in enumerate(gradients, start=1):
        first = BETA_1 * first + (1 - BETA_1) * gradient
        second = BETA_2 * second + (1 - BETA_2) * gradient**2
        # Keras puts epsilon beside the root before the bias correction ("epsilon hat").
        rate = RATE * np.sqrt(1 - BETA_2**step) / (1 - BETA_1**step)
        weights = weights - rate * first / (np.sqrt(second) + EPSILON)
    return weights


RULES = {rule.__name__: rule for rule in (sgd, momentum, nesterov, adagrad, rmsprop, adam)}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_update_rules_follow_their_formulas(name):
    words = [f"optimizer={name}", f"optimizer.momentum={MOMENTUM}", f"optimizer.rho={RHO}"]
    words += [f"optimizer.beta_1={BETA_1}", f"optimizer.beta_2={BETA_2}"]
    optimizer = optimizers.build(compose([*words, f"optimizer.epsilon={EPSILON}"]).config)
    assert float(optimizer.learning_rate) == 0
    random = np.random.default_rng(0)
    start, gradients = random.normal(size=5), random.normal(size=(4, 5))
    weights = keras.Variable(start, dtype="float32")
    optimizer.build([weights])
    for gradient in gradients:
        optimizer.learning_rate.assign(RATE)
        optimizer.apply([keras.ops.convert_to_tensor(gradient.astype("float32"))], [weights])
    received = np.asarray(keras.ops.convert_to_tensor(weights))
    np.testing.assert_allclose(received, RULES[name](start, gradients), rtol=2e-5)


def test_every_rule_and_schedule_of_the_config_is_there():
    assert tuple(optimizers._OPTIMIZERS) == OPTIMIZERS
    assert tuple(schedules._SCHEDULES) == SCHEDULES


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_optimizer_built_again_has_the_same_paths(name):
    def paths():
        optimizer = optimizers.build(compose([f"optimizer={name}"]).config)
        optimizer.build([keras.Variable(np.zeros(2), dtype="float32", name="weights")])
        return [variable.path for variable in optimizer.variables]

    assert paths() == paths()
