"""Images that are read while another segment trains are those of their segment."""

import threading

import numpy as np
import pytest

from bnrepro.data import Split
from bnrepro.data.order import BatchOrder
from bnrepro.engine.ahead import ReadAhead

COUNT, BATCH = 23, 4


class Disk:
    """Images that tell which they are, and note on which thread they are read."""

    shape, dtype = (COUNT, 1, 1, 1), np.dtype(np.uint8)

    def __init__(self):
        self.readers = []

    def read(self, rows):
        self.readers.append(threading.current_thread())
        if 0 in rows and len(self.readers) > 3:
            raise OSError("gone")
        return rows.astype(np.uint8).reshape(-1, 1, 1, 1)


@pytest.fixture
def disk():
    return Disk()


@pytest.fixture
def order():
    return BatchOrder(COUNT, BATCH, "full", 0)


@pytest.fixture
def ahead(disk, order):
    return ReadAhead(Split(disk, np.zeros(COUNT, np.int32)), order)


def expected(start, stop):
    rows = BatchOrder(COUNT, BATCH, "full", 0).indices(start, stop)
    return rows.astype(np.uint8).reshape(-1, 1, 1, 1)


def test_each_segment_has_its_images(ahead):
    ends = [0, 3, 5, 12, 13]
    for start, stop, further in zip(ends, ends[1:], [*ends[2:], None], strict=False):
        if further is not None:
            ahead.begin(stop, further)
        np.testing.assert_array_equal(ahead.images(start, stop), expected(start, stop))


def test_what_was_begun_is_read_once_and_elsewhere(ahead, disk):
    ahead.begin(3, 5)
    ahead.images(3, 5)
    (reader,) = disk.readers
    assert reader is not threading.current_thread()


def test_a_segment_that_was_not_begun_is_read_all_the_same(ahead):
    ahead.begin(3, 5)
    np.testing.assert_array_equal(ahead.images(7, 8), expected(7, 8))
    np.testing.assert_array_equal(ahead.images(3, 5), expected(3, 5))


def test_what_goes_wrong_on_the_way_is_raised_where_it_is_needed(ahead, disk):
    disk.readers += [None] * 3
    ahead.begin(0, 6)
    with pytest.raises(OSError, match="gone"):
        ahead.images(0, 6)
