"""The rows of an image, one after the other, through a long short-term memory."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import keras
from keras import ops

from bnrepro import normalization
from bnrepro.config import NORMALIZATIONS_OVER_THE_BATCH, RunConfig
from bnrepro.models.layer_scale import LayerScale
from bnrepro.models.unit import UNDRAWN, Units

# Added to the sums of forget gates, so that a network begins by remembering: Jozefowicz et al.
# 2015, "An empirical exploration of recurrent network architectures".
FORGET_BIAS = 1.0
# Where the recurrent connections' gamma begins under batch normalization: Cooijmans et al. 2016
# (https://arxiv.org/abs/1603.09025); at 1 gradients vanish over the steps.
RECURRENT_GAMMA = 0.1
_GATES = 4
# Of these the outputs keep the scale of the inputs.
_WITHOUT_GAMMA = ("mean_only", "noise")


@keras.saving.register_keras_serializable("bnrepro")
class LstmStep(keras.layers.Layer):
    """One step of a long short-term memory, from the sums z of all its connections.

    With s the logistic function and z in Keras's order, each (batch, units):

        i = s(z_i)   f = s(z_f + 1)   g = tanh(z_g)   o = s(z_o)
        memory' = f * memory + i * g   state = o * tanh(memory')

    Training and inference. Hochreiter and Schmidhuber 1997, with the forget gate of Gers et al.
    2000. Without a memory, which is the first step, it is 0.
    """

    def call(self, sums: Any, memory: Any = None) -> tuple[Any, Any]:
        """(state, memory), each (batch, units), from sums (batch, 4 * units)."""
        i, f, g, o = ops.split(sums, _GATES, axis=-1)
        new = ops.sigmoid(i) * ops.tanh(g)
        if memory is not None:
            new = new + ops.sigmoid(f + FORGET_BIAS) * memory
        return ops.sigmoid(o) * ops.tanh(new), new


def features(images: Any, units: Units, config: RunConfig) -> Any:
    """The state after the last row, (batch, units), of 100 units at width 1.

    A row of pixels is what a step sees. `config.model.normalize` says what is normalized:

    - input: BN(W_x x_t) with statistics over the rows of all images (Laurent et al. 2015,
      https://arxiv.org/abs/1510.01378, "sequence-wise")
    - recurrent: BN(W_h h_(t-1)) with statistics of each step, one gamma for all of them, and the
      bias of the input connections in place of a beta (Cooijmans et al. 2016)

    Layer and group normalization look at one row, or one state, at a time (Ba et al. 2016,
    https://arxiv.org/abs/1607.06450). The memory is never normalized. The first step has no state
    before it, and no recurrent connections.
    """
    size = units.scaled(100)
    normalized = () if config.placement == "none" else _NORMALIZED[config.model.normalize]
    steps, *row = images.shape[1:]
    rows = ops.reshape(images, (-1, row[0] * row[1]))  # (batch * steps, pixels of a row)
    sums = units.connections(rows, _GATES * size, "lstm_input", "input" in normalized)
    by_step = ops.unstack(ops.reshape(sums, (-1, steps, _GATES * size)), steps, axis=1)
    recurrent = _recurrent(size, units, config, "recurrent" in normalized)
    step = LstmStep(name="lstm_step")
    state, memory = step(by_step[0])
    for number, inputs in enumerate(by_step[1:], start=2):
        sums = inputs + recurrent(state, number)
        state, memory = step(sums, memory)
    units.pre_activations["lstm"] = sums
    return state


_NORMALIZED: dict[str | None, tuple[str, ...]] = {
    "input": ("input",),
    "recurrent": ("recurrent",),
    "both": ("input", "recurrent"),
}


def _recurrent(
    size: int, units: Units, config: RunConfig, is_normalized: bool
) -> Callable[[Any, int], Any]:
    """From the state before a step, and its number, the sums of the recurrent connections."""
    name = "lstm_recurrent"
    weights = keras.layers.Dense(
        _GATES * size, use_bias=False, kernel_initializer=UNDRAWN, name=name
    )
    bare = replace(config.batch_normalization, gamma=False, beta=False)
    make = normalization.constructor(replace(config, batch_normalization=bare))
    if make is None or not is_normalized:
        return lambda state, _: weights(state)
    by_step = config.normalization in NORMALIZATIONS_OVER_THE_BATCH
    shared = None if by_step else make(f"{name}_normalization")
    gamma = _gamma(config, RECURRENT_GAMMA if by_step else 1.0)

    def sums(state: Any, number: int) -> Any:
        layer = shared or make(f"{name}_{number}_normalization")
        return gamma(units.normalized(weights(state), layer))

    return sums


def _gamma(config: RunConfig, initial: float) -> Callable[[Any], Any]:
    """The scale behind the normalizations of all steps, where the config has one."""
    if config.normalization in _WITHOUT_GAMMA or not config.batch_normalization.gamma:
        return lambda values: values
    return LayerScale(initial, name="lstm_recurrent_gamma")
