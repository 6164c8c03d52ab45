"""Members of a group say together what each says alone, and the device is asked once for all."""

from functools import cache

import numpy as np
import pytest
from engine_process import ask

MLP = ("model=mlp", "data=digits", "bn=x1", "batch_size=20", "accelerate=[l2]")
MEMBERS = [
    ("seed=0", "l2=0.01", "learning_rate=0.1"),
    ("seed=1", "l2=0.02", "learning_rate=0.2"),
    ("seed=2", "l2=0.05", "learning_rate=0.3"),
]
PLACES = pytest.mark.parametrize("on_accelerator", [False, True], ids=["host", "accelerator"])


@cache
def said(on_accelerator):
    return ask("asked_together", MLP, MEMBERS, on_accelerator, backend="jax", precision="float32")


def pairs(on_accelerator):
    """(answers of a member among the others, alone), at two steps."""
    answer = said(on_accelerator)
    found = list(zip(answer["together"], answer["alone"], strict=True))
    assert len(found) == 2 * len(MEMBERS)
    return found


@PLACES
@pytest.mark.parametrize("of", ["score", "population"])
def test_accuracies_are_the_same_to_the_last_image_and_losses_to_rounding(on_accelerator, of):
    seen = set()
    for together, alone in pairs(on_accelerator):
        assert together[of][1] == alone[of][1]
        assert together[of][0] == pytest.approx(alone[of][0], rel=1e-6)
        seen.add(together[of])
    assert len(seen) == len(MEMBERS)


@PLACES
def test_norms_and_percentiles_are_those_of_each_alone(on_accelerator):
    for together, alone in pairs(on_accelerator):
        for kind in ("weights", "gradients"):
            assert together[kind] == pytest.approx(alone[kind], rel=1e-5, abs=1e-7)
        for layer, summary in together["summaries"].items():
            other = alone["summaries"][layer]
            np.testing.assert_allclose(summary.percentiles, other.percentiles, atol=1e-5)
            np.testing.assert_allclose(summary.edges, other.edges, atol=1e-5)
            assert summary.counts.sum() == other.counts.sum()


def test_a_gradient_is_of_the_step_that_is_asked_for():
    found = said(False)["together"]
    for early, late in zip(found[: len(MEMBERS)], found[len(MEMBERS) :], strict=True):
        assert early["weights"] == late["weights"]
        assert early["gradients"] != late["gradients"]


@PLACES
def test_the_host_waits_once_for_each_question_however_many_members_there_are(on_accelerator):
    together, alone = said(on_accelerator)["fetches"]
    assert together == 5 + 1  # the gradients are of two steps
    assert alone > 2 * 5 * len(MEMBERS)


@PLACES
def test_a_member_whose_variables_were_assigned_is_asked_alone(on_accelerator):
    answer = said(on_accelerator)
    before, after = answer["changed"]
    assert before != after
    assert after == pytest.approx(answer["other"], rel=1e-6)


def test_losses_of_members_with_the_same_labels_are_right_for_many_images():
    random = np.random.default_rng(0)
    logits = random.standard_normal((16, 10_000, 10)).astype(np.float32)
    labels = random.integers(0, 10, 10_000).astype(np.int32)
    found = ask("tallied_of_members", (), labels, logits, backend="jax", precision="float32")
    scores = logits.astype(np.float64)
    losses = np.log(np.exp(scores).sum(axis=2)) - scores[:, np.arange(10_000), labels]
    np.testing.assert_allclose(found.sum(axis=1, dtype=np.float64), losses.sum(axis=1), rtol=1e-6)
