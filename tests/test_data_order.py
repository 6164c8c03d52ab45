"""The order of examples is a pure function of (seed, step), and fast."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bnrepro.config import SHUFFLES, ConfigError
from bnrepro.data.order import BatchOrder, batch_order

sizes = st.integers(1, 60).flatmap(
    lambda examples: st.tuples(st.just(examples), st.integers(1, examples))
)
shuffles = st.sampled_from([each for each in SHUFFLES if each != "class_pairs"])
seeds = st.integers(0, 2**31 - 1)


@settings(deadline=None)
@given(sizes=sizes, shuffle=shuffles, seed=seeds, epoch=st.integers(0, 10**6))
def test_every_epoch_has_each_example_at_most_once(sizes, shuffle, seed, epoch):
    order = BatchOrder(*sizes, shuffle, seed)
    steps = order.steps_per_epoch
    seen = order.indices(epoch * steps, (epoch + 1) * steps)
    assert seen.shape == (steps, sizes[1]) and seen.dtype == np.int32
    assert len(np.unique(seen)) == seen.size > sizes[0] - sizes[1]
    assert seen.min() >= 0 and seen.max() < sizes[0]


@settings(deadline=None)
@given(sizes=sizes, shuffle=shuffles, seed=seeds, cuts=st.lists(st.integers(0, 90), max_size=6))
def test_any_way_of_cutting_a_training_up_gives_the_same_batches(sizes, shuffle, seed, cuts):
    whole = BatchOrder(*sizes, shuffle, seed).indices(0, 90)
    order = BatchOrder(*sizes, shuffle, seed)
    edges = [0, *sorted(cuts), 90]
    parts = [order.indices(a, b) for a, b in zip(edges, edges[1:], strict=False)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    for cut in cuts:
        resumed = BatchOrder(*sizes, shuffle, seed).indices(cut, 90)
        np.testing.assert_array_equal(resumed, whole[cut:])
    np.testing.assert_array_equal(order.indices(0, 90), whole)


def test_shards_keep_their_company_and_change_their_order():
    order = BatchOrder(100, 10, "shards", 0)
    first, second = order.indices(0, 10), order.indices(10, 20)
    assert {frozenset(batch) for batch in first} == {frozenset(batch) for batch in second}
    assert not np.array_equal(first, second)


def test_within_shards_mixes_the_company():
    order = BatchOrder(100, 10, "within_shards", 0)
    first, second = order.indices(0, 10), order.indices(10, 20)
    assert not {frozenset(batch) for batch in first} & {frozenset(batch) for batch in second}


def test_over_many_epochs_every_example_is_used():
    assert len(np.unique(BatchOrder(103, 10, "within_shards", 0).indices(0, 100))) == 103
    assert len(np.unique(BatchOrder(103, 10, "shards", 0).indices(0, 100))) == 100


@pytest.mark.parametrize("shuffle", SHUFFLES)
def test_seeds_differ(shuffle):
    one, other = (BatchOrder(100, 10, shuffle, seed).indices(0, 10) for seed in (0, 1))
    assert not np.array_equal(one, other)


@pytest.mark.parametrize("shuffle", SHUFFLES)
def test_all_is_the_whole_set_in_every_step(shuffle):
    indices = BatchOrder(7, "all", shuffle, 0).indices(3, 6)
    np.testing.assert_array_equal(indices, [range(7)] * 3)


def test_no_steps_are_no_batches():
    assert BatchOrder(10, 3, "shards", 0).indices(4, 4).shape == (0, 3)


def test_a_batch_larger_than_the_set_is_refused():
    with pytest.raises(ConfigError, match="batch_size=101: expected at most 100"):
        BatchOrder(100, 101, "shards", 0)


def test_a_change_of_what_comes_back_does_not_reach_the_next_call():
    order = BatchOrder(10, 2, "within_shards", 0)
    kept = order.indices(0, 5).copy()
    order.indices(0, 5)[:] = 0
    np.testing.assert_array_equal(order.indices(0, 5), kept)


def test_the_order_does_not_hold_up_training():
    """The paper's MNIST network takes 5,000 steps/s: 100,000 steps in segments of 500."""
    order = BatchOrder(60_000, 60, "within_shards", 0)
    start = time.process_time()
    for step in range(0, 100_000, 500):
        order.indices(step, step + 500)
    assert time.process_time() - start < 2


def test_class_pairs_are_two_examples_of_different_classes():
    labels = np.arange(103) % 10
    order = batch_order(labels, 8, "class_pairs", 0)
    epochs = [order.indices(12 * epoch, 12 * epoch + 12) for epoch in range(2)]
    for batches in epochs:
        assert batches.shape == (12, 8) and batches.dtype == np.int32
        for batch in batches:
            assert len(np.unique(batch)) == 8
            assert sorted(np.unique(labels[batch], return_counts=True)[1]) == [2, 2, 2, 2]
    assert not np.array_equal(*epochs)
    np.testing.assert_array_equal(order.indices(5, 20), np.concatenate(epochs)[5:20])
    assert not np.array_equal(batch_order(labels, 8, "class_pairs", 1).indices(0, 12), epochs[0])
    assert len(np.unique(order.indices(0, 600))) == 103


@pytest.mark.parametrize("size", [3, 22])
def test_class_pairs_that_there_are_not_are_refused(size):
    with pytest.raises(ConfigError, match="expected an even number of at most 20"):
        batch_order(np.arange(100) % 10, size, "class_pairs", 0)
