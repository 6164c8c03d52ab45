"""Batch renormalization: batch normalization that corrects towards its moving averages."""

from typing import Any

import keras
from keras import ops

from bnrepro.config import RunConfig
from bnrepro.normalization.moments import moments
from bnrepro.normalization.scaled import Scaled

# Weight of the new statistics in the moving averages ("relatively fast updates", section 4.1).
ALPHA = 0.01
# Where r_max and d_max end, and the steps at which they begin to rise and stand there.
R_MAX, D_MAX = 3.0, 5.0
WARM_UP_STEPS, R_STEPS, D_STEPS = 5_000, 40_000, 25_000
# Ours: the schedule is scaled to a run's length, these steps being taken as the paper's whole run.
PAPER_STEPS = 160_000


@keras.saving.register_keras_serializable("bnrepro")
class BatchRenormalization(Scaled):
    """Batch normalization with a correction that makes training and inference see the same.

    Training, with the statistics of the mini-batch (`batch_sigma = sqrt(variance + epsilon)`):

        r = stop_gradient(clip(batch_sigma / moving_sigma, 1 / r_max, r_max))
        d = stop_gradient(clip((batch_mean - moving_mean) / moving_sigma, -d_max, d_max))
        y = gamma * ((x - batch_mean) / batch_sigma * r + d) + beta

    then the moving mean and the moving standard deviation go a hundredth of the way to the
    mini-batch's. Inference: `gamma * (x - moving_mean) / moving_sigma + beta`.
    https://arxiv.org/abs/1702.03275, algorithm 1. Statistics are over all axes but the last.

    Paper: r_max is 1 and d_max 0 (plain batch normalization) for 5,000 steps; then they rise to 3
    at step 40,000 and to 5 at step 25,000. Ours: linearly, and scaled to `train_steps`.
    Paper: the first moving averages are not given. Ours: a plain mean over the first 100 steps, so
    that short runs do not remember an arbitrary beginning.
    """

    def __init__(self, train_steps: int, **options: Any) -> None:
        super().__init__(**options)
        self.train_steps = train_steps

    def build(self, input_shape: tuple[Any, ...]) -> None:
        super().build(input_shape)
        self.moving_sigma = self._of_features(input_shape[-1], "moving_sigma", "ones")
        self.step = self.add_weight((), "zeros", dtype="int", name="step", trainable=False)

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        values = ops.cast(inputs, self.variable_dtype)
        if training:
            normalized = self._normalize_by_batch(values)
        else:
            normalized = (values - self.moving_mean) / self.moving_sigma
        return self._scaled(normalized)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "train_steps": self.train_steps}

    def _normalize_by_batch(self, values: Any) -> Any:
        """Algorithm 1's x-hat, and the update of the moving averages."""
        axes = tuple(range(values.ndim - 1))
        batch_mean, batch_variance = (ops.squeeze(each, axes) for each in moments(values, axes))
        batch_sigma = ops.sqrt(batch_variance + self.epsilon)
        r, d = self._corrections(batch_mean, batch_sigma)
        self._update(batch_mean, batch_sigma)
        return (values - batch_mean) / batch_sigma * r + d

    def _corrections(self, batch_mean: Any, batch_sigma: Any) -> tuple[Any, Any]:
        r_max, d_max = self.limits(ops.cast(self.step, self.variable_dtype))
        r = ops.clip(batch_sigma / self.moving_sigma, 1 / r_max, r_max)
        d = ops.clip((batch_mean - self.moving_mean) / self.moving_sigma, -d_max, d_max)
        return ops.stop_gradient(r), ops.stop_gradient(d)

    def limits(self, step: Any) -> tuple[Any, Any]:
        """(r_max, d_max) at a step of the run."""
        paper_step = step * (PAPER_STEPS / max(1, self.train_steps))
        r_share = ops.clip((paper_step - WARM_UP_STEPS) / (R_STEPS - WARM_UP_STEPS), 0.0, 1.0)
        d_share = ops.clip((paper_step - WARM_UP_STEPS) / (D_STEPS - WARM_UP_STEPS), 0.0, 1.0)
        return 1.0 + (R_MAX - 1.0) * r_share, D_MAX * d_share

    def _update(self, batch_mean: Any, batch_sigma: Any) -> None:
        alpha = ops.maximum(ALPHA, 1.0 / (ops.cast(self.step, self.variable_dtype) + 1.0))
        self.moving_mean.assign_add(alpha * (batch_mean - self.moving_mean))
        self.moving_sigma.assign_add(alpha * (batch_sigma - self.moving_sigma))
        self.step.assign_add(1)


def choose(config: RunConfig, _: bool) -> tuple[type[keras.layers.Layer], dict[str, Any]]:
    """The layer of `config`, whose limits are functions of the length of the training."""
    return BatchRenormalization, {"train_steps": config.train_steps}
