"""Rows of images through a long short-term memory, normalized on some of its connections.

The oracle is `numpy_lstm`, which has the forward and the backward pass by the formulas.
"""

from functools import cache

import numpy as np
import numpy_training
import pytest
from engine_process import BACKENDS, JAX_AND_SLOWLY_TENSORFLOW, ask

from bnrepro import data
from bnrepro.config import ConfigError
from bnrepro.config.composition import compose

LSTM = ("model=lstm", "model.width=0.1", "batch_size=20")
STEPS = 6
NETWORKS = {
    "none": (*LSTM, "bn=none"),
    "input": (*LSTM, "l2=0.001"),
    "recurrent": (*LSTM, "model.normalize=recurrent"),
    "both": (*LSTM, "model.normalize=both"),
    "layer": (*LSTM, "model.normalize=both", "normalization=layer"),
}
# What follows from 64 pixels in 8 rows of 8, 10 units and 10 classes: kernels of 8 x 40, 10 x 40
# and 10 x 10, and 10 biases of the classifier; then what each network has beside them.
KERNELS = 8 * 40 + 10 * 40 + 10 * 10 + 10
BESIDE = {"none": 40, "input": 80, "recurrent": 40 + 40, "both": 80 + 40, "layer": 80 + 40}


def training_of(overrides, variables):
    config = compose(list(overrides)).config
    return numpy_training.Training(config, data.load(config.data), variables)


@cache
def trained(network, backend):
    return ask("trained", NETWORKS[network], STEPS, backend=backend)


@pytest.mark.parametrize("network", NETWORKS)
@JAX_AND_SLOWLY_TENSORFLOW
def test_a_training_follows_its_formulas(backend, network):
    """Losses, weights and moving averages of every step, and the scores at inference after it."""
    answer = trained(network, backend)
    expected = training_of(NETWORKS[network], answer["before"])
    losses, hits = zip(*map(expected.step, range(STEPS)), strict=True)
    np.testing.assert_allclose(answer["loss"], losses, rtol=1e-6)
    np.testing.assert_array_equal(answer["num_correct"], hits)
    arrays = expected.network.values("weights") | expected.network.values("statistics")
    assert arrays.keys() == answer["after"].keys()
    for path, value in arrays.items():
        np.testing.assert_allclose(answer["after"][path], value, rtol=1e-6, atol=1e-8, err_msg=path)
    np.testing.assert_allclose(answer["scores"], expected.scores(), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("network", NETWORKS)
def test_parameters_are_counted_and_begin_as_they_are_said_to(network):
    before = trained(network, "jax")["before"]
    learned = {path: value for path, value in before.items() if "moving" not in path}
    assert sum(value.size for value in learned.values()) == KERNELS + BESIDE[network]
    begins = {"factor": 1.0 if network == "layer" else 0.1, "gamma": 1.0, "beta": 0.0, "bias": 0.0}
    for path, value in learned.items():
        name = path.rpartition("/")[2]
        if name != "kernel":
            assert set(np.unique(value)) == {begins[name]}, path


def test_each_step_has_statistics_of_its_own_and_the_input_connections_have_one():
    after = trained("both", "jax")["after"]
    means = {path for path in after if path.endswith("moving_mean")}
    by_step = {f"lstm_recurrent_{step}_normalization/moving_mean" for step in range(2, 9)}
    assert means == by_step | {"lstm_input_normalization/moving_mean"}
    assert {after[path].shape for path in means} == {(40,)}


@JAX_AND_SLOWLY_TENSORFLOW
def test_algorithm_2_follows_the_formulas(backend):
    words = (*NETWORKS["both"], "batch_normalization.population_batches=3")
    answer = ask("inferences", words, STEPS, backend=backend)
    expected = training_of(words, answer["after"])
    names = [f"lstm_recurrent_{step}_normalization" for step in range(2, 9)]
    for statistics, name in zip(
        answer["statistics"], ["lstm_input_normalization", *names], strict=True
    ):
        by_layer = {layer.name: terms for layer, terms in expected.population().items()}
        for received, value in zip(statistics, by_layer[name], strict=True):
            np.testing.assert_allclose(received, value, rtol=1e-6, atol=1e-10)
    assert answer["unchanged"]
    np.testing.assert_allclose(answer["population"], expected.population_evaluation(), rtol=1e-6)


@BACKENDS
def test_without_normalization_it_is_the_layer_of_keras(backend):
    difference, largest = ask("lstm_of_keras", NETWORKS["none"], backend=backend)
    assert difference < 1e-12 < 1e-2 < largest


@JAX_AND_SLOWLY_TENSORFLOW
def test_an_interrupted_run_is_recorded_as_a_whole_one(backend):
    words = (*NETWORKS["both"], "train_steps=8", "evaluate_every=4", "checkpoint_every=4")
    whole, resumed = (ask("recorded", words, at, backend=backend) for at in (None, 4))
    for name in ("final_accuracy", "final_accuracy_population"):
        assert whole["record"][name] == resumed["record"][name]
    for path, value in whole["after"].items():
        np.testing.assert_array_equal(resumed["after"][path], value, err_msg=path)


@pytest.mark.slow
@BACKENDS
def test_a_probe_looks_at_it_and_disturbs_nothing(backend):
    answer = ask("probed", NETWORKS["both"], 2, ("batch",), backend=backend)
    assert answer["undisturbed"]
    looked = answer["modes"]["batch"]
    assert looked["pre_activations"] == {}
    np.testing.assert_allclose(looked["losses"], looked["losses_beside_gradients"], rtol=1e-9)


def test_networks_of_one_program_train_as_each_alone():
    members = [("seed=0", "learning_rate=0.1"), ("seed=1", "learning_rate=0.3")]
    for together, alone in ask("as_one_program", NETWORKS["both"], members, backend="jax"):
        assert together.keys() == alone.keys()
        for path, value in alone.items():
            np.testing.assert_allclose(together[path], value, rtol=1e-9, atol=1e-12, err_msg=path)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["model=mlp", "model.normalize=both"], "expected model=lstm"),
        (["model=lstm", "model.normalize=all"], "expected one of input, recurrent, both"),
        (["model=lstm", "model.normalize=null"], "expected input, recurrent or both"),
        (["model=lstm", "bn=none", "model.normalize=both"], "expected a normalization"),
        (["model=lstm", "placement=after"], "use placement=before, or bn=none"),
        (["model=lstm", "normalization=instance"], "use normalization=layer"),
        (["model=lstm", "activation=relu"], "activation=relu with model=lstm: expected tanh"),
        (["model=lstm", "model.hidden_layers=2"], "expected 1, since it has one layer"),
        (["model=lstm", "lrn=true"], "expected false"),
        (["model=lstm", "reparametrization=weight"], "expected null"),
        (["model=lstm", "batch_normalization.statistics_batch=20"], "expected null"),
        (["model=lstm", "batch_normalization.statistics=per_activation"], "per_feature_map"),
        (["model=lstm", "model.normalize=both", "batch_size=1"], "use batch_size=2 or more"),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_sentence(words, said):
    with pytest.raises(ConfigError, match=said):
        compose(words)


def test_the_rows_of_one_image_are_a_batch_for_its_input_connections():
    assert compose(["model=lstm", "batch_size=1"]).config.model.normalize == "input"


def test_its_names_say_what_is_normalized():
    assert compose(["model=lstm"]).name == "lstm-digits-x1"
    assert compose(["model=lstm", "bn=none"]).name == "lstm-digits-none"
    assert compose(["model=lstm", "model.normalize=both"]).name == "lstm-digits-x1-both_connections"
