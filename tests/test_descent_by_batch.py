"""F3: what its criteria make of losses whose answer is known, and its paths over two weights."""

import numpy as np
import pandas as pd
import pytest

from bnrepro.config.composition import compose
from bnrepro.exhibits import making
from bnrepro.exhibits.descent_by_batch import claims, curves
from bnrepro.lab import descent_by_batch, descent_paths
from bnrepro.lab.descent_by_batch import COLUMNS
from bnrepro.records.laboratory import SMOKE

UPDATES = np.array([0, 1, 2, 4, 8, 16, 32, 64, 128, 256])


def descents(halvings, fluctuations):
    """Losses 2 / 2^(updates / halving), by size of mini-batches."""
    rows = []
    for size, halving in halvings.items():
        for seed in range(6):
            for step in UPDATES:
                end = fluctuations[size] if step == UPDATES[-1] else np.nan
                loss = 2 * 0.5 ** (step / halving)
                rows.append((size, 0.1, seed, step, step * size, 0.01 * step, loss, end))
    return pd.DataFrame(rows, columns=COLUMNS)


def outcomes(found):
    verdicts = zip(claims.CRITERIA, claims.JUDGED.verdicts({"descents": found}), strict=True)
    return {key: verdict.verdict for key, verdict in verdicts}


FALLING = {1: 0.5, 32: 0.2, 2048: 0.01}


def test_a_descent_that_needs_fewer_examples_bears_it_out():
    found = descents({1: 40, 32: 20, 2048: 10}, FALLING)
    assert set(outcomes(found).values()) == {"reproduced"}
    assert "never" not in curves.needed(found, "updates")


def test_one_that_needs_as_many_updates_as_examples_does_not():
    # As many updates of single examples and of 32 as make them slower by examples, too.
    found = descents({1: 4096, 32: 80, 2048: 1}, FALLING)
    assert outcomes(found)["F3.examples"] == "not reproduced"
    assert "never (one at a time)" in curves.needed(found, "examples")


def test_a_fluctuation_that_does_not_fall_contradicts_it():
    found = descents({1: 40, 32: 20, 2048: 10}, {1: 0.1, 32: 0.2, 2048: 0.01})
    assert outcomes(found)["F3.fluctuation"] == "not reproduced"


def test_the_target_is_met_between_two_observations():
    # 2 * 0.5^(n / 10) = 0.3 at n = 27.4, between 16 and 32.
    one = descents({1: 10}, FALLING).query("seed == 0")
    assert claims.to_target(one, "updates") == pytest.approx(27.4, rel=0.06)


def test_a_trend_is_no_fluctuation():
    falling = np.linspace(3, 1, 100)
    assert descent_by_batch._fluctuation(falling) == pytest.approx(0, abs=1e-12)
    # Of the last tenth alone, and of differences: up and down by 0.2.
    shaken = np.r_[np.zeros(90), np.tile([0.0, 0.2], 5)]
    assert descent_by_batch._fluctuation(shaken) == pytest.approx(0.2, rel=0.01)


def test_descents_are_observed_before_the_first_update_and_after_the_last():
    steps = descent_by_batch._steps(1000)
    assert steps[:3] == [0, 1, 2] and steps[-1] == 1000 and steps == sorted(set(steps))


@pytest.fixture(scope="module")
def problem():
    return descent_paths.problem_of(compose(["data=digits", "data.train_examples=300"]).config.data)


def test_the_two_weights_are_those_of_principal_components(problem):
    features = problem.features
    assert features.std(axis=0)[0] == pytest.approx(1) and features.std(axis=0)[1] < 1
    np.testing.assert_allclose(features.mean(axis=0), 0, atol=1e-12)
    assert features[:, 0] @ features[:, 1] == pytest.approx(0, abs=1e-9)
    # Of no weights the best guess is the share of each class.
    share = (problem.signs > 0).mean()
    entropy = -share * np.log(share) - (1 - share) * np.log(1 - share)
    assert problem.loss(np.zeros(2)) == pytest.approx(entropy)


def test_gradient_and_curvatures_are_those_of_the_loss(problem):
    weights, step = np.array([0.7, -1.2]), 1e-5
    axes = step * np.eye(2)
    slopes = [(problem.loss(weights + e) - problem.loss(weights - e)) / (2 * step) for e in axes]
    np.testing.assert_allclose(problem.gradient(weights), slopes, rtol=1e-7)
    rows = [
        (problem.gradient(weights + e) - problem.gradient(weights - e)) / (2 * step) for e in axes
    ]
    np.testing.assert_allclose(problem.hessian(weights), rows, rtol=1e-7)
    np.testing.assert_allclose(problem.gradient(problem.minimum()), 0, atol=1e-12)
    each = [problem.gradient(weights, np.array([row])) for row in range(300)]
    np.testing.assert_allclose(np.mean(each, axis=0), problem.gradient(weights), rtol=1e-12)


def test_every_path_begins_as_far_along_both_directions_and_descends(problem):
    hessian, minimum = problem.hessian(problem.minimum()), problem.minimum()
    _, directions = np.linalg.eigh(hessian)
    along = directions.T @ (descent_paths.start(problem) - minimum)
    shares = [
        value**2 * (axis @ hessian @ axis) for value, axis in zip(along, directions.T, strict=True)
    ]
    assert shares == pytest.approx([1, 1])
    size, rate, weights = descent_paths.path(problem, 0, 1.0, 20, seed=0)
    assert size == 300 and len(weights) == 21
    assert rate == pytest.approx(1 / np.linalg.eigvalsh(hessian)[-1])
    np.testing.assert_allclose(weights[0] - rate * problem.gradient(weights[0]), weights[1])
    losses = [problem.loss(each) for each in weights]
    assert np.diff(losses[:9]).max() < 0 and np.diff(losses).max() < 1e-12
    size, rate, single = descent_paths.path(problem, 1, 0.02, 1, seed=0)
    moves = {tuple(np.round(rate * problem.gradient(single[0], np.array([row])), 12))
             for row in range(300)}  # fmt: skip
    assert tuple(np.round(single[0] - single[1], 12)) in moves and len(single) == 301


def test_the_paths_are_drawn_with_what_they_reached_after_every_image(tmp_path):
    folder = tmp_path / "laboratory" / "descent_paths"
    folder.mkdir(parents=True)
    descent_paths.compute(folder, SMOKE)
    (folder / "record.json").write_text(
        '{"study": "", "question": "", "seconds": 1, "environment": {}, "scale": "smoke"}'
    )
    made = making.exhibit("descent_paths", str(tmp_path))
    assert made.commands[0] == "bnrepro laboratory descent_paths scale=smoke"
    ends = pd.read_csv(folder / "ends.csv")
    excess = ends[ends["batch_size"] == 32]["excess"].median()
    assert f"{excess:.2g} (mini-batches of 32)" in made.findings[0]
    assert ends["excess"].min() > 0
    # Two seeds, three sizes; as many updates as make one pass.
    assert dict(ends.groupby("batch_size")["updates"].max()) == {1: 512, 32: 16, 512: 1}
    assert {path.name for path in made.write(tmp_path)} == {"paths.png", "paths.svg"}
