"""The laws of the laboratory: each holds, and without the mechanism behind it does not."""

import csv

import keras
import numpy as np
import pytest
from engine_process import ask
from exact_criteria import OF_LAWS, failures, outcomes
from keras import ops
from pages import ROOT

from bnrepro.lab import setting
from bnrepro.lab.exact import LAWS, law_verdicts
from bnrepro.lab.laws import (
    batch_statistics,
    depth,
    equilibrium,
    filter_normalization,
    kernel_scale,
    least_squares,
    normalizations,
    quadratic,
    smoothness,
    spectral_normalization,
    weight_normalization,
    whole_network,
)
from bnrepro.paper import LAWS as STATED
from bnrepro.verdicts.verdict import Verdict


@pytest.fixture(autouse=True)
def precision():
    with setting.double_precision():
        yield


class Outside(keras.layers.BatchNormalization):
    """A mistake: the gradient takes the mini-batch's statistics for constants."""

    def call(self, inputs, training=None):
        mean, variance = (ops.stop_gradient(each) for each in ops.moments(inputs, axes=0))
        return (inputs - mean) / ops.sqrt(variance + self.epsilon) * self.gamma + self.beta


def published():
    """The published verdicts by their law."""
    path = ROOT / "results" / "published" / "laboratory" / "verdicts.csv"
    with path.open(newline="") as file:
        rows = [Verdict(**row) for row in csv.DictReader(file)]
    return {law: [row for row in rows if row.claim == law] for law in LAWS}


@pytest.mark.parametrize("law", LAWS)
def test_a_law_holds_as_it_is_published(law):
    verdicts = law_verdicts(law)
    assert verdicts == published()[law]
    found = outcomes(verdicts)
    assert found == {key: "reproduced" for key in OF_LAWS if key.startswith(f"{law}.")}


@pytest.mark.slow
@pytest.mark.parametrize("law", LAWS)
def test_a_law_holds_under_jax(law):
    found = outcomes(ask("law", [], law, backend="jax"))
    assert found == {key: "reproduced" for key in OF_LAWS if key.startswith(f"{law}.")}


def test_every_law_that_is_stated_is_tested_and_names_its_source():
    assert [law.identifier for law in STATED] == list(LAWS)
    assert [law.identifier for law in STATED] == [f"X{n}" for n in range(1, len(STATED) + 1)]
    assert all(law.section and law.where == law.section for law in STATED)
    assert {criterion.claim for criterion in OF_LAWS.values()} == set(LAWS)


@pytest.mark.parametrize("law", STATED, ids=lambda law: law.identifier)
def test_the_page_states_every_law_as_the_verdicts_do(law):
    stated = law.statement.replace("*", "\\*")
    page = (ROOT / "docs" / "laboratory.md").read_text()
    assert f"\n- **{law.identifier}** ({law.section}) {stated}\n" in page


def outside(epsilon=0.0, momentum=None):
    return Outside(epsilon=epsilon)


def test_a_gradient_past_the_statistics_is_noticed(monkeypatch):
    monkeypatch.setattr(smoothness, "batch_normalization", outside)
    assert failures(smoothness.gradient_norm()) == {"X1.norm"}


def test_a_curvature_past_the_statistics_is_noticed(monkeypatch):
    def frozen(layer):
        return lambda values, training: Outside.call(layer, values)

    monkeypatch.setattr(smoothness, "TwiceDifferentiable", frozen)
    assert failures(smoothness.curvature()) == {"X2.curvature"}


def test_without_normalization_a_multiple_of_an_optimum_is_none(monkeypatch):
    monkeypatch.setattr(smoothness, "prepared_layer", Identity)
    assert failures(smoothness.initialization()) == {"X3.optimum"}


class Identity(keras.layers.Layer):
    """Normalization taken out."""

    def __init__(self, **_):
        super().__init__()

    def call(self, inputs, training=None):
        return inputs


def test_a_network_without_normalization_sees_the_scale_of_its_kernels(monkeypatch):
    build = whole_network.build
    monkeypatch.setattr(kernel_scale, "build", lambda *_: build("bn=none", "initializer=he"))
    assert failures(kernel_scale.verdicts()) == {key for key in OF_LAWS if key.startswith("X4.")}


def test_a_curve_without_normalization_sees_the_scale_of_a_kernel(monkeypatch):
    build = whole_network.build
    monkeypatch.setattr(
        filter_normalization, "build", lambda *words: build(*words, "bn=none", "activation=tanh")
    )
    with pytest.raises(KeyError, match="moving_mean"):
        filter_normalization.verdicts()


def test_the_scale_of_kernels_shows_without_filter_normalization(monkeypatch):
    monkeypatch.setattr(filter_normalization, "filter_normalized", lambda _, point, noise: noise)
    assert failures(filter_normalization.verdicts()) >= {"X13.batch", "X13.frozen", "X13.relu"}


@pytest.mark.parametrize(
    ("gradient", "broken"),
    [
        # Of a kernel that no normalization follows: as long whatever |w| is.
        (
            lambda w, random: equilibrium_gradient(w, random) * equilibrium.lengths(w),
            {"X5.length", "X5.momentum_length"},
        ),
        (
            lambda w, random: (
                equilibrium_gradient(w, random) + 0.1 * w / equilibrium.lengths(w) ** 2
            ),
            {"X5.length", "X5.momentum_length"},
        ),
    ],
)
def test_a_gradient_that_is_none_of_batch_normalization_has_another_equilibrium(
    gradient, broken, monkeypatch
):
    monkeypatch.setattr(equilibrium, "gradient", gradient)
    assert failures(equilibrium.verdicts()) >= broken


equilibrium_gradient = equilibrium.gradient


@pytest.mark.parametrize(
    ("layer", "broken"),
    # ReLU's law rests on the deviation alone, the other on what the statistics take out.
    [(outside, {"X6.identity_8"}), (Identity, {"X6.identity_8", "X6.relu_128"})],
)
def test_gradients_grow_otherwise_past_the_statistics_or_without_them(layer, broken, monkeypatch):
    monkeypatch.setattr(depth, "batch_normalization", layer)
    assert failures(depth.verdicts()) >= broken


class Corrected(keras.layers.BatchNormalization):
    """A mistake: moving averages of the unbiased variance."""

    def call(self, inputs, training=None):
        outputs = super().call(inputs, training=training)
        count = np.prod(inputs.shape[:-1])
        self.moving_variance.assign(self.moving_variance * count / (count - 1))
        return outputs


def layer_in_place(layer):
    """`built` of other layers."""

    def built(units, momentum, rank=2):
        made = layer(momentum=momentum, epsilon=0.0)
        made.build((*[None] * (rank - 1), units))
        return made

    return built


def test_an_unbiased_variance_is_noticed(monkeypatch):
    monkeypatch.setattr(batch_statistics, "built", layer_in_place(Corrected))
    # 32/31 is within what the mean of a variance may be off; a mini-batch of 8 shows it.
    monkeypatch.setattr(batch_statistics, "_NORMAL_SIZE", 8)
    assert "X7.bias" in failures(batch_statistics.noise())


def test_statistics_of_correlated_examples_are_noticed(monkeypatch):
    twice = {
        name: (
            kurtosis,
            lambda random, shape, draw=draw: np.repeat(
                draw(random, (shape[0] // 2, *shape[1:])), 2, axis=0
            ),
        )
        for name, (kurtosis, draw) in batch_statistics._VALUES.items()
    }
    monkeypatch.setattr(batch_statistics, "_VALUES", twice)
    assert failures(batch_statistics.noise()) == {"X7.mean", "X7.deviation"}


def test_another_momentum_is_noticed(monkeypatch):
    built = batch_statistics.built
    monkeypatch.setattr(
        batch_statistics, "built", lambda units, momentum: built(units, momentum / 2)
    )
    assert failures(batch_statistics.moving_average()) == {"X8.lag", "X8.noise", "X8.memory"}


def test_values_that_dropout_passes_unscaled_are_noticed(monkeypatch):
    monkeypatch.setattr(
        batch_statistics, "Dropout", lambda rate, seed: keras.layers.GaussianNoise(0.0)
    )
    assert failures(batch_statistics.dropout_before()) == {"X12.variance", "X12.ratio"}


def test_normalizations_over_other_axes_are_noticed(monkeypatch):
    make = normalizations.GroupNormalization
    monkeypatch.setattr(
        normalizations, "GroupNormalization", lambda group_size, epsilon: make(4, epsilon=epsilon)
    )
    assert failures(normalizations.verdicts()) == {"X9.one_group", "X9.single_maps"}


def test_an_example_that_sees_the_others_is_noticed(monkeypatch):
    monkeypatch.setattr(
        normalizations,
        "GroupNormalization",
        lambda group_size, epsilon: setting.batch_normalization(epsilon),
    )
    assert "X9.alone" in failures(normalizations.verdicts())


def test_a_correction_with_a_gradient_of_its_own_is_noticed(monkeypatch):
    monkeypatch.setattr(
        "bnrepro.normalization.batch_renorm.ops.stop_gradient", lambda values: values
    )
    assert failures(normalizations.verdicts()) == {"X9.renorm_gradient"}


def test_a_kernel_that_no_weight_normalization_makes_is_noticed(monkeypatch):
    monkeypatch.setattr(weight_normalization, "weights", lambda gain, v: gain * v)
    failed = failures(weight_normalization.verdicts())
    assert failed >= {"X10.direction", "X10.orthogonal", "X10.growth", "X10.initial_variance"}


def test_a_mean_outside_the_gradient_is_noticed(monkeypatch):
    monkeypatch.setattr(
        weight_normalization,
        "mean_only",
        lambda values: values - ops.stop_gradient(ops.mean(values, axis=0)),
    )
    assert failures(weight_normalization.verdicts()) == {"X10.mean_only"}


def test_features_that_are_not_whitened_cost_steps(monkeypatch):
    monkeypatch.setattr(
        quadratic, "whitened", lambda r: quadratic.condition(quadratic.correlated(r))
    )
    monkeypatch.setattr(quadratic, "batch_normalization", Identity)
    failed = failures(quadratic.verdicts())
    assert failed == {"X11.whitened", "X11.standardization", "X11.batches"}


def test_descent_at_half_the_best_rate_is_noticed(monkeypatch):
    monkeypatch.setattr(quadratic, "best_rate", lambda smallest, largest: 1 / largest)
    assert failures(quadratic.verdicts()) == {"X11.steps"}


@pytest.mark.parametrize(
    ("change", "broken"),
    [
        ({"_ITERATIONS": 1}, {"X14.norm"}),
        (
            {"normalized": lambda W, u, v: W / ops.stop_gradient(ops.sum(W * np.outer(u, v)))},
            {"X14.gradient"},
        ),
    ],
)
def test_spectral_normalization_without_its_iteration_or_its_gradient_is_noticed(
    change, broken, monkeypatch
):
    for name, value in change.items():
        monkeypatch.setattr(spectral_normalization, name, value)
    assert failures(spectral_normalization.verdicts()) >= broken


def test_without_normalization_least_squares_sees_no_best_gain(monkeypatch):
    monkeypatch.setattr(least_squares, "batch_normalization", lambda: Bounded())
    assert failures(least_squares.verdicts()) >= {"X15.reduced", "X15.scale", "X15.minimum"}


class Bounded(Identity):
    """Instead of normalization: what sees the scale of its inputs."""

    def call(self, inputs, training=None):
        return ops.tanh(inputs)
