"""The engine of each backend, through its contract."""

import numpy as np
import pytest
from engine_process import JAX_AND_SLOWLY_TENSORFLOW, ask

from bnrepro.config import ACTIVATIONS

CNN = ("model=cnn", "model.width=0.1", "dropout=0.4", "optimizer=momentum", "l2=0.001")
INCEPTION = ("model=inception", "model.width=0.05", "dropout=0")
MLP_DROPOUT = ("model=mlp", "dropout=0.4")
ONE_LAYER = ("model=mlp", "model.hidden_layers=1")
DIVERGING = ("model=mlp", "bn=none", "activation=relu", "learning_rate=1e30")
NOISY = ("model=mlp", "model.hidden_layers=2", "normalization=noisy_batch")
PLAIN = ("model=mlp", "optimizer=sgd", "l2=0.01")


@pytest.mark.slow
@pytest.mark.parametrize("overrides", [("model=mlp",), INCEPTION], ids=["mlp", "inception"])
def test_both_backends_train_the_same_in_float64(overrides):
    """20 steps, to 1e-6: in float32 a deep network amplifies one rounding beyond any bound."""
    first, second = (
        ask("trained", overrides, 20, backend=backend) for backend in ("tensorflow", "jax")
    )
    np.testing.assert_allclose(first["loss"], second["loss"], rtol=1e-6)
    assert first["after"].keys() == second["after"].keys()
    for name, value in first["after"].items():
        np.testing.assert_allclose(value, second["after"][name], rtol=1e-6, atol=1e-7, err_msg=name)


@pytest.mark.parametrize(
    "overrides",
    [
        pytest.param(MLP_DROPOUT, id="mlp"),
        pytest.param(CNN, id="cnn", marks=pytest.mark.slow),
    ],
)
@JAX_AND_SLOWLY_TENSORFLOW
def test_how_a_training_is_cut_into_segments_does_not_change_it(backend, overrides):
    answer = ask("cuts", overrides, backend=backend, precision="float32")
    assert answer == {"losses": True, "variables": True}


@JAX_AND_SLOWLY_TENSORFLOW
def test_a_second_dense_model_runs_as_a_compiled_loop(backend):
    loop, step = {
        "jax": ("jax loop", "jax step"),
        "tensorflow": ("tensorflow xla loop", "tensorflow graph loop"),
    }[backend]
    answer = ask("kinds_of_own_models", (), backend=backend, precision="float32")
    assert answer == [loop, step]


@pytest.mark.parametrize(
    ("overrides", "layers"), [(MLP_DROPOUT, 3), (ONE_LAYER, 1)], ids=["three", "one"]
)
@JAX_AND_SLOWLY_TENSORFLOW
def test_watching_changes_nothing(backend, overrides, layers):
    answer = ask("watching", overrides, backend=backend, precision="float32")
    assert answer["unchanged"]
    assert answer["shapes"] == {f"hidden_{layer + 1}": (50, 100) for layer in range(layers)}


@JAX_AND_SLOWLY_TENSORFLOW
def test_the_first_step_that_is_not_finite_is_found_exactly(backend):
    answer = ask("divergence", DIVERGING, backend=backend, precision="float32")
    assert 1 <= answer["found"] <= 10
    assert answer["finite"] == [True, False]
    assert answer["length"] == answer["found"]


@pytest.mark.parametrize("steps", [1, 2, 3, 10, 25])
def test_the_search_for_a_divergence_ends_at_its_step(steps):
    answer = ask("located", (), steps, backend="jax", precision="float32")
    assert answer == list(range(1, steps + 1))


@JAX_AND_SLOWLY_TENSORFLOW
def test_the_gradient_that_is_watched_is_the_one_of_the_next_step(backend):
    answer = ask("next_gradient", PLAIN, backend=backend, precision="float32")
    assert np.abs(answer["change"]).max() > 0
    np.testing.assert_allclose(answer["change"], answer["expected"], atol=1e-6)


@JAX_AND_SLOWLY_TENSORFLOW
def test_an_image_has_the_same_scores_alone_as_in_the_whole_split(backend):
    answer = ask("logits", ("model=mlp",), backend=backend, precision="float32")
    assert answer["all"].shape[1] == 10
    np.testing.assert_allclose(answer["all"][:1], answer["alone"], atol=1e-5)


def test_an_accelerators_one_program_scores_as_batch_by_batch():
    # 359 images in batches of 200: the second is filled up from the start.
    overrides = ("model=cnn", "model.width=0.1", "placement=before")
    answer = ask("scored_as_on_an_accelerator", overrides, backend="jax", precision="float32")
    assert answer["batches"].shape == (2, 200)
    assert answer["batches"].ravel().tolist() == [*range(359), *range(41)]
    assert answer["at_once"].shape == answer["by_batches"].shape == (359, 10)
    np.testing.assert_allclose(answer["at_once"], answer["by_batches"], atol=1e-5)
    np.testing.assert_allclose(answer["train"], answer["train_alone"], atol=1e-5)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@JAX_AND_SLOWLY_TENSORFLOW
def test_the_compiled_scores_are_those_of_the_model(backend, activation):
    overrides = (*CNN, f"activation={activation}")
    answer = ask("compiled", overrides, backend=backend, precision="float32")
    np.testing.assert_allclose(answer["compiled"], answer["plain"], atol=1e-5)


@JAX_AND_SLOWLY_TENSORFLOW
def test_a_batch_is_of_the_runs_precision(backend):
    arguments = (np.zeros((2, 8, 8, 1), np.uint8), np.arange(2), {})
    for precision in ("float32", "float64"):
        batch = ask("assembled", (), *arguments, backend=backend, precision=precision)
        assert batch.dtype == precision


@pytest.mark.parametrize("rule", ["sgd", "momentum", "nesterov", "rmsprop"])
def test_runs_that_train_as_one_program_are_those_that_train_alone(rule):
    """Their weights, moving averages and dropout's random states; and so do those that follow."""
    seeds = (3, 4, 8)
    members = [
        (f"seed={seed}", f"learning_rate={rate}", f"l2={l2}", f"initializer.scale={scale}")
        for seed, rate, l2, scale in zip(seeds, (0.1, 0.2, 0.1), (1, 2, 3), (1, 1, 2), strict=True)
    ]
    if rule != "sgd":
        momenta = (0.9, 0.5, 0.7)
        members = [
            (*own, f"optimizer.momentum={m}") for own, m in zip(members, momenta, strict=True)
        ]
    pairs = ask("as_one_program", (*MLP_DROPOUT, f"optimizer={rule}"), members, backend="jax")
    for seed, (together, alone) in zip((*seeds, *reversed(seeds)), pairs, strict=True):
        assert together.keys() == alone.keys()
        for path, value in alone.items():
            np.testing.assert_allclose(together[path], value, rtol=1e-9, atol=1e-12, err_msg=path)
        (random,) = (value for path, value in together.items() if "seed_generator" in path)
        assert random[0] == seed


@pytest.mark.parametrize("model", ["mlp", "cnn"])
@JAX_AND_SLOWLY_TENSORFLOW
def test_streamed_images_train_as_those_in_memory(backend, model):
    """A loop of steps goes over dense networks; convolutions go step by step on a CPU."""
    overrides = [f"model={model}", "data=digits", "model.width=0.1", "bn=x1", "batch_size=20"]
    answer = ask("streamed", overrides, backend=backend, precision="float32")
    (losses, *arrays), (streamed_losses, *streamed_arrays) = answer.values()
    np.testing.assert_array_equal(streamed_losses, losses)
    for one, other in zip(arrays, streamed_arrays, strict=True):
        for name, array in one.items():
            np.testing.assert_array_equal(other[name], array)


def test_streamed_images_are_refused_to_one_program():
    """Every member has an order of its own, and so needs other images at the same time."""
    said = ask("group_of_streamed", ["model=mlp", "data=digits"], backend="jax")
    assert "do not fit" in said and "one by one" in said


def test_noise_is_of_each_members_seed():
    members = [(f"seed={seed}",) for seed in (3, 4)]
    for together, alone in ask("as_one_program", NOISY, members, backend="jax"):
        for path, value in alone.items():
            np.testing.assert_allclose(together[path], value, rtol=1e-9, atol=1e-12, err_msg=path)


@JAX_AND_SLOWLY_TENSORFLOW
def test_a_noisy_run_that_is_resumed_is_the_uninterrupted_one(backend):
    words = (*NOISY, "train_steps=20", "evaluate_every=10")
    whole, resumed = (ask("recorded", words, stop, backend=backend)["after"] for stop in (None, 10))
    assert whole.keys() == resumed.keys()
    for path, value in whole.items():
        np.testing.assert_array_equal(resumed[path], value, err_msg=path)
