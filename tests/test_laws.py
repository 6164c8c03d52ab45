"""The laws of the laboratory: each holds, and without the mechanism behind it does not."""

import keras
import pytest
from engine_process import ask
from exact_criteria import OF_LAWS, failures, outcomes
from keras import ops

from bnrepro.lab import setting
from bnrepro.lab.exact import LAWS, law_verdicts
from bnrepro.lab.laws import smoothness
from bnrepro.paper import LAWS as STATED


@pytest.fixture(autouse=True)
def precision():
    with setting.double_precision():
        yield


class Outside(keras.layers.BatchNormalization):
    """A mistake: the gradient takes the mini-batch's statistics for constants."""

    def call(self, inputs, training=None):
        mean, variance = (ops.stop_gradient(each) for each in ops.moments(inputs, axes=0))
        return (inputs - mean) / ops.sqrt(variance + self.epsilon) * self.gamma + self.beta


@pytest.mark.parametrize("law", LAWS)
def test_a_law_holds(law):
    found = outcomes(law_verdicts(law))
    assert found == {key: "reproduced" for key in OF_LAWS if key.startswith(f"{law}.")}


@pytest.mark.parametrize("law", LAWS)
def test_a_law_holds_under_jax(law):
    found = outcomes(ask("law", [], law, backend="jax"))
    assert found == {key: "reproduced" for key in OF_LAWS if key.startswith(f"{law}.")}


def test_every_law_that_is_stated_is_tested_and_names_its_source():
    assert [law.identifier for law in STATED] == list(LAWS)
    assert [law.identifier for law in STATED] == [f"X{n}" for n in range(1, len(STATED) + 1)]
    assert all(law.section and law.where == law.section for law in STATED)
    assert {criterion.claim for criterion in OF_LAWS.values()} == set(LAWS)


def test_normalization_outside_the_gradient_breaks_the_gradients_norm(monkeypatch):
    monkeypatch.setattr(smoothness, "batch_normalization", lambda: Outside(epsilon=0.0))
    assert failures(smoothness.gradient_norm()) == {"X1.norm"}
