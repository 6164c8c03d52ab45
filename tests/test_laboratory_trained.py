"""The laboratory's studies that train: what they measure, and criteria that can fail."""

import keras
import numpy as np
import pandas as pd
import pytest

from bnrepro import data
from bnrepro.config.composition import compose
from bnrepro.data.order import batch_order
from bnrepro.exhibits.adaptation import claims as adaptation_claims
from bnrepro.exhibits.depth import claims as depth_claims
from bnrepro.exhibits.effective_rate import claims as rate_claims
from bnrepro.exhibits.moving_averages import claims as average_claims
from bnrepro.exhibits.small_batches import claims as batch_claims
from bnrepro.lab import adaptation, depth, effective_rate, moving_averages, setting, small_batches
from bnrepro.records.laboratory import SMOKE
from bnrepro.training import build_engine
from bnrepro.verdicts.reasons import reason

SEEDS = range(6)


def outcomes(judged, tables):
    """The verdict by each criterion's key."""
    found = judged.verdicts({name: pd.DataFrame(rows) for name, rows in tables.items()})
    return dict(zip(judged.criteria, (verdict.verdict for verdict in found), strict=True))


def failed(judged, tables):
    return {key for key, outcome in outcomes(judged, tables).items() if outcome != "reproduced"}


def adapted(gain=0.1, at_home=0.0):
    return {
        "adaptation": [
            {"seed": seed, "network": "with BN", "domain": domain, "images": images,
             "accuracy": 0.5 + (images == 1000) * (at_home if domain == "as trained on" else gain)}
            for seed in SEEDS
            for domain in ("as trained on", "inverted", "noisy", "rotated")
            for images in (0, 1000)
        ]
    }  # fmt: skip


def test_adaptation_is_a_gain_of_five_points_in_every_domain_and_no_loss_at_home():
    judged = adaptation_claims.JUDGED
    assert failed(judged, adapted()) == set()
    assert failed(judged, adapted(gain=0.04)) == {"C24.inverted", "C24.noisy", "C24.rotated"}
    assert failed(judged, adapted(at_home=-0.02)) == {"C24.source"}


def averages(deficit=0.1, at_end=0.0):
    rows = [
        {"seed": seed, "momentum": 0.99, "schedule": schedule, "step": step, "moving": 0.8,
         "recomputed": 0.8 + (deficit if step < 500 else at_end), "train_accuracy": 0.8}
        for seed in SEEDS
        for schedule in ("constant", "cosine")
        for step in (50, 400, 1000, 2000)
    ]  # fmt: skip
    counts = [
        {"seed": seed, "step": 2000, "images": images, "accuracy": 0.8}
        for seed in SEEDS
        for images in (60, 1020, 10020)
    ]
    return {"accuracies": rows, "counts": counts}


def test_moving_averages_are_behind_at_first_and_not_at_the_end():
    judged = average_claims.JUDGED
    assert failed(judged, averages()) == set()
    assert failed(judged, averages(deficit=0.0)) == {"D2.beginning"}
    assert failed(judged, averages(at_end=0.01)) == {"D2.decayed"}
    assert failed(judged, averages(at_end=-0.01)) == {"D2.never_worse", "D2.decayed"}


def batches(small=0.7, group=0.8, renorm=0.75, pairs=0.7):
    accuracy = {
        **{("batch", 2): small, ("batch", 32): 0.9},
        **{("group", 2): group, ("group", 32): 0.81, ("renorm", 2): renorm},
    }
    sizes = [
        {"seed": seed, "network": network, "batch": batch, "accuracy": value, "population": value}
        for seed in SEEDS
        for (network, batch), value in accuracy.items()
    ]
    orders = [
        {"seed": seed, "network": network, "order": order, "accuracy": value}
        for seed in SEEDS
        for network, of_pairs in (("batch", pairs), ("renorm", 0.89))
        for order, value in (("shuffled", 0.9), ("class pairs", of_pairs))
    ]
    return {"sizes": sizes, "orders": orders}


def test_small_batches_are_judged_by_who_suffers():
    judged = batch_claims.JUDGED
    assert failed(judged, batches()) == set()
    assert failed(judged, batches(small=0.88)) == {
        "D1.batch", "D1.batch_population", "D1.small", "D1.renorm",
    }  # fmt: skip
    assert failed(judged, batches(renorm=0.85)) == {"D1.renorm"}
    assert failed(judged, batches(pairs=0.88)) == {"D1b.batch"}


def deep(factor=depth_claims.RELU_LAW, deepest=0.1, around=0.9):
    keys = [("linear", batch) for batch in (8, 32, 128)] + [("relu", 32), ("relu", 128)]
    gradients = [
        {"seed": seed, "network": "BN", "activation": activation, "batch": batch, "layer": layer,
         "squared_gradient": (factor if activation == "relu" else (batch - 2) / (batch - 3))
         ** (24 - layer)}
        for seed in SEEDS
        for activation, batch in keys
        for layer in range(1, 25)
    ]  # fmt: skip
    gradients += [
        {"seed": seed, "network": depth_claims.SKIPS, "activation": "relu", "batch": 32,
         "layer": layer, "squared_gradient": 1.0}
        for seed in SEEDS
        for layer in range(1, 25)
    ]  # fmt: skip
    trained = [
        {"seed": seed, "network": network, "depth": depth, "accuracy": accuracy}
        for seed in SEEDS
        for network, of_deepest in (("BN", deepest), (depth_claims.SKIPS, around))
        for depth, accuracy in ((10, 0.9), (80, of_deepest))
    ]
    return {"gradients": gradients, "trained": trained}


def test_depth_is_judged_by_the_laws_and_by_who_trains():
    judged = depth_claims.JUDGED
    assert failed(judged, deep()) == set()
    assert failed(judged, deep(factor=1.0)) == {"D5.relu", "D5.skips"}
    assert failed(judged, deep(deepest=0.9)) == {"D5.deep"}
    assert failed(judged, deep(around=0.1)) == {"D5.deep_skips"}


def rotated(turn=1.0, replayed=0.2, shrinking=10.0, exponent=0.25, effective=1.5):
    """A grid that turns by the law, a replay that is like decay, and kernels that grow."""
    angle = turn * float(np.sqrt(2 * 0.1 * 3e-3 / 1.9))
    grid = [
        {"seed": seed, "rate": 0.1, "decay": 3e-3, "angle_1": angle, "angle_2": angle}
        for seed in SEEDS
    ]
    losses = {"decayed": 0.201, "replayed lengths": replayed, "without decay": 0.1}
    replay = [
        {"seed": seed, "network": network, "step": 2000, "loss": loss,
         "accuracy": 0.95 - 0.1 * (loss - 0.2)}
        for seed in SEEDS
        for network, loss in losses.items()
    ]  # fmt: skip
    lengths = {0.1: 1.0, 0.6: (6 / effective) ** 0.5}
    growth = [
        {"seed": seed, "network": "with BN", "rate": rate, "scale": 1.0, "step": step,
         "gradient": 1.0, "length": lengths.get(rate, 1.0) * (step / 2000) ** exponent}
        for seed in SEEDS
        for rate in rate_claims.RATES
        for step in (1, 1000, 1500, 2000)
    ]  # fmt: skip
    growth += [
        {"seed": seed, "network": "with BN", "rate": 0.1, "scale": 10.0, "step": 1,
         "gradient": 1 / shrinking, "length": 10.0}
        for seed in SEEDS
    ]  # fmt: skip
    return {"grid": grid, "rotation": [], "replay": replay, "growth": growth}


def test_rate_and_decay_are_judged_by_angles_losses_and_lengths():
    judged = rate_claims.JUDGED
    assert failed(judged, rotated()) == set()
    assert failed(judged, rotated(turn=1.3)) == {"D3.rotation"}
    assert failed(judged, rotated(replayed=0.11)) == {"D3.replay_loss"}
    assert failed(judged, rotated(replayed=0.4)) == {"D3.replay_accuracy", "D3.replay_loss"}
    assert failed(judged, rotated(shrinking=1.0)) == {"C3.gradients"}
    assert failed(judged, rotated(exponent=0.5)) == {"C3.growth"}
    assert failed(judged, rotated(effective=3.0)) == {"C3.effective_rate"}


@pytest.fixture(scope="module")
def rates():
    """The study at its small scale, in memory; without decay nothing is in equilibrium."""
    size = effective_rate.SETTINGS[SMOKE]
    training, test = effective_rate.small_images("digits")
    return size, training, test


def test_without_normalization_the_law_of_rotation_does_not_hold(rates):
    size, training, _ = rates
    cells = [(seed, 0.2, 1e-2) for seed in size.seeds]
    off = {}
    for normalized in (True, False):
        form = effective_rate.Form(2, 64, normalized)
        replicas = effective_rate._replicas(training, cells, 0.9, form)
        angles = [replicas.step(step).angles for step in range(300)][-100:]
        law = rate_claims.law(pd.DataFrame({"rate": [0.2], "decay": [1e-2]})).iloc[0]
        off[normalized] = abs(np.mean(angles) / law - 1)
    assert off[True] < 0.2 < off[False]


def test_a_cell_is_judged_after_ten_time_constants():
    cells = pd.DataFrame({"rate": [0.05, 0.05, 0.1], "decay": [1e-3, 3e-3, 1e-3]})
    # 10 (1 - mu) / (4 eta lambda) steps: 5,000, 1,667 and 2,500.
    assert list(rate_claims.is_in_equilibrium(cells, 2000)) == [False, True, False]
    assert list(rate_claims.is_in_equilibrium(cells, 2500)) == [False, True, True]


def test_images_of_the_replicas_have_mean_0_and_unit_variance(rates):
    _, (images, labels), (test, _) = rates
    assert images.mean() == pytest.approx(0, abs=1e-9) and images.std() == pytest.approx(1)
    assert test.std() == pytest.approx(1, abs=0.1) and len(images) == len(labels)


def test_a_curve_is_of_the_steps_since_the_point_before(rates):
    size = rates[0]
    nothing = np.zeros((2, 1))
    seen = [
        effective_rate.Watched(np.array([step, 10 * step]), *[nothing[:, 0]], *[nothing] * 3)
        for step in range(100)
    ]
    rows = list(effective_rate._curves("one", size, seen, np.array([0.5, 0.6]), [1, 0]))
    assert [(row.seed, row.step, row.loss, row.accuracy) for row in rows] == [
        (0, 50, 245.0, 0.6), (1, 50, 24.5, 0.5), (0, 100, 745.0, 0.6), (1, 100, 74.5, 0.5)
    ]  # fmt: skip


def test_gradients_grow_backward_in_shares_of_the_last_layers():
    with setting.double_precision():
        rows = list(depth._layers(0, "BN", "linear", 8))
    squares = [row.squared_gradient for row in rows]
    assert squares[-1] == 1 and [row.layer for row in rows] == [*range(1, len(rows) + 1)]
    # (B - 2) / (B - 3) a layer.
    assert (squares[0] / squares[-2]) ** (1 / (len(rows) - 2)) == pytest.approx(1.2, rel=0.03)


def test_statistics_of_negatives_make_the_opposite_of_every_first_feature():
    words = ["model=mlp", "bn=x1", "data=digits", "data.binary=true", "threads=1"]
    engine = build_engine(compose(words))
    kernel = next(v for v in engine.network.model.trainable_variables if "hidden_1" in v.path)
    images = np.asarray(engine.dataset.train.images[:200])

    def features(pixels):
        inner = pixels.reshape(200, -1) / 255 @ np.asarray(kernel)
        return (inner - inner.mean(axis=0)) / inner.std(axis=0)

    opposite = features(adaptation.DOMAINS["inverted"](images, 0))
    assert opposite == pytest.approx(-features(images), abs=1e-3)


def test_domains_are_what_their_names_say():
    images = np.asarray(data.load(compose(["data=digits"]).config.data).train.images[:50])
    binary = adaptation._black_or_white(images)
    assert (adaptation._black_or_white(255 - images) == 255 - binary).all()
    noisy = adaptation._black_or_white(adaptation.DOMAINS["noisy"](255 * (images > 127), 0))
    # A normal number beyond one deviation on one side: 15.9 %.
    assert (noisy != binary).mean() == pytest.approx(0.159, abs=0.02)
    again = adaptation.DOMAINS["noisy"](images, 0)
    assert (again == adaptation.DOMAINS["noisy"](images, 0)).all()
    assert (again != adaptation.DOMAINS["noisy"](images, 1)).any()
    # What lies in the middle stays there; a bar turns by 30 degrees.
    bar = np.zeros((1, 21, 21, 1), np.uint8)
    bar[0, 10, 3:18] = 255
    turned = adaptation.DOMAINS["rotated"](bar, 0)[0, :, :, 0]
    rows, columns = np.nonzero(turned > 127)
    slope = np.polyfit(columns, rows, 1)[0]
    assert turned[10, 10] == pytest.approx(255)
    assert abs(slope) == pytest.approx(np.tan(np.pi / 6), abs=0.05)


def test_adaptation_scores_with_the_statistics_of_the_target_and_leaves_the_engine_as_it_was():
    words = ["experiment=figure_1_bn", "data=digits", "train_steps=200", "threads=1"]
    engine = build_engine(compose(words))
    setting.advance(engine, 0, 200)
    before = engine.variables()
    rows = pd.DataFrame(adaptation.scored(engine, "with BN", 0))
    after = engine.variables()
    assert all((before[path] == after[path]).all() for path in before)
    home = rows[(rows["domain"] == adaptation.SOURCE) & (rows["images"] == 0)]["accuracy"].item()
    assert home == engine.score(engine.dataset.evaluation)[1]
    noisy = rows[rows["domain"] == "noisy"].set_index("images")["accuracy"]
    assert len(noisy) == 4 and noisy[1000] != noisy[0]


def test_moving_averages_are_seen_more_often_at_first():
    size = moving_averages.SETTINGS[SMOKE]
    assert size.evaluated == [*range(10, 80, 10), 80, 160, 240, 320, 400]
    plan = list(moving_averages._plan(size))
    assert (0, 0.999, "constant") in plan and (1, 0.99, "cosine") in plan


def test_an_engine_begins_again_with_the_weights_and_batches_of_another_seed():
    compositions = [small_batches._composition("batch", 8, "shuffled", 20, seed) for seed in (0, 1)]
    engine = build_engine(compositions[0])
    initial = engine.variables()
    setting.advance(engine, 0, 20)
    setting.begin(engine, compositions[1], initial)
    setting.advance(engine, 0, 20)
    again = engine.variables()
    keras.utils.clear_session(free_memory=False)
    fresh = build_engine(compositions[1])
    setting.advance(fresh, 0, 20)
    expected = fresh.variables()
    assert all(np.allclose(again[path], expected[path], atol=1e-6) for path in expected)


def test_class_pairs_of_digits_are_nearly_a_sample_as_the_reason_says():
    train = data.load(compose(["data=digits"]).config.data).train
    pixels = np.asarray(train.images).reshape(len(train.labels), -1) / 255
    varied = [
        pixels[batch_order(train.labels, 8, shuffle, 0).indices(0, 3000)].mean(axis=1).var(axis=0)
        for shuffle in ("within_shards", "class_pairs")
    ]
    assert varied[1].sum() / varied[0].sum() == pytest.approx(1 + 1 / 7, abs=0.03)
    assert "a seventh more" in reason("D1b", ["not reproduced"]).replace("  ", " ")
