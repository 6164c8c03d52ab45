"""Parts of one's own in a training: on both backends, against the formulas in NumPy."""

import numpy as np
import numpy_training
import pytest
from engine_process import JAX_AND_SLOWLY_TENSORFLOW, ask
from own_modules import NETS, NORMS, RULES

from bnrepro import data
from bnrepro.config.composition import compose
from bnrepro.config.overrides import CONFIG_DIRECTORY_VARIABLE

STEPS = 8
SMALL = ("batch_size=20", "model.hidden_layers=2")
MLP = ("model=mlp", "model.width=0.2", *SMALL)
SHORT = ("train_steps=6", "evaluate_every=3", "checkpoint_every=2")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A user's folder with modules of their own, here and in the processes that are asked."""
    monkeypatch.setenv(CONFIG_DIRECTORY_VARIABLE, str(tmp_path))
    for name, text in {"my_norms": NORMS, "my_rules": RULES, "my_nets": NETS}.items():
        (tmp_path / f"{name}.py").write_text(text)
    return tmp_path


def asked(folder, question, overrides, *arguments, backend):
    answer = ask("with_own_parts", overrides, str(folder), question, *arguments, backend=backend)
    assert isinstance(answer, dict), answer
    return answer


class SignedRootTraining(numpy_training.Training):
    """`v = momentum * v + gradient; w -= rate * sign(v) * sqrt(|v|)`."""

    def step(self, step):
        loss, hits, gradients = self.gradients(step)
        for path, layer, name in self.network.places("weights"):
            old = self.velocity.get(path, 0)
            moved = self.config.optimizer.momentum * old + gradients[path]
            self.velocity[path] = moved
            change = numpy_training.rate(self.config, step) * np.sign(moved) * np.sqrt(abs(moved))
            layer.weights[name] = layer.weights[name] - change
        return loss, hits


TRAININGS = {
    "normalization before": (*MLP, "normalization=my_norms:RMSNorm"),
    "normalization after": (*MLP, "normalization=my_norms:RMSNorm", "placement=after"),
    "normalization of maps": ("model=cnn", "model.width=0.1", "normalization=my_norms:RMSNorm"),
    "activation": (*MLP, "activation=my_rules:softsign"),
    "optimizer": (*MLP, "optimizer=my_rules:SignedRoot", "optimizer.momentum=0.5",
                  "learning_rate=0.01"),
}  # fmt: skip


@pytest.mark.parametrize("kind", TRAININGS)
@JAX_AND_SLOWLY_TENSORFLOW
def test_a_training_follows_its_formulas(backend, kind, folder):
    overrides = TRAININGS[kind]
    answer = asked(folder, "trained", overrides, STEPS, backend=backend)
    config = compose(list(overrides)).config
    training = SignedRootTraining if kind == "optimizer" else numpy_training.Training
    expected = training(config, data.load(config.data), answer["before"])
    losses, hits = zip(*map(expected.step, range(STEPS)), strict=True)
    np.testing.assert_allclose(answer["loss"], losses, rtol=1e-6)
    np.testing.assert_array_equal(answer["num_correct"], hits)
    arrays = expected.network.values("weights") | expected.network.values("statistics")
    assert arrays.keys() == answer["after"].keys()
    for path, value in arrays.items():
        np.testing.assert_allclose(answer["after"][path], value, rtol=1e-6, atol=1e-6, err_msg=path)
        assert np.abs(value - answer["before"][path]).max() > 1e-5, path
    np.testing.assert_allclose(answer["scores"], expected.scores(), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ["of_units", "whole"])
@JAX_AND_SLOWLY_TENSORFLOW
def test_a_network_that_is_bnrepros_trains_as_bnrepros(backend, name, folder):
    """Weights, statistics and Algorithm 2, whose handles a whole model has from its graph."""
    common = ("initializer=gaussian", "activation=sigmoid", "learning_rate=0.1", *SMALL)
    theirs = asked(folder, "inferences", (f"model=my_nets:{name}", *common), STEPS, backend=backend)
    ours = ask("inferences", (*MLP, *common), STEPS, backend=backend)
    assert theirs["after"].keys() == ours["after"].keys()
    for path, value in ours["after"].items():
        np.testing.assert_allclose(theirs["after"][path], value, atol=1e-12, err_msg=path)
    assert theirs["population"] == pytest.approx(ours["population"])
    assert theirs["population"] != pytest.approx(theirs["moving_average"])


@JAX_AND_SLOWLY_TENSORFLOW
def test_what_is_watched_in_a_whole_model_is_found_in_its_graph(backend, folder):
    found = asked(folder, "built", ("model=my_nets:whole",), backend=backend)
    assert found == {
        "pre_activations": ["hidden_1_activation", "hidden_2_activation"],
        "batch_normalizations": ["hidden_1_normalization", "hidden_2_normalization"],
        "is_dense": True,
    }


RECORDED = {
    "normalization": (*MLP, "normalization=my_norms:RMSNorm"),
    "activation": (*MLP, "activation=my_rules:softsign"),
    "optimizer": (*MLP, "optimizer=my_rules:SignedRoot"),
    "model": ("model=my_nets:dropping",),
}


@pytest.mark.slow
@pytest.mark.parametrize("key", RECORDED)
@JAX_AND_SLOWLY_TENSORFLOW
def test_a_run_is_recorded_resumed_and_loaded(backend, key, folder):
    """Whatever it draws at random, a resumed run is the uninterrupted one."""
    words = (*RECORDED[key], *SHORT)
    whole = asked(folder, "recorded", words, backend=backend)
    resumed = asked(folder, "recorded", words, 4, backend=backend)
    assert whole["record"]["status"] == resumed["record"]["status"] == "completed"
    assert whole["record"]["weights_digest"] == resumed["record"]["weights_digest"]
    config = compose(list(words)).config
    recorded = whole["record"]["config"]
    expected = {"normalization": config.normalization, "activation": config.activation}
    assert {name: recorded[name] for name in expected} == expected
    assert recorded["model"]["name"] == config.model.name
    assert recorded["optimizer"]["name"] == config.optimizer.name
    # The loaded network has weights that were trained, whatever Keras calls them.
    before, after = (list(whole[when].values()) for when in ("before", "after"))
    assert [value.shape for value in before] == [value.shape for value in after]
    assert any(not np.array_equal(*pair) for pair in zip(before, after, strict=True))


@JAX_AND_SLOWLY_TENSORFLOW
def test_two_dropouts_drop_differently_and_as_the_seed_says(backend, folder):
    def losses(*words):
        words = ("model=my_nets:dropping", "batch_size=20", *words)
        return list(asked(folder, "trained", words, STEPS, backend=backend)["loss"])

    first = losses("seed=1")
    assert first == losses("seed=1")
    assert first != losses("seed=2")


def test_two_dropouts_begin_with_seeds_of_their_own():
    from bnrepro.models import initial_random_state

    states = [initial_random_state(path, 3).tolist() for path in ("a/state", "b/state")]
    assert states[0] != states[1]
    assert initial_random_state("a/state", 4).tolist() != states[0]
    # bnrepro's own dropout, of which there is one, has the seed of the run.
    assert initial_random_state("dropout_seed/seed_generator_state", 3).tolist() == [3, 0]
