"""Deep residual networks in the laboratory: what is measured, and criteria that can fail."""

import keras
import numpy as np
import pandas as pd
import pytest

from bnrepro.exhibits.residual_networks.claims import (
    BN,
    FIXUP,
    JUDGED,
    PLAIN,
    SCALED,
    SKIPINIT,
    largest_borne,
)
from bnrepro.lab import residual_networks as study
from bnrepro.records.laboratory import SMOKE

SEEDS = range(6)
RATES = (0.001, 0.01, 0.03, 0.1, 0.3)
SMALL = study.Setting((0, 1), 1, (0.1, 0.02), 5)


def tables(borne=100.0, doubling=27.0, **largest):
    """A study; the largest rate at which each network trains, and by how much the plain one errs.

    `borne` is the largest rate of a first step with batch normalization over that without,
    `doubling` over how many blocks of the plain network values grow tenfold.
    """
    largest = {PLAIN: 0.001, BN: 0.3, SKIPINIT: 0.1, FIXUP: 0.1, SCALED: 0.1} | largest
    bearing = {PLAIN: 1e-4, BN: 1e-4 * borne}
    growing = {PLAIN: 3 / doubling, BN: 0.02}
    return {
        "first_steps": [
            {"seed": seed, "network": network, "rate": rate,
             "relative_loss": 0.9 if rate <= 1.01 * most else np.nan}
            for seed in SEEDS
            for network, most in bearing.items()
            for rate in np.logspace(-6, 1, 29)
        ],
        "blocks": [
            {"seed": seed, "network": network, "block": block, "deviation": 10 ** (rise * block)}
            for seed in SEEDS
            for network, rise in growing.items()
            for block in range(28)
        ],
        "trained": [
            {"seed": seed, "network": network, "rate": rate,
             "accuracy": 0.9 if rate <= most else np.nan}
            for seed in SEEDS
            for network, most in largest.items()
            for rate in RATES
        ],
    }  # fmt: skip


def failed(**changes):
    frames = {name: pd.DataFrame(rows) for name, rows in tables(**changes).items()}
    return {
        key
        for key, verdict in zip(JUDGED.criteria, JUDGED.verdicts(frames), strict=True)
        if verdict.verdict != "reproduced"
    }


def test_every_criterion_can_fail():
    assert failed() == set()
    assert failed(borne=5.0) == {"D4.first_step"}
    assert failed(doubling=100.0) == {"D4.depth"}
    assert failed(plain=0.01) == {"D7.plain"}
    assert failed(SkipInit=0.001) == {"D7.skipinit"}
    assert failed(Fixup=0) == {"D7.fixup"}
    assert failed(Fixup=0.3) == {"D7.larger"}
    assert failed(**{SCALED: 0}) == {"D7.scaled"}
    assert failed(**{SCALED: 0.3}) == {"D7.larger_than_scaled"}
    assert failed(SkipInit=0, Fixup=0) == {"D7.skipinit", "D7.fixup"}


def test_a_first_step_is_borne_up_to_the_first_that_is_not():
    rows = pd.DataFrame({"rate": [1, 3, 2, 4], "relative_loss": [0.9, 1e3, 10.0, 0.5]})
    assert largest_borne(rows) == 2
    assert largest_borne(rows[rows["rate"] < 3]) == 2
    assert largest_borne(rows[rows["rate"] == 3]) == 3


@pytest.fixture(scope="module")
def network():
    keras.utils.clear_session(free_memory=False)
    return study._Network(SMALL, BN)


def kerass_own(network, batch):
    """The model's outputs in training mode, on images as its first layer receives them."""
    images = network.engine.assembler.assemble(batch.images, np.arange(len(batch.images)), {})
    return images, network.engine.network.model


def test_values_behind_a_block_are_those_before_its_last_activation(network):
    network.begin(0, 0.1)
    batch = network.first_batch()
    rows = list(network.blocks(batch))
    images, model = kerass_own(network, batch)
    ends = ["convolution_1", *(f"block_{stage}_1_convolution_2" for stage in (1, 2, 3))]
    behind = [model.get_layer(f"{name}_activation").input for name in ends]
    seen = keras.Model(model.input, behind)(images, training=True)
    expected = [np.asarray(each).std(axis=(0, 1, 2)).mean() for each in seen]
    assert [row.deviation for row in rows] == pytest.approx(expected, rel=1e-4)
    assert [(row.seed, row.block) for row in rows] == [(0, 0), (0, 1), (0, 2), (0, 3)]


def test_a_first_step_goes_down_the_gradient_of_the_loss_that_is_compared(network):
    """The loss falls by the rate times the gradient's square, for a small rate."""
    network.begin(0, 0.1)
    batch = network.first_batch()
    rows = {row.rate: row.relative_loss for row in network.first_steps(batch)}
    (loss,), (gradient,) = network._probe.gradients(network._probe.point[None], batch, "batch")
    images, model = kerass_own(network, batch)
    logits = model(images, training=True)
    own = keras.losses.SparseCategoricalCrossentropy(from_logits=True)(batch.labels, logits)
    assert loss == pytest.approx(float(own), rel=1e-4)
    assert (1 - rows[1e-3]) * loss == pytest.approx(1e-3 * float(gradient @ gradient), rel=0.1)
    assert min(rows) == 1e-7 and max(rows) == 10 and len(rows) == 33


def test_each_seed_and_rate_begins_anew_even_after_one_that_diverged():
    keras.utils.clear_session(free_memory=False)
    sizes = (study.Setting((0, 1), 1, rates, 5) for rates in ([0.1], [1e30, 0.1]))
    alone, network = (study._Network(size, SKIPINIT) for size in sizes)
    alone.begin(1, 0.1)
    rows = {(row.seed, row.rate): row.accuracy for row in study.trained(network)}
    assert [*rows] == [(0, 1e30), (0, 0.1), (1, 1e30), (1, 0.1)]
    assert np.isnan([rows[0, 1e30], rows[1, 1e30]]).all()
    assert rows[1, 0.1] == alone.last_accuracy()


@pytest.mark.slow
def test_smoke_has_every_network(tmp_path):
    study.compute(tmp_path, SMOKE)
    size = study.SETTINGS[SMOKE]
    rows = pd.read_csv(tmp_path / "trained.csv")
    assert len(rows) == len(study.NETWORKS) * len(size.seeds) * len(size.rates)
    blocks = pd.read_csv(tmp_path / "blocks.csv")
    assert blocks["block"].max() == 3 * size.blocks
