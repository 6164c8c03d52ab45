"""Which examples share a batch, and in what order: a pure function of the seed and the step."""

import numpy as np

from bnrepro.config import ConfigError
from bnrepro.config.randomness import generator


class BatchOrder:
    """The batches of a whole training, drawn an epoch at a time.

    Paper: section 4.2.1, change 6. `within_shards` reshuffles the examples in every epoch. `shards`
    divides them once into batches and reshuffles only the order of these, so that the same examples
    always share a batch. In either, what is left over after the last whole batch of an epoch is not
    used; with `shards` these are always the same examples, fewer than one batch.
    """

    def __init__(self, num_examples: int, batch_size: int | str, shuffle: str, seed: int) -> None:
        self.num_examples = num_examples
        self.batch_size = num_examples if batch_size == "all" else int(batch_size)
        if self.batch_size > num_examples:
            raise ConfigError(
                f"batch_size={batch_size}: expected at most {num_examples}, the number of training "
                "examples; lower batch_size, or set it to all"
            )
        self.steps_per_epoch = num_examples // self.batch_size
        self._shuffle = shuffle
        self._seed = seed
        self._shards = self._batches("shards", 0) if shuffle == "shards" else None
        self._newest: tuple[int, np.ndarray] | None = None

    def indices(self, start: int, stop: int) -> np.ndarray:
        """Examples of the steps `start` to `stop`, int32 (stop - start, batch)."""
        parts = [np.empty((0, self.batch_size), np.int32)]
        while start < stop:
            epoch, first = divmod(start, self.steps_per_epoch)
            last = min(self.steps_per_epoch, first + stop - start)
            parts.append(self._epoch(epoch)[first:last])
            start += last - first
        return np.concatenate(parts)

    def _epoch(self, epoch: int) -> np.ndarray:
        """All batches of an epoch, int32 (steps_per_epoch, batch); the newest is kept."""
        if self._newest is None or self._newest[0] != epoch:
            self._newest = (epoch, self._draw(epoch))
        return self._newest[1]

    def _draw(self, epoch: int) -> np.ndarray:
        if self.steps_per_epoch == 1 and self.batch_size == self.num_examples:
            # Batch gradient descent sums over everything: an order would only cost time.
            return np.arange(self.num_examples, dtype=np.int32)[None]
        if self._shards is None:
            return self._batches("order", epoch)
        order = generator(self._seed, "order", epoch).permutation(self.steps_per_epoch)
        return self._shards[order]

    def _batches(self, purpose: str, epoch: int) -> np.ndarray:
        mixed = generator(self._seed, purpose, epoch).permutation(self.num_examples)
        used = mixed[: self.steps_per_epoch * self.batch_size].astype(np.int32)
        return used.reshape(self.steps_per_epoch, self.batch_size)
