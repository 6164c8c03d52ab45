"""Steps to a target, medians, intervals and tests, on curves made by hand."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bnrepro import statistics
from bnrepro.config.composition import compose
from bnrepro.statistics import (
    Interval,
    bootstrap_coverage,
    coverage,
    coverage_of_median,
    crossings,
    crossings_of_targets,
    evaluation_grid,
    extend_diverged,
    interval_of_median,
    kaplan_meier_median,
    mean_curves,
    order_statistic,
    pair,
    root_mean_square_distance,
    sign_flip_test,
    slope_of_last_fifth,
    speedup,
    speedup_to_best,
    steps_against_target,
    steps_to_target,
    sustained_steps_to_target,
)

# A busy machine is no error.
settings.register_profile("quiet", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("quiet")
NAN = math.nan
CONFIG = compose(["model=inception"]).config


def curve(accuracies, steps=None):
    """An evaluation every 100 steps, unless said."""
    return pd.DataFrame(
        {
            "step": range(0, 100 * len(accuracies), 100) if steps is None else steps,
            "evaluation_accuracy": np.asarray(accuracies, float),
        }
    )


def curves(runs, status="completed", label="a"):
    """Curves of several seeds: `runs` maps a seed to its accuracies."""
    frames = [
        curve(accuracies).assign(
            label=label, name=label, seed=seed, status=status, diverged_at_step=None
        )
        for seed, accuracies in runs.items()
    ]
    return pd.concat(frames, ignore_index=True)


def diverged_run(seed, step, *, train_steps, label="a"):
    """The row of `load_runs` that belongs to a diverged curve evaluated every 100 steps."""
    return pd.DataFrame(
        {
            "name": [label],
            "label": [label],
            "seed": [seed],
            "status": ["diverged"],
            "diverged_at_step": [step],
            "config.train_steps": [train_steps],
            "config.evaluate_every": [100],
            "config.evaluate_every_early": [100],
            "config.early_steps": [0],
        }
    )


def crossed(steps, reached=None, seeds=None):
    return pd.DataFrame(
        {
            "seed": range(len(steps)) if seeds is None else seeds,
            "steps": steps,
            "reached": [True] * len(steps) if reached is None else reached,
        }
    )


accuracies = st.lists(
    st.one_of(st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.75, 1.0]), st.just(NAN)), min_size=1
)
censored_steps = st.lists(
    st.tuples(st.integers(0, 20).map(lambda n: 100 * n), st.booleans()), min_size=1, max_size=8
)


# Steps to a target.


@pytest.mark.parametrize(
    ("values", "first", "sustained"),
    [
        pytest.param([0.1, 0.4, 0.5, 0.6], 200, 200, id="reached"),
        pytest.param([0.1, 0.4, 0.49, 0.3], None, None, id="never"),
        pytest.param([0.1, 0.5, 0.5, 0.5], 100, 100, id="tie"),
        pytest.param([0.6, 0.7, 0.5, 0.9], 0, 0, id="reached at step 0"),
        pytest.param([0.1, 0.6, 0.4, 0.7], 100, 300, id="reached, lost and reached again"),
        pytest.param([0.1, 0.6, 0.4, 0.3], 100, None, id="reached then lost"),
        pytest.param([0.1, NAN, 0.6, 0.7], 200, 200, id="not a number before"),
        pytest.param([0.1, 0.6, NAN, 0.7], 100, 300, id="not a number in between"),
        pytest.param([NAN, NAN], None, None, id="never a number"),
        pytest.param([], None, None, id="no evaluation"),
    ],
)
def test_steps_to_target_of_hand_made_curves(values, first, sustained):
    assert steps_to_target(curve(values), 0.5) == first
    assert sustained_steps_to_target(curve(values), 0.5) == sustained


def test_sustained_for_a_number_of_evaluations_counts_the_crossing_itself():
    values = curve([0.1, 0.6, 0.4, 0.6, 0.6, 0.4, 0.6])
    assert sustained_steps_to_target(values, 0.5, 1) == 100
    assert sustained_steps_to_target(values, 0.5, 2) == 300
    assert sustained_steps_to_target(values, 0.5, 3) is None
    assert sustained_steps_to_target(values, 0.5, 99) is None


def test_the_grid_of_evaluations_need_not_be_regular():
    assert steps_to_target(curve([0.1, 0.6, 0.7], [0, 250, 5000]), 0.65) == 5000


@given(values=accuracies, seed=st.integers(0, 10))
def test_the_order_of_rows_does_not_matter(values, seed):
    shuffled = curve(values).sample(frac=1, random_state=seed)
    assert steps_to_target(shuffled, 0.5) == steps_to_target(curve(values), 0.5)
    assert sustained_steps_to_target(shuffled, 0.5) == sustained_steps_to_target(curve(values), 0.5)


@given(values=accuracies, low=st.floats(0, 1), high=st.floats(0, 1))
def test_a_higher_target_is_never_reached_sooner(values, low, high):
    low, high = sorted([low, high])
    for rule in (steps_to_target, sustained_steps_to_target):
        easy, hard = rule(curve(values), low), rule(curve(values), high)
        assert hard is None or (easy is not None and easy <= hard)


@given(values=accuracies)
def test_sustained_is_never_sooner_than_first_and_one_evaluation_is_first(values):
    first, sustained = (
        rule(curve(values), 0.5) for rule in (steps_to_target, sustained_steps_to_target)
    )
    assert sustained is None or first <= sustained
    assert sustained_steps_to_target(curve(values), 0.5, 1) == first


# Crossings of many runs, censoring.


def test_a_run_that_never_reaches_is_censored_at_its_last_evaluation():
    frame = crossings(curves({1: [0.1, 0.2, 0.3], 0: [0.1, 0.6, 0.3]}), 0.5)
    assert frame.to_dict("list") == {
        "label": ["a", "a"],
        "seed": [0, 1],
        "steps": [100, 200],
        "reached": [True, False],
        "last": [200, 200],
    }
    lost = crossings(curves({0: [0.1, 0.6, 0.3]}), 0.5, sustained=True)
    assert lost[["steps", "reached"]].to_numpy().tolist() == [[200, False]]


def test_a_diverged_run_is_censored_where_its_training_was_planned_to_end():
    broken = curves({0: [0.1, 0.2]}, "diverged")
    whole = extend_diverged(broken, diverged_run(0, 150, train_steps=450))
    assert whole["step"].tolist() == [0, 100, 200, 300, 400, 450]
    assert whole["evaluation_accuracy"].isna().tolist() == [False, False, True, True, True, True]
    assert set(whole["status"]) == {"diverged"}
    row = crossings(whole, 0.5).iloc[0]
    assert (row["steps"], row["reached"]) == (450, False)


def test_a_run_that_reached_the_target_and_diverged_is_censored_too():
    whole = extend_diverged(
        curves({0: [0.1, 0.9]}, "diverged"), diverged_run(0, 150, train_steps=400)
    )
    for sustained in (False, True):
        row = crossings(whole, 0.5, sustained=sustained).iloc[0]
        assert (row["steps"], row["reached"]) == (400, False)


def test_curves_without_a_diverged_run_are_left_as_they_are():
    frame = curves({0: [0.1, 0.2]})
    runs = diverged_run(0, None, train_steps=100).assign(status="completed")
    pd.testing.assert_frame_equal(extend_diverged(frame, runs), frame)


@settings(max_examples=50)
@given(
    train_steps=st.integers(0, 60),
    every=st.integers(1, 20),
    early=st.integers(1, 20),
    early_steps=st.integers(0, 40),
)
def test_the_grid_is_the_one_that_a_run_evaluates_at(train_steps, every, early, early_steps):
    config = replace(
        CONFIG,
        train_steps=train_steps,
        evaluate_every=every,
        evaluate_every_early=early,
        early_steps=early_steps,
    )
    steps = [0]
    while steps[-1] < train_steps:
        steps.append(config.next_evaluation(steps[-1]))
    assert evaluation_grid(train_steps, every, early, early_steps).tolist() == steps


@given(
    runs=st.lists(accuracies, min_size=1, max_size=4),
    status=st.sampled_from(["completed", "diverged"]),
)
def test_many_targets_at_once_are_crossed_as_each_alone(runs, status):
    frame = curves(dict(enumerate(runs)), status)
    seeds, targets = list(range(len(runs))), np.array([0.0, 0.3, 0.5, 1.0])
    steps, reached = crossings_of_targets(frame, seeds, targets)
    for row, target in enumerate(targets):
        alone = crossings(frame, target)
        assert steps[row].tolist() == alone["steps"].tolist()
        assert reached[row].tolist() == alone["reached"].tolist()


def test_steps_against_target_gives_the_whole_curve():
    frame = curves({0: [0.1, 0.5, 0.7], 1: [0.1, 0.6, 0.6], 2: [0.1, 0.2, 0.6]})
    rows = steps_against_target(frame, [0.5, 0.65, 0.9])
    assert rows["target"].tolist() == [0.5, 0.65, 0.9]
    assert rows["n"].tolist() == [3, 3, 3]
    assert rows["reached"].tolist() == [3, 1, 0]
    assert rows["steps"].fillna(-1).tolist() == [100, -1, -1]
    assert rows["steps_low"].fillna(-1).tolist() == [100, 200, -1]
    assert rows["steps_high"].fillna(-1).tolist() == [200, -1, -1]
    assert rows["coverage_percent"].fillna(-1).tolist() == [75, 75, -1]


# Medians and their intervals.


@pytest.mark.parametrize(
    ("steps", "reached", "median", "interval"),
    [
        ([100, 200, 300, 400, 500, 600], [1] * 6, 300, (100, 600)),
        ([100, 200, 300, 400, 400, 400], [1, 1, 1, 0, 0, 0], 300, (100, None)),
        ([100, 200, 400, 400, 400, 400], [1, 1, 0, 0, 0, 0], None, (100, None)),
        ([400] * 6, [0] * 6, None, (None, None)),
        ([100, 200, 300], [1, 1, 1], 200, (100, 300)),
        ([100], [1], 100, (None, None)),
        ([100], [0], None, (None, None)),
        ([], [], None, (None, None)),
        # Censored before any other reached: the estimate is that of the other three.
        ([100, 200, 300, 400], [0, 1, 1, 1], 300, (None, None)),
        # A tie of reached and censored: reached comes first.
        ([200, 200], [0, 1], 200, (200, None)),
    ],
)
def test_kaplan_meier_median_and_its_interval(steps, reached, median, interval):
    assert kaplan_meier_median(steps, reached) == median
    found = interval_of_median(steps, reached)
    assert (found.low, found.high) == interval


def test_the_order_statistics_and_their_coverage():
    assert order_statistic(6) == (1, pytest.approx(0.96875))
    assert order_statistic(3) == (1, 0.75)
    assert order_statistic(1) == (1, 0.0)
    assert order_statistic(9) == (2, pytest.approx(0.9609375))


@given(n=st.integers(1, 60))
def test_the_coverage_is_the_binomial_one_and_the_largest_rank_that_keeps_it(n):
    rank, coverage = order_statistic(n)
    binomial = scipy.stats.binom(n, 0.5)
    assert coverage == pytest.approx(max(0.0, 1 - 2 * binomial.cdf(rank - 1)), abs=1e-12)
    assert coverage >= 0.95 or rank == 1
    assert 1 - 2 * binomial.cdf(rank) < 0.95


def test_a_coverage_is_said_in_whole_percent_where_there_is_an_interval():
    assert [coverage_of_median(n) for n in (1, 2, 3, 6)] == [None, 50, 75, 97]
    assert interval_of_median([1, 2, 3]).coverage_percent == 75
    assert interval_of_median([1, 2, 3], [False] * 3).coverage_percent is None


@given(runs=censored_steps)
def test_the_median_is_the_one_of_scipy(runs):
    steps, reached = map(np.array, zip(*runs, strict=True))
    data = scipy.stats.CensoredData(uncensored=steps[reached], right=steps[~reached])
    survival = scipy.stats.ecdf(data).sf
    below = survival.quantiles[survival.probabilities <= 0.5 + 1e-9]
    # Steps at which a run was only censored do not lower the estimate.
    assert kaplan_meier_median(steps, reached) == (below.min() if below.size else None)


@given(runs=censored_steps, seed=st.integers(0, 5))
def test_neither_median_nor_interval_depends_on_the_order_of_runs(runs, seed):
    shuffled = [runs[i] for i in np.random.default_rng(seed).permutation(len(runs))]
    (steps, reached), (other_steps, other_reached) = (
        zip(*r, strict=True) for r in (runs, shuffled)
    )
    assert kaplan_meier_median(steps, reached) == kaplan_meier_median(other_steps, other_reached)
    assert interval_of_median(steps, reached) == interval_of_median(other_steps, other_reached)


@given(runs=censored_steps)
def test_the_interval_encloses_the_median(runs):
    steps, reached = zip(*runs, strict=True)
    median, interval = kaplan_meier_median(steps, reached), interval_of_median(steps, reached)
    median = math.inf if median is None else median
    assert interval.low is None or interval.low <= median
    assert interval.high is None or median <= interval.high


@given(values=st.lists(st.floats(0, 1), min_size=2, max_size=20))
def test_the_interval_of_accuracies_encloses_their_median(values):
    interval = interval_of_median(values)
    assert interval.low <= np.median(values) <= interval.high


# Ratios of medians.


def test_speedup_is_the_ratio_of_medians_with_a_paired_interval():
    slow, fast = (
        crossed([1000, 1100, 1200, 1300, 1400, 1500]),
        crossed([100, 110, 120, 130, 140, 150]),
    )
    result = speedup(slow, fast)
    assert (result.value, result.relation) == (10, "=")
    # Every seed is ten times as fast: drawing pairs cannot give another ratio.
    assert result.interval == Interval(10, 10, bootstrap_coverage(6))
    assert result.seeds == (0, 1, 2, 3, 4, 5)


def test_speedup_is_the_same_on_every_call():
    slow, fast = crossed([900, 1100, 1000, 1500]), crossed([300, 100, 200, 400])
    assert speedup(slow, fast) == speedup(slow, fast)


def test_a_censored_reference_bounds_the_speedup_from_below():
    result = speedup(crossed([2400] * 3, [False] * 3), crossed([300, 400, 500]))
    assert (result.value, result.relation) == (6, ">")
    assert result.interval == Interval(pytest.approx(2400 / 500), None, bootstrap_coverage(3))


def test_a_censored_experiment_bounds_the_speedup_from_above():
    result = speedup(crossed([300, 400, 500]), crossed([800] * 3, [False] * 3))
    assert (result.value, result.relation) == (0.5, "<")
    assert result.interval == Interval(None, pytest.approx(500 / 800), bootstrap_coverage(3))


def test_two_censored_medians_have_no_speedup():
    never = crossed([800] * 3, [False] * 3)
    result = speedup(never, never)
    assert (result.value, result.interval.low, result.interval.high) == (None, None, None)


@pytest.mark.parametrize(("slow", "fast"), [([0, 0], [0, 0]), ([100, 100], [0, 0]), ([0], [100])])
def test_a_target_reached_before_the_first_step_has_no_speedup(slow, fast):
    assert speedup(crossed(slow), crossed(fast)).value is None


def test_unequal_seeds_are_paired_on_those_that_both_have():
    result = speedup(crossed([1000, 1, 2000], seeds=[3, 9, 5]), crossed([500, 100], seeds=[5, 3]))
    assert result.seeds == (3, 5)
    assert result.value == 10  # 1000 / 100: the lower medians of the common seeds
    assert speedup(crossed([1000], seeds=[0]), crossed([100], seeds=[1])).value is None


def test_one_pair_has_a_speedup_without_an_interval():
    result = speedup(crossed([1000]), crossed([100]))
    assert (result.value, result.interval) == (10, Interval(None, None, 0.0))


@settings(max_examples=25)
@given(runs=st.lists(st.tuples(st.integers(1, 50), st.integers(1, 50)), min_size=1, max_size=6))
def test_the_interval_encloses_the_speedup_and_turning_it_round_inverts_it(runs):
    left, right = (crossed(list(steps)) for steps in zip(*runs, strict=True))
    result = speedup(left, right)
    assert speedup(right, left).value == pytest.approx(1 / result.value)
    if len(runs) > 1:
        assert result.interval.low <= result.value <= result.interval.high


# A target that is a median over seeds itself.


def climbing(starts, label="a", train_steps=40):
    """Curves that rise by 0.01 whenever the steps double, each from a step of its own."""
    steps = [2**n for n in range(train_steps + 1)]
    frames = [
        curve([0.5 + 0.01 * (n - start) for n in range(train_steps + 1)], steps).assign(
            label=label, name=label, seed=seed, status="completed"
        )
        for seed, start in enumerate(starts)
    ]
    return pd.concat(frames, ignore_index=True)


def best_of(frame):
    return frame.groupby("seed")["evaluation_accuracy"].max()


def test_where_no_seed_moves_the_target_the_ratio_is_that_to_a_fixed_target():
    frame = curves({0: [0.1, 0.2, 0.5, 0.6], 1: [0.1, 0.5, 0.6, 0.6], 2: [0.3, 0.4, 0.5, 0.6]})
    other = curves({0: [0.1, 0.6], 1: [0.1, 0.7], 2: [0.1, 0.8]}, label="b")
    fixed = speedup(crossings(frame, 0.6), crossings(other, 0.6))
    assert speedup_to_best(frame, other, best_of(frame)) == fixed
    shared = speedup(crossings(frame, 0.48), crossings(other, 0.48))
    assert speedup_to_best(frame, other, best_of(frame), share=0.8) == shared


def resampled_ratios(reference, experiment, best):
    """The ratio of the lower medians in each of the n**n resamples, for curves that all climb."""
    seeds = sorted(best.index)
    ratios = []
    for drawn in itertools.product(seeds, repeat=len(seeds)):
        target = np.median([best[seed] for seed in drawn])
        medians = []
        for frame in (reference, experiment):
            steps = [steps_to_target(frame[frame["seed"] == seed], target) for seed in drawn]
            missing = [math.inf if step is None else step for step in steps]
            medians.append(sorted(missing)[(len(seeds) - 1) // 2])
        ratios.append(medians[0] / medians[1])
    return ratios


@settings(max_examples=15)
@given(
    slow=st.lists(st.integers(0, 6), min_size=3, max_size=3),
    fast=st.lists(st.integers(-6, 0), min_size=3, max_size=3),
)
def test_every_resample_of_the_seeds_has_a_target_of_its_own(slow, fast):
    reference, experiment = climbing(slow), climbing(fast, "b")
    result = speedup_to_best(reference, experiment, best_of(reference))
    ratios = resampled_ratios(reference, experiment, best_of(reference))
    # Of three seeds each resample has a chance of 1/27, more than what is cut off.
    assert (result.interval.low, result.interval.high) == (min(ratios), max(ratios))


def test_a_target_that_is_drawn_too_makes_the_interval_wider():
    reference = curves(dict.fromkeys(range(6), [0.1, 0.52, 0.9]))
    experiment = curves(dict.fromkeys(range(6), [0.1, 0.52, 0.53, 0.9]), label="b")
    best = pd.Series([0.45, 0.45, 0.45, 0.55, 0.55, 0.55])
    fixed = speedup(*(crossings(frame, best.median()) for frame in (reference, experiment)))
    drawn = speedup_to_best(reference, experiment, best)
    assert (fixed.interval.low, fixed.value, fixed.interval.high) == (1, 1, 1)
    # To 0.55, the median of resamples with more of the last three seeds, it is 200 over 300.
    assert (drawn.interval.low, drawn.value, drawn.interval.high) == (pytest.approx(2 / 3), 1, 1)


@pytest.mark.parametrize("n", [3, 5])
def test_where_accuracies_rise_with_the_logarithm_of_the_steps_a_drawn_target_changes_nothing(n):
    starts = np.random.default_rng(n).permuted([range(0, 2 * n, 2), range(-n, n, 2)], axis=1)
    reference, experiment = (
        climbing(each, label) for each, label in zip(starts, "ab", strict=True)
    )
    drawn = speedup_to_best(reference, experiment, best_of(reference))
    lognormal = speedup(*(crossed([2.0**start for start in each]) for each in starts))
    assert drawn.interval.low == pytest.approx(lognormal.interval.low)
    assert drawn.interval.high == pytest.approx(lognormal.interval.high)


def test_seeds_that_only_the_target_depends_on_are_drawn_among_themselves():
    reference = curves({seed: [0.1, 0.2, 0.3, 0.4 + seed / 100] for seed in range(6)})
    control = curves(dict.fromkeys((1, 3, 5), [0.1, 0.46]), label="b")
    result = speedup_to_best(reference, control, best_of(reference))
    assert result.seeds == (1, 3, 5)
    assert result.value == 3
    elsewhere = curves({7: [0.1, 0.9]}, label="b")
    assert speedup_to_best(reference, elsewhere, best_of(reference)).value is None


# How often the bootstrap's interval holds the true ratio.


def lower_median(values):
    return sorted(values)[(len(values) - 1) // 2]


def share_below_by_enumeration(first, second):
    """Over all n**n resamples, with the medians looked up in each."""
    n = len(first)
    hits = [
        lower_median([first[i] for i in drawn]) < lower_median([second[i] for i in drawn])
        for drawn in itertools.product(range(n), repeat=n)
    ]
    return np.mean(hits)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5])
def test_the_share_of_resamples_is_that_of_their_enumeration(n):
    places = np.random.default_rng(n).permuted(np.tile(np.arange(2 * n), (8, 1)), axis=1)
    shares = coverage.share_below(places[:, :n], places[:, n:])
    expected = [share_below_by_enumeration(row[:n], row[n:]) for row in places]
    assert shares == pytest.approx(expected)


@pytest.mark.parametrize(("n", "exact"), [(2, 1 / 2), (3, 3 / 4)])
def test_the_coverage_is_that_of_all_orders_of_the_numbers(n, exact):
    orders = list(itertools.permutations(range(2 * n)))
    holds = [
        0.025 < share_below_by_enumeration(order[:n], order[n:]) < 0.975
        for order in orders
        if list(order[:n]) == sorted(order[:n])  # the order of the seeds does not matter
    ]
    assert np.mean(holds) == exact
    assert bootstrap_coverage(n) == pytest.approx(exact, abs=0.01)


@pytest.mark.parametrize(("n", "noise"), [(3, "normal"), (3, "exponential"), (6, "normal")])
def test_the_interval_of_simulated_studies_holds_the_ratio_as_often_as_is_said(n, noise):
    generator = np.random.default_rng(n)
    holds = []
    for _ in range(400):
        slow, fast = (crossed(np.exp(getattr(generator, noise)(size=n))) for _ in range(2))
        interval = speedup(slow.assign(steps=3 * slow["steps"]), fast).interval
        holds.append(interval.low < 3 < interval.high)
    spread = math.sqrt(bootstrap_coverage(n) * (1 - bootstrap_coverage(n)) / len(holds))
    assert np.mean(holds) == pytest.approx(bootstrap_coverage(n), abs=3 * spread)


def test_the_coverage_comes_near_what_the_interval_is_made_for_as_seeds_are_added():
    percents = [round(100 * bootstrap_coverage(n)) for n in (1, 2, 3, 6, 12)]
    assert percents == [0, 50, 75, 94, 96]
    assert bootstrap_coverage(1000) == bootstrap_coverage(coverage.MAX_SEEDS)


# Paired comparisons.


@pytest.mark.parametrize(("n", "floor"), [(1, 1.0), (3, 0.25), (5, 0.0625), (6, 0.03125)])
def test_the_sign_flip_test_cannot_fall_below_its_floor(n, floor):
    assert sign_flip_test(np.arange(1, n + 1)) == floor


@given(values=st.lists(st.integers(-5, 5), min_size=1, max_size=8))
def test_the_sign_flip_test_is_the_enumeration_and_two_sided(values):
    sums = [
        abs(sum(sign * value for sign, value in zip(signs, values, strict=True)))
        for signs in itertools.product([-1, 1], repeat=len(values))
    ]
    expected = np.mean([total >= abs(sum(values)) for total in sums])
    assert sign_flip_test(values) == pytest.approx(expected)
    assert sign_flip_test([-value for value in values]) == sign_flip_test(values)


def test_rounding_does_not_change_the_sign_flip_test():
    """Ten tenths one after the other are 0.9999999999999999, NumPy's sum of them is 1."""
    assert sign_flip_test([0.1] * 10) == sign_flip_test([1] * 10) == 2 / 2**10


@pytest.mark.parametrize("differences", [[], [1, NAN], [math.inf], [1.0] * 21])
def test_the_sign_flip_test_refuses_what_it_cannot_enumerate(differences):
    with pytest.raises(ValueError, match="finite differences"):
        sign_flip_test(differences)


def test_pairing_keeps_the_seeds_that_both_have():
    runs = pd.DataFrame(
        {
            "label": ["a", "a", "a", "b", "b", "c"],
            "seed": [2, 0, 1, 1, 2, 0],
            "best_accuracy": [0.2, 0.0, 0.1, 0.5, 0.6, 0.9],
        }
    )
    assert pair(runs, "a", "b", "best_accuracy").to_dict("list") == {
        "seed": [1, 2],
        "first": [0.1, 0.2],
        "second": [0.5, 0.6],
    }
    assert pair(runs, "b", "c", "best_accuracy").empty


def test_failed_and_interrupted_runs_are_no_results():
    runs = pd.DataFrame({"status": ["completed", "failed", "diverged", "interrupted"]})
    assert statistics.counted(runs)["status"].tolist() == ["completed", "diverged"]


# Mean curves, slope, distance.


def test_the_mean_curve_has_the_band_of_the_seeds_on_the_steps_that_all_have():
    frame = curves({0: [0.1, 0.2, 0.4], 1: [0.3, 0.6]})
    assert mean_curves(frame, 10).to_dict("list") == {
        "experiment": ["a", "a"],
        "step": [0, 100],
        "accuracy_mean": pytest.approx([0.2, 0.4]),
        "accuracy_low": [0.1, 0.2],
        "accuracy_high": [0.3, 0.6],
        "n": [2, 2],
    }


def test_a_diverged_run_counts_as_chance_afterwards():
    frame = pd.concat([curves({0: [0.1, 0.5, 0.7]}), curves({1: [0.1, 0.3]}, "diverged")])
    whole = extend_diverged(frame, diverged_run(1, 120, train_steps=200))
    means = mean_curves(whole, num_classes=10)
    assert means["accuracy_mean"].tolist() == pytest.approx([0.1, 0.4, 0.4])
    assert means["accuracy_low"].tolist() == pytest.approx([0.1, 0.3, 0.1])
    assert means["n"].tolist() == [2, 2, 2]


def test_every_experiment_has_a_mean_curve_of_its_own():
    frame = pd.concat([curves({0: [0.1, 0.2]}), curves({0: [0.5]}, label="b")])
    means = mean_curves(frame, 10)
    assert means["experiment"].tolist() == ["a", "a", "b"]


def test_the_slope_of_the_last_fifth_ignores_what_came_before():
    rising = [0.0] * 8 + [0.5, 0.6, 0.7]  # steps 800, 900, 1000: 0.1 per 100
    assert slope_of_last_fifth(curve(rising)) == pytest.approx(1.0)
    assert slope_of_last_fifth(curve([0.2] * 11)) == pytest.approx(0.0)
    assert slope_of_last_fifth(curve([*rising[:-1], NAN])) == pytest.approx(1.0)


@pytest.mark.parametrize("values", [[], [0.5], [0.1, 0.2], [0.1] * 10 + [NAN, NAN, NAN]])
def test_a_slope_needs_two_evaluations(values):
    assert math.isnan(slope_of_last_fifth(curve(values)))


def test_the_distance_interpolates_the_paper_and_stays_where_it_was_drawn():
    ours = pd.DataFrame({"step": [0, 100, 200, 300, 400], "accuracy_mean": [9, 9, 0.6, 0.7, 9]})
    paper = pd.DataFrame({"step": [50.0, 350.0], "value": [0.35, 0.65]})
    # The line has 0.5 at step 200 and 0.6 at step 300: 0.1 above it twice.
    assert root_mean_square_distance(ours, paper, from_step=150) == pytest.approx(0.1)
    with pytest.raises(ValueError, match="between 360 and 350"):
        root_mean_square_distance(ours, paper, from_step=360)
