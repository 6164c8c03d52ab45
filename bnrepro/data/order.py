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
        # Read once: another thread, which reads ahead, may be in another epoch.
        newest = self._newest
        if newest is None or newest[0] != epoch:
            newest = self._newest = (epoch, self._draw(epoch))
        return newest[1]

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


class ClassPairs(BatchOrder):
    """Batches that are not a sample of the data: two examples each of half as many classes.

    Ours, after the experiment of section 4.3 of batch renormalization
    (https://arxiv.org/abs/1702.03275). The classes of a batch are drawn anew for each; those of a
    class take turns, from the beginning again where a class is drawn more often than others.
    """

    def __init__(self, labels: np.ndarray, batch_size: int | str, seed: int) -> None:
        super().__init__(len(labels), batch_size, "class_pairs", seed)
        self._classes = [np.flatnonzero(labels == each) for each in np.unique(labels)]
        most = 2 * len(self._classes)
        if self.batch_size % 2 or self.batch_size > most:
            raise ConfigError(
                f"shuffle=class_pairs with batch_size={batch_size}: expected an even number of at "
                f"most {most}, two examples of each of {len(self._classes)} classes; change it, or "
                "use shuffle=within_shards"
            )

    def _draw(self, epoch: int) -> np.ndarray:
        random = generator(self._seed, "class_pairs", epoch)
        steps, pairs = self.steps_per_epoch, self.batch_size // 2
        keys = random.random((steps, len(self._classes)))
        chosen = keys.argsort(axis=1, kind="stable")[:, :pairs]
        batches = np.empty((steps, pairs, 2), np.int32)
        for number, members in enumerate(self._classes):
            mixed = random.permutation(members)
            turns = np.arange(2 * (chosen == number).sum()).reshape(-1, 2)
            batches[chosen == number] = mixed[turns % len(mixed)]
        return batches.reshape(steps, self.batch_size)


def batch_order(labels: np.ndarray, batch_size: int | str, shuffle: str, seed: int) -> BatchOrder:
    """The order that a config asks for, of training examples with these labels.

    Raises:
        ConfigError: if there are no such batches of them.
    """
    if shuffle == "class_pairs":
        return ClassPairs(labels, batch_size, seed)
    return BatchOrder(len(labels), batch_size, shuffle, seed)
