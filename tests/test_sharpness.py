"""B3: what trains, what is chosen by which numbers, and criteria that can fail."""

from dataclasses import replace
from itertools import product

import numpy as np
import pandas as pd
import pytest

from bnrepro.exhibits import making
from bnrepro.exhibits.sharpness import claims
from bnrepro.exhibits.sharpness.claims import CRITERIA, DECAY, LARGE, MOVING, SHORT, SMALL, SOUND
from bnrepro.exhibits.sharpness.findings import turns
from bnrepro.lab import sharpness
from bnrepro.lab.sharpness import SETTINGS, Shortened, Training, Tried
from bnrepro.records.laboratory import PUBLISHED_SCALE, SMOKE

# What is trained.


def test_both_kinds_of_mini_batches_see_as_many_images_with_l2_of_half_the_decay():
    training = Training(SETTINGS[PUBLISHED_SCALE])
    for kind, decay in product((SMALL, LARGE), sharpness.DECAYS):
        config = training.composition(kind, decay, 0.1, 3).config
        assert config.train_steps * config.batch_size == training.setting.seen
        assert config.schedule.decay_steps == config.train_steps
        assert (config.seed, 2 * config.l2, config.learning_rate) == (3, decay, 0.1)
    short = training.composition(SMALL, 0.0, 0.1, 3, share=0.1).config
    assert short.train_steps * 32 == training.setting.seen / 10
    assert short.schedule.decay_steps == short.train_steps


def test_no_seed_that_is_judged_chooses():
    for setting in SETTINGS.values():
        assert not set(setting.seeds) & set(setting.choosing_seeds)


def test_the_best_rate_is_that_of_all_seeds_and_the_smaller_of_two():
    rows = [(0.1, 0.9), (0.1, 0.7), (0.3, 0.8), (0.3, 0.9), (1.0, 0.9), (1.0, 0.8)]
    tried = [Tried(SMALL, rate, 0, accuracy) for rate, accuracy in rows]
    assert sharpness.best_rate(tried) == 0.3


def test_the_best_share_has_the_nearest_loss_in_ratio_and_none_that_diverged():
    losses = {0.1: (0.4, 0.2), 0.2: (0.09, 0.12), 0.4: (float("nan"), 0.1)}
    rows = [
        Shortened(0.0, share, seed, loss, 0.1)
        for share, both in losses.items()
        for seed, loss in enumerate(both)
    ]
    assert sharpness.best_share([*rows, Shortened(DECAY, 0.1, 0, 0.1, 0.1)], 0.0) == 0.2
    assert sharpness.best_share([*rows, Shortened(DECAY, 0.1, 0, 0.1, 0.1)], DECAY) == 0.1


# What is judged.


def tables(rise=(1.0, 3.0, 2.0), moving=2.0, beyond=((1.0, 2.0), (2.0, 1.0)), lengths=(0.5, 0.8)):
    """`rise` at |a| = 0.5 of small, large and short, with moving averages times `moving`.

    `beyond` small and large without and with decay; `lengths` with decay over those without. At the
    weights the loss of small ones is the largest, so that it decides if no rise does.
    """
    lines, between, networks = [], [], []
    centers = {SMALL: 20.0, LARGE: 0.1, SHORT: 15.0}
    heights = dict(zip((SMALL, LARGE, SHORT), rise, strict=True))
    for (number, decay), seed in product(enumerate((0.0, DECAY)), range(6)):
        for (kind, height), mode in product(heights.items(), (SOUND, MOVING)):
            factor = moving if mode == MOVING and kind == LARGE else 1.0
            lines += [
                (
                    kind,
                    decay,
                    seed,
                    0,
                    mode,
                    length,
                    centers[kind] + 4 * factor * height * length**2,
                )
                for length in (-1.0, -0.5, 0.0, 0.5, 1.0)
            ]
        small, large = beyond[number]
        for share, loss in ((-0.25, 0.1 + small), (0.0, 0.1), (1.0, 3.0), (1.25, 3.0 + large)):
            between += [
                (SMALL, decay, seed, SOUND, share, loss),
                (SMALL, decay, seed, MOVING, share, np.nan),
                (SHORT, decay, seed, SOUND, share, 1.0),
            ]
        networks += [
            (kind, decay, seed, 10.0 * (length if decay else 1.0))
            for kind, length in zip((SMALL, LARGE), lengths, strict=True)
        ]
    columns = ["kind", "decay", "seed", "direction", "mode", "length", "loss"]
    return {
        "lines": pd.DataFrame(lines, columns=columns),
        "between": pd.DataFrame(
            between, columns=["kind", "decay", "seed", "mode", "share", "loss"]
        ),
        "networks": pd.DataFrame(networks, columns=["kind", "decay", "seed", "length"]),
    }


def failed(found):
    verdicts = zip(CRITERIA, claims.JUDGED.verdicts(found), strict=True)
    return {key for key, verdict in verdicts if verdict.verdict != "reproduced"}


def test_what_is_as_claimed_holds():
    assert failed(tables()) == set()


FLATTER = {key for key in CRITERIA if key.startswith("B3.flatter")}
SOUNDLY = {"B3.flatter", "B3.flatter_decayed"}


@pytest.mark.parametrize(
    ("changes", "failing"),
    [
        ({"rise": (1.0, 1.0, 0.5), "moving": 1.0}, FLATTER),
        ({"rise": (1.0, 1.0, 0.5)}, SOUNDLY),
        ({"moving": 0.1}, FLATTER - SOUNDLY),
        ({"rise": (1.0, 3.0, 4.0)}, {"B3.equal_loss", "B3.equal_loss_decayed"}),
        ({"beyond": ((2.0, 1.0), (2.0, 1.0))}, {"B3.wider"}),
        ({"beyond": ((1.0, 2.0), (1.0, 2.0))}, {"B3.flipped"}),
        ({"lengths": (0.8, 0.8)}, {"B3.shrunk"}),
    ],
)
def test_without_its_mechanism_a_criterion_fails(changes, failing):
    assert failed(tables(**changes)) == failing


def test_a_loss_that_is_not_finite_is_an_infinite_rise():
    lines = tables()["lines"]
    lines.loc[(lines["kind"] == LARGE) & (lines["length"] == 0.5), "loss"] = np.nan
    assert np.isinf(claims.rises(lines).xs(LARGE, level="kind")).all()


def test_a_step_turns_weights_by_the_angle_of_two_vectors():
    one, other = np.random.default_rng(0).normal(size=(2, 50)) * [[1.0], [3.0]]
    beyond = one - claims.BEYOND * (other - one)
    lengths = [np.linalg.norm(each) for each in (one, other, other - one)]
    cosine = beyond @ one / np.linalg.norm(beyond) / lengths[0]
    assert turns(*lengths) == pytest.approx(np.degrees(np.arccos(cosine)))


# The study at its smallest.


@pytest.fixture(scope="module")
def computed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results") / "laboratory" / "sharpness"
    folder.mkdir(parents=True)
    sharpness.compute(folder, SMOKE)
    (folder / "record.json").write_text(
        '{"study": "", "question": "", "seconds": 1, "environment": {}, "scale": "smoke"}'
    )
    return folder


@pytest.mark.slow
def test_lines_and_the_way_between_begin_at_the_networks_that_were_trained(computed):
    lines, between = (pd.read_csv(computed / f"{name}.csv") for name in ("lines", "between"))
    keys = ["kind", "decay", "seed", "mode"]
    center = lines[lines["length"] == 0].set_index(keys)["loss"].sort_index()
    ends = between.set_index([keys[0], "share", *keys[1:]])["loss"].sort_index()
    # Statistics over all images, in other mini-batches.
    near = {MOVING: 1e-4, SOUND: 0.05}
    for first, kind, share in ((SMALL, SMALL, 0.0), (SHORT, SHORT, 0.0), (SMALL, LARGE, 1.0)):
        for mode, rtol in near.items():
            here, there = (each.xs(mode, level="mode") for each in (ends, center))
            expected = there.loc[kind].reindex(here.loc[first, share].index)
            np.testing.assert_allclose(here.loc[first, share], expected, rtol=rtol)
    networks = pd.read_csv(computed / "networks.csv").set_index("kind")
    assert (networks.loc[SMALL, "distance"] == 0).all()
    assert (networks.loc[SHORT, "steps"] < networks.loc[SMALL, "steps"].max()).all()


@pytest.mark.slow
def test_the_study_at_its_smallest_is_drawn_without_verdicts(computed):
    made = making.exhibit("sharpness", str(computed.parents[1]))
    (verdicts,) = [table for table in made.tables if table.name == "verdicts"]
    assert {row[-1] for row in verdicts.rows} == {"inconclusive"}


@pytest.mark.slow
def test_a_training_that_is_repeated_ends_where_it_ended():
    setting = replace(SETTINGS[SMOKE], seen=320)
    training = Training(setting)
    losses = [
        sharpness.kernels(sharpness.solution(training.ending(SMALL, 0.0, 0.03, seed)))
        for seed in (0, 1, 0)
    ]
    np.testing.assert_array_equal(losses[0], losses[2])
    assert np.abs(losses[0] - losses[1]).max() > 0.1
