"""Streamed images of the next segment, read from disk and decoded while another one trains."""

from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from bnrepro.data import Split
from bnrepro.data.order import BatchOrder
from bnrepro.engine.batch import read_images


class ReadAhead:
    """Reads the images of `train` that segments need, those of the next one in advance."""

    def __init__(self, train: Split, order: BatchOrder) -> None:
        self._train = train
        self._order = order
        # It only waits for the threads that decode.
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="read ahead")
        self._begun: dict[tuple[int, int], Future[np.ndarray]] = {}

    def begin(self, start: int, stop: int) -> None:
        """Begin to read what the updates number `start + 1` to `stop` need."""
        self._begun[start, stop] = self._reader.submit(self._read, start, stop)

    def images(self, start: int, stop: int) -> np.ndarray:
        """What these updates need, one batch after the other, whether it was begun or not.

        Raises:
            DataError: as `StreamedImages.read`.
        """
        begun = self._begun.pop((start, stop), None)
        return begun.result() if begun else self._read(start, stop)

    def _read(self, start: int, stop: int) -> np.ndarray:
        return read_images(self._train, self._order.indices(start, stop).ravel())
