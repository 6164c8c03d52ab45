"""Keras's `fit` on arrays, as its documentation shows it."""

import time
from typing import Any

import keras

from bnrepro.bench.contenders.task import Contender, Task


class KerasFit(Contender):
    """`model.compile(optimizer, loss, metrics=["accuracy"])`, `model.fit(x, y, batch_size=...)`.

    The clock runs from the first epoch to the end of the call, without its preparations, and no
    progress bar is drawn: both in favour of `fit`.
    """

    def __init__(self, task: Task, steps_per_execution: int) -> None:
        self._task = task
        self._steps_per_execution = steps_per_execution
        self._model = task.keras_model()
        self._model.compile(
            optimizer=keras.optimizers.SGD(task.config.peak_learning_rate, task.momentum),
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=["accuracy"],
            steps_per_execution=steps_per_execution,
        )

    def losses(self, steps: int) -> list[float]:
        rows = self._task.order.indices(0, steps)
        return [self._fit_batch(batch) for batch in rows]

    def train(self, steps: int) -> float:
        epochs = -(-steps // self._task.order.steps_per_epoch)
        count = steps // epochs * self._task.batch_size
        clock = _Clock()
        self._model.fit(
            self._task.scaled[:count],
            self._task.dataset.train.labels[:count],
            batch_size=self._task.batch_size,
            epochs=epochs,
            verbose=0,
            callbacks=[clock],
        )
        return clock.seconds

    def whole(self, steps: int) -> int:
        epoch = self._task.order.steps_per_epoch
        if steps > epoch:
            return steps // epoch * epoch
        return max(steps // self._steps_per_execution, 1) * self._steps_per_execution

    def _fit_batch(self, rows: Any) -> float:
        images, labels = self._task.scaled[rows], self._task.dataset.train.labels[rows]
        history = self._model.fit(images, labels, batch_size=len(rows), shuffle=False, verbose=0)
        return float(history.history["loss"][0])


class _Clock(keras.callbacks.Callback):
    """The seconds from the first epoch's begin to the end of training."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds = 0.0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if epoch == 0:
            self._started = time.perf_counter()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        self.seconds = time.perf_counter() - self._started
