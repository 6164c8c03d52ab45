"""G1 and G2: what is trained, on which images a rate is chosen, and criteria that can fail."""

from itertools import product

import numpy as np
import pandas as pd
import pytest

from bnrepro import data
from bnrepro.config.composition import compose
from bnrepro.exhibits.dropout import claims as dropout_claims
from bnrepro.exhibits.ghost_batches import claims as ghost_claims
from bnrepro.lab import dropout, ghost_batches, grid, little_data
from bnrepro.records.laboratory import PUBLISHED_SCALE, SMOKE
from bnrepro.training import build_engine

SEEDS = range(6)


def failed(judged, tables):
    """The keys of the criteria that are not reproduced."""
    found = zip(judged.criteria, judged.verdicts(tables), strict=True)
    return {key for key, verdict in found if verdict.verdict != "reproduced"}


def cells(gain_plain=0.03, gain_normalized=-0.01, gap=0.02, shift=0.01, before=0.02):
    """Networks that are right on every training image, and on 95 % of the test images with BN."""
    rows = []
    for cell, seed in product(dropout.CELLS, SEEDS):
        is_plain, share = cell.network == "plain", cell.dropout / 0.5
        test = 0.95 - gap * is_plain + share * (gain_plain if is_plain else gain_normalized)
        moving = test
        if cell.place == "everywhere":
            moving = 0.95 - share * before
            test = moving + share * shift
        rows.append((*cell, 0.3, seed, 0.2, 1.5, moving, test, 0.1, 1.0, 0.0))
    return {"cells": pd.DataFrame(rows, columns=dropout.COLUMNS)}


def test_dropout_is_judged_by_what_it_gains_and_what_the_shift_costs():
    judged = dropout_claims.JUDGED
    assert failed(judged, cells()) == set()
    assert failed(judged, cells(gain_normalized=0.02)) == {"C17.removed", "C17.reduced"}
    assert failed(judged, cells(gain_normalized=0.006)) == {"C17.removed"}
    assert failed(judged, cells(gain_plain=-0.02)) == {"G1.gain", "G1.gain_with_decay"}
    assert failed(judged, cells(gap=-0.01)) == {"G1.gap"}
    assert failed(judged, cells(before=0.009)) == {"G1.before"}
    assert failed(judged, cells(shift=-0.01)) == {"G1.shift"}


def test_gaps_of_networks_that_have_learned_otherwise_are_not_compared():
    tables = cells()
    rows = tables["cells"]
    rows.loc[rows["network"] == "plain", "train_accuracy"] = 0.98
    verdicts = dict(
        zip(
            dropout_claims.CRITERIA,
            dropout_claims.JUDGED.verdicts(tables),
            strict=True,
        )
    )
    assert verdicts["G1.gap"].verdict == "inconclusive"


def sizes(gap_of, noise=0.05, fixed=0.07, order=0.0, smallest=0.9):
    rows = [
        *(("ghosts", size, 1 - gap) for size, gap in gap_of.items()),
        *(("noise", 16, 1 - noise), ("fixed", 16, 1 - fixed)),
        *(("plain", 256, 0.9), ("plain, fixed", 256, 0.9 - order)),
    ]
    table = [
        (kind, size, 1.0, seed, smallest if size == 4 else 0.93, test, 0.2, 1.0, 0.0)
        for kind, size, test in rows
        for seed in SEEDS
    ]
    return {"sizes": pd.DataFrame(table, columns=ghost_batches.COLUMNS)}


FALLING = {256: 0.07, 64: 0.06, 16: 0.05, 8: 0.04, 4: 0.045}


def test_ghost_batches_are_judged_by_their_company():
    judged = ghost_claims.JUDGED
    assert failed(judged, sizes(FALLING)) == set()
    rising = {**FALLING, 256: 0.041, 4: 0.08}
    assert failed(judged, sizes(rising)) == {"C19.company", "G2.noise"}
    assert failed(judged, sizes({**FALLING, 4: 0.03})) == {"G2.interior"}
    assert failed(judged, sizes(FALLING, noise=0.061)) == {"G2.noise"}
    assert failed(judged, sizes(FALLING, fixed=0.04)) == {"C19.fixed", "C19.order"}
    assert failed(judged, sizes(FALLING, order=0.03)) == {"C19.order"}
    assert failed(judged, sizes(FALLING, smallest=0.94)) == {"G2.smallest"}


def test_a_rate_is_chosen_by_images_that_nothing_is_trained_or_scored_on():
    words = dropout.SETTINGS[SMOKE].words
    held_out = little_data.left_out(*words)
    used = data.load(compose([*words]).config.data)
    every = data.load(compose(["data=digits"]).config.data)
    images = {split.images[at].tobytes() for split in (used.train, used.evaluation)
              for at in range(len(split.labels))}  # fmt: skip
    shared = [image for image in held_out.images if image.tobytes() in images]
    assert len(used.train.labels) + len(held_out.labels) == len(every.train.labels)
    # Of the digits some are there twice.
    assert len(shared) < 0.02 * len(held_out.labels)


def test_the_shift_is_that_of_variances_behind_the_first_layer():
    words = ("model=mlp", "model.width=0.1", "data=digits", "threads=1", "train_steps=5")
    engine = build_engine(compose([*words]))
    anew = engine.population_statistics(engine.order.steps_per_epoch)
    layers = engine.network.batch_normalizations
    factors = (100, 3, 3)
    engine.assign(
        {
            f"model/{layer.moving_variance.path}": factor * variance
            for layer, factor, (_, variance) in zip(layers, factors, anew, strict=True)
        }
    )
    found = dropout.shift(grid.Trained(engine.config, engine))
    assert found.variance_ratio == pytest.approx(3, rel=1e-4)
    assert found.moving_loss == engine.score(engine.dataset.evaluation)[0]
    diverged = dropout.shift(grid.Trained(engine.config, engine, diverged_at=3))
    assert np.isnan(diverged).all()


def test_the_best_rate_has_the_best_sum_over_its_seeds_and_cell():
    cell, other = dropout.CELLS[0], dropout.CELLS[1]
    tried = [
        dropout.Tried(*cell, 0.1, 100, 0.8), dropout.Tried(*cell, 0.1, 101, 0.8),
        dropout.Tried(*cell, 0.3, 100, 0.9), dropout.Tried(*cell, 0.3, 101, 0.7),
        dropout.Tried(*cell, 1.0, 100, 0.95), dropout.Tried(*cell, 1.0, 101, 0.0),
        dropout.Tried(*other, 1.0, 100, 1.0),
    ]  # fmt: skip
    assert dropout.best_rate(tried, cell) == 0.1
    ghosts = [ghost_batches.Tried("plain", one.rate, one.seed, one.held_out_accuracy)
              for one in tried[:6]]  # fmt: skip
    assert ghost_batches.best_rate(ghosts) == 0.1


def test_what_chooses_a_rate_trains_by_the_program_of_what_is_judged():
    """As many networks in either block, and recipes that differ in numbers alone."""
    for setting in (*dropout.SETTINGS.values(), *ghost_batches.SETTINGS.values()):
        for rates in setting.rates.values():
            assert len(setting.choosing_seeds) * len(rates) == len(setting.seeds)
        assert not {*setting.choosing_seeds} & {*setting.seeds}


def test_recipes_drop_where_their_cell_says_and_keep_to_their_size():
    setting = dropout.SETTINGS[PUBLISHED_SCALE]
    last = dropout.recipe(dropout.CELLS[-1], 0.3, 0, setting)
    assert (last.dropout, last.hidden_dropout, last.l2) == (0.5, 0.5, 0)
    behind = [dropout.recipe(cell, 0.3, 0, setting) for cell in dropout.CELLS[:12]]
    assert {one.hidden_dropout for one in behind} == {0}
    assert len({(one.placement, one.dropout, one.l2) for one in behind}) == 12
    assert all(one.schedule.decay_steps == one.train_steps for one in behind)
    ghosts = ghost_batches.SETTINGS[PUBLISHED_SCALE]
    sizes = [
        ghost_batches.recipe("noise", size, 1.0, 0, ghosts).batch_normalization.statistics_batch
        for size in ghosts.sizes
    ]
    assert sizes == [None, 64, 16, 8, 4]
    fixed = ghost_batches.recipe("fixed", 16, 1.0, 0, ghosts)
    assert (fixed.shuffle, fixed.normalization) == ("shards", "batch")
    assert np.isclose(fixed.batch_size / fixed.data.train_examples, 1 / 4)
