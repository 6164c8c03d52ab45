"""Parts of one's own in a training: on both backends, against the formulas in NumPy."""

import numpy as np
import numpy_training
import pytest
from engine_process import BACKENDS, ask
from own_modules import RMS_NORM

from bnrepro import data
from bnrepro.config.composition import compose
from bnrepro.config.overrides import CONFIG_DIRECTORY_VARIABLE

STEPS = 8
MLP = ("model=mlp", "batch_size=20", "model.hidden_layers=2", "model.width=0.2")
NORMALIZED = (*MLP, "normalization=my_norms:RMSNorm")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A user's folder with modules of their own, here and in the processes that are asked."""
    monkeypatch.setenv(CONFIG_DIRECTORY_VARIABLE, str(tmp_path))
    (tmp_path / "my_norms.py").write_text(RMS_NORM)
    return tmp_path


def asked(folder, question, overrides, *arguments, backend):
    return ask("with_own_parts", overrides, str(folder), question, *arguments, backend=backend)


def assert_is_the_formulas(folder, overrides, backend):
    answer = asked(folder, "trained", overrides, STEPS, backend=backend)
    assert isinstance(answer, dict), answer
    config = compose(list(overrides)).config
    expected = numpy_training.Training(config, data.load(config.data), answer["before"])
    losses, hits = zip(*map(expected.step, range(STEPS)), strict=True)
    np.testing.assert_allclose(answer["loss"], losses, rtol=1e-6)
    np.testing.assert_array_equal(answer["num_correct"], hits)
    arrays = expected.network.values("weights")
    assert arrays.keys() == answer["after"].keys()
    for path, value in arrays.items():
        np.testing.assert_allclose(answer["after"][path], value, rtol=1e-6, atol=1e-6, err_msg=path)
    np.testing.assert_allclose(answer["scores"], expected.scores(), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("placement", ["before", "after"])
@BACKENDS
def test_a_normalization_trains_as_its_formula_says(backend, placement, folder):
    assert_is_the_formulas(folder, (*NORMALIZED, f"placement={placement}"), backend)


@BACKENDS
def test_a_run_is_recorded_resumed_and_loaded(backend, folder):
    words = (*NORMALIZED, "train_steps=6", "evaluate_every=3", "checkpoint_every=2")
    whole = asked(folder, "recorded", words, backend=backend)
    resumed = asked(folder, "recorded", words, 4, backend=backend)
    record = whole["record"]
    assert record["status"] == "completed"
    assert record["config"]["normalization"] == compose(list(words)).config.normalization
    assert resumed["record"]["weights_digest"] == record["weights_digest"]
    # The loaded network has the weights that were trained.
    assert whole["after"].keys() == whole["before"].keys()
    assert not np.array_equal(whole["after"]["hidden_1_normalization/gamma"], np.ones(20))
