"""The exact experiments: each reproduces its claim, and a broken implementation does not."""

import keras
import numpy as np
import pytest
from exact_criteria import EXACT, failures, outcomes
from keras import ops

from bnrepro.engine import looking as engine
from bnrepro.lab import (
    feature_maps,
    identities,
    inference,
    jacobian,
    naive_normalization,
    setting,
    weight_scale,
    whitening,
)
from bnrepro.lab.naive_normalization import NaiveNormalization
from bnrepro.normalization.group import GroupNormalization


@pytest.fixture(autouse=True)
def precision():
    with setting.double_precision():
        yield


@pytest.fixture
def small(monkeypatch):
    """The long experiments, shortened."""
    monkeypatch.setattr(naive_normalization, "_STEPS", 1_200)
    monkeypatch.setattr(weight_scale, "_STEPS", 5)
    monkeypatch.setattr(inference, "_BATCH_SIZES", (2, 32))
    monkeypatch.setattr(jacobian, "NETWORKS", jacobian.NETWORKS[:3])
    monkeypatch.setattr(jacobian, "_BATCH_DEPTHS", (1, 2))


class CorrectedVariance(keras.layers.BatchNormalization):
    """A mistake: the factor m/(m-1), which belongs to inference, in training."""

    def call(self, inputs, training=None):
        m = inputs.shape[0]
        shrink = np.sqrt((m - 1) / m)
        mean = ops.mean(inputs, axis=0)
        return super().call((inputs - mean) * shrink + mean, training=training) * shrink**2


def test_normalization_outside_the_gradient_lets_the_bias_grow(tmp_path):
    assert not failures(naive_normalization.verdicts(tmp_path))
    rows = (tmp_path / "naive_normalization.csv").read_text().splitlines()
    assert rows[0] == "network,step,loss,bias,weights"


def test_the_toy_bias_grows_by_the_mean_of_the_target_in_every_step():
    *_, (_, steps, loss, bias, _) = naive_normalization.descend_toy(NaiveNormalization(scale=False))
    # d loss / d x_hat averages to minus the target's mean, whatever the bias is.
    mean = setting.random("toy", 64, 1).mean() + 1
    assert bias == pytest.approx(0.1 * steps * abs(mean), rel=1e-9)
    assert loss == pytest.approx(mean**2 / 2, rel=1e-9)


def test_a_true_gradient_leaves_the_bias_where_it_is(small, monkeypatch, tmp_path):
    monkeypatch.setattr(
        naive_normalization,
        "NaiveNormalization",
        lambda scale: setting.batch_normalization(1e-5),
    )
    failed = failures(naive_normalization.verdicts(tmp_path))
    assert {"C1.toy_bias", "C1.network_loss", "C1.network_scale"} <= failed


def test_stopping_the_gradient_of_batch_normalization_is_noticed(small, monkeypatch, tmp_path):
    monkeypatch.setattr(
        naive_normalization, "batch_normalization", lambda _: NaiveNormalization(scale=True)
    )
    failed = failures(naive_normalization.verdicts(tmp_path))
    assert {"C1.batch_normalization", "C1.network_scale"} <= failed


def test_the_scale_of_the_weights_does_not_matter(small, tmp_path):
    assert not failures(weight_scale.verdicts(tmp_path))


def test_the_scale_matters_with_a_large_epsilon(small, monkeypatch, tmp_path):
    monkeypatch.setattr(
        weight_scale,
        "batch_normalization",
        lambda epsilon=0.0: setting.batch_normalization(epsilon + 1e-3),
    )
    failed = failures(weight_scale.verdicts(tmp_path))
    assert failed == {key for key in EXACT if key.startswith("C2.")} - {"C2.monotone"}


def test_epsilon_breaks_the_law_by_the_size_that_the_formula_says():
    output, *_, law = weight_scale.law_errors(1e-3, 0.1)
    # About epsilon / (2 a^2 variance), with a variance of about 1.
    assert 0.02 < output < 0.2
    assert law < 1e-12


def test_without_the_gradient_of_the_statistics_weights_are_not_orthogonal(
    small, monkeypatch, tmp_path
):
    monkeypatch.setattr(
        weight_scale, "batch_normalization", lambda epsilon=0.0: NaiveNormalization(scale=True)
    )
    failed = failures(weight_scale.verdicts(tmp_path))
    assert {"C2.orthogonal", "C2.growth"} <= failed


def test_the_jacobian_conjecture_holds_for_orthogonal_weights_only(small, tmp_path):
    found = outcomes(jacobian.verdicts(tmp_path))
    assert found.pop("C4.gradient") == "reproduced"
    assert found.pop("C4.orthogonal") == "reproduced"
    assert found == dict.fromkeys(("C4.layer", "C4.relu", "C4.batch", "C4.depth"), "not reproduced")


def test_the_jacobian_of_a_batch_is_the_derivative_of_the_layer():
    weights = setting.random("W", 4, 3)
    values = setting.random("x", 6, 4)

    def layer(flat):
        sums = np.maximum(flat.reshape(6, 4), 0) @ weights
        return ((sums - sums.mean(axis=0)) / sums.std(axis=0)).ravel()

    steps = 1e-6 * np.eye(values.size)
    numeric = [
        (layer(values.ravel() + step) - layer(values.ravel() - step)) / 2e-6 for step in steps
    ]
    jacobian_matrix = jacobian.batch_jacobian(
        weights, np.maximum(values, 0) @ weights, (values > 0).astype(float)
    )
    np.testing.assert_allclose(jacobian_matrix, np.transpose(numeric), atol=1e-7)


def test_a_batch_jacobian_loses_two_directions_of_every_unit():
    values = jacobian.inputs(20, 10)
    weights, sums = jacobian.propagate(jacobian.NETWORKS[0], values, 1)
    found = jacobian.singular_values(jacobian.batch_jacobian(weights, sums, np.ones((20, 10))))
    assert (found > 0).sum() == 18 * 10


def test_backpropagation_past_the_statistics_is_noticed(monkeypatch):
    monkeypatch.setattr(jacobian, "batch_normalization", lambda: NaiveNormalization(scale=True))
    assert not EXACT["C4.gradient"].holds(jacobian.backpropagation_error())


@pytest.mark.parametrize(
    "experiment",
    [
        identities.identity,
        identities.redundant_bias,
        identities.mean_and_variance,
        identities.folding,
        feature_maps.verdicts,
        whitening.verdicts,
    ],
)
def test_the_identities_hold(experiment, tmp_path):
    assert not failures(experiment(tmp_path))


def test_a_wrong_variance_is_noticed(monkeypatch, tmp_path):
    monkeypatch.setattr(
        identities, "batch_normalization", lambda epsilon: CorrectedVariance(epsilon=epsilon)
    )
    assert "C5.layer" in failures(identities.identity(tmp_path))
    assert failures(identities.mean_and_variance(tmp_path)) == {"C7.variance", "C7.epsilon"}


def test_a_huge_epsilon_is_noticed(monkeypatch, tmp_path):
    monkeypatch.setattr(
        identities, "batch_normalization", lambda _: setting.batch_normalization(10.0)
    )
    assert {"C7.variance", "C7.epsilon"} == failures(identities.mean_and_variance(tmp_path))
    monkeypatch.setattr(whitening, "batch_normalization", lambda: setting.batch_normalization(10.0))
    assert failures(whitening.verdicts(tmp_path)) == {"C22.elementwise"}


def test_a_bias_is_not_redundant_where_the_mean_is_outside_the_gradient(monkeypatch, tmp_path):
    monkeypatch.setattr(identities, "batch_normalization", lambda _: NaiveNormalization(scale=True))
    assert {"C6.gradient"} <= failures(identities.redundant_bias(tmp_path))


def test_normalization_after_the_activation_does_not_fold(monkeypatch, tmp_path):
    config_of = setting.config_of
    monkeypatch.setattr(
        identities, "config_of", lambda *words: config_of(*words, "placement=after")
    )
    assert failures(identities.folding(tmp_path)) == {"C10.mlp", "C10.cnn"}


def test_statistics_of_single_examples_are_noticed(monkeypatch, tmp_path):
    monkeypatch.setattr(
        feature_maps, "batch_normalization", lambda statistics: GroupNormalization(group_size=1)
    )
    assert failures(feature_maps.verdicts(tmp_path)) == {"C8.joint", "C8.per_activation"}


def test_parameters_per_activation_are_counted():
    layer = feature_maps.prepared("per_activation")
    assert feature_maps.number_of_parameters(layer) == 2 * 8 * 8 * 6


def test_statistics_per_feature_map_commute_with_shifts(monkeypatch, tmp_path):
    make = setting.batch_normalization
    monkeypatch.setattr(feature_maps, "batch_normalization", lambda statistics: make())
    assert failures(feature_maps.verdicts(tmp_path)) == {"C8.per_activation"}


def test_inference_by_population_statistics(small, tmp_path):
    assert not failures(inference.verdicts(tmp_path))
    rows = (tmp_path / "inference.csv").read_text().splitlines()
    assert rows[0] == "batch_size,statistics,loss,accuracy,variance_over_true"
    assert len(rows) == 1 + 2 * 4


def test_a_missing_correction_of_the_variance_is_noticed(small, monkeypatch, tmp_path):
    moments = engine.batch_moments

    def biased(layers, inputs):
        m = inputs[0].shape[0]
        return [(mean, variance * (m - 1) / m) for mean, variance in moments(layers, inputs)]

    monkeypatch.setattr(engine, "batch_moments", biased)
    assert "C9.variance" in failures(inference.verdicts(tmp_path))


def test_an_output_that_depends_on_the_batch_is_noticed():
    engine = setting.trained(setting.config_of("model=mlp", "train_steps=0"))
    program = inference.batch_mode(engine)
    assert EXACT["C9.alone"].holds(inference.difference_alone(engine))
    engine.forward = program
    assert not EXACT["C9.alone"].holds(inference.difference_alone(engine))


def test_tables_are_the_same_every_time(tmp_path):
    tables = []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        whitening.verdicts(tmp_path / name)
        tables.append((tmp_path / name / "whitening.csv").read_bytes())
    assert tables[0] == tables[1]
