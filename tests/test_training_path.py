"""B4: principal components of paths whose shares are known, and what its criteria make of them."""

import numpy as np
import pandas as pd
import pytest

from bnrepro.exhibits import making
from bnrepro.exhibits.training_path import claims
from bnrepro.exhibits.training_path.claims import CRITERIA, EQUAL, OWN, TRAINING
from bnrepro.lab import training_path
from bnrepro.lab.training_path import principal, walk
from bnrepro.records.laboratory import SMOKE


def test_a_walk_has_the_shares_of_the_theory():
    """6 / (pi^2 k^2) in the k-th component, in many dimensions and over many steps."""
    path = walk(np.ones(300), 4000, np.random.default_rng(0))
    shares, _ = principal(path - path.mean(axis=0))
    expected = 6 / (np.pi * np.arange(1, 5)) ** 2
    np.testing.assert_allclose(shares[:4], expected, rtol=0.1)


def test_thirty_snapshots_of_one():
    """62 and 15 percent with the mean taken away, 82 and 9 of the differences from the end."""
    path = walk(np.ones(30), 5000, np.random.default_rng(1))
    for rows, expected in (
        (path - path.mean(axis=0), (0.62, 0.15)),
        (path - path[-1], (0.82, 0.09)),
    ):
        np.testing.assert_allclose(principal(rows)[0][:2], expected, atol=0.02)


def test_steps_of_a_walk_are_as_long_as_asked():
    lengths = np.array([1.0, 3.0, 0.5])
    path = walk(lengths, 50, np.random.default_rng(0))
    np.testing.assert_allclose(np.linalg.norm(np.diff(path, axis=0), axis=1), lengths)


def test_a_straight_way_has_one_component_and_its_sign_is_that_of_the_first_row():
    along = np.array([3.0, 4.0]) / 5
    rows = np.linspace(-1, 1, 9)[:, None] * along
    shares, components = principal(rows)
    np.testing.assert_allclose(shares, [1, 0], atol=1e-12)
    np.testing.assert_allclose(components[0], -along)


def tables(training, equal, own):
    rows = [
        (network, seed, path, 0.8 * share, 0.2 * share, share, 0.0)
        for network in ("plain", "batch normalization")
        for seed in range(6)
        for path, share in ((TRAINING, training), (EQUAL, equal), (OWN, own))
    ]
    columns = ["network", "seed", "path", "first", "second", "first_from_end", "second_from_end"]
    return {"shares": pd.DataFrame(rows, columns=columns)}


@pytest.mark.parametrize(
    ("shares", "held"),
    [
        ((0.95, 0.77, 0.8), set(CRITERIA)),
        ((0.5, 0.77, 0.8), {"B4.control", "B4.own_lengths"}),
        # As much as a walk has: an empty claim.
        ((0.78, 0.77, 0.8), {"B4.share"}),
        ((0.95, 0.77, 0.9), {"B4.share", "B4.control"}),
    ],
)
def test_a_share_that_a_walk_has_too_proves_nothing(shares, held):
    verdicts = zip(CRITERIA, claims.JUDGED.verdicts(tables(*shares)), strict=True)
    assert {key for key, verdict in verdicts if verdict.verdict == "reproduced"} == held


@pytest.mark.slow
def test_the_study_at_its_smallest_is_drawn_without_verdicts(tmp_path):
    folder = tmp_path / "laboratory" / "training_path"
    folder.mkdir(parents=True)
    training_path.compute(folder, SMOKE)
    (folder / "record.json").write_text(
        '{"study": "", "question": "", "seconds": 1, "environment": {}, "scale": "smoke"}'
    )
    paths = pd.read_csv(folder / "paths.csv")
    last = paths[paths["step"] == paths["step"].max()]
    assert not last[["first", "second"]].to_numpy().any()
    # The cross is the trained network, around which the plane's loss is small.
    planes = pd.read_csv(folder / "planes.csv")
    for _, plane in planes.groupby("network"):
        near = plane.loc[np.hypot(plane["first"], plane["second"]).idxmin(), "loss"]
        assert near < plane["loss"].median()
    made = making.exhibit("training_path", str(tmp_path))
    (verdicts,) = [table for table in made.tables if table.name == "verdicts"]
    assert {row[-1] for row in verdicts.rows} == {"inconclusive"}
    assert len(made.write(tmp_path)) == 3
