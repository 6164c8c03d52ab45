"""A long short-term memory over the rows of images, with its backward pass, in NumPy, float64.

Gates i, f, g, o; the forget gate's sum has 1 added to it. Of the recurrent connections the first
step has none, and each later step its own normalization, all with one gamma.
"""

import numpy as np
from numpy_network import Dense, Layer, Network, normalization_of

FORGET_BIAS = 1.0


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


class Lstm(Network):
    """The network of `model=lstm`, its layers without weights yet."""

    def __init__(self, config, steps):
        self.size = round(100 * config.model.width)
        self.input, self.recurrent = Dense("lstm_input"), Layer("lstm_recurrent")
        self.gamma, self.logits = Layer("lstm_recurrent_gamma"), Dense("logits")
        connections = config.model.normalize if config.placement == "before" else ""
        self.normalization, self.by_step = None, {}
        if connections in ("input", "both"):
            self.normalization = normalization_of(config, "lstm_input_normalization", 400)
        if connections in ("recurrent", "both"):
            for step in range(2, steps + 1):
                name = f"lstm_recurrent_{step}_normalization"
                self.by_step[step] = normalization_of(config, name, 400)
        further = [] if self.normalization is None else [self.normalization]
        super().__init__(
            [self.input, self.recurrent, self.gamma, *further, *self.by_step.values(), self.logits]
        )

    def forward(self, x, training):
        batch, steps = x.shape[:2]
        sums = self.input.forward(x.reshape(batch * steps, -1), training)
        if self.normalization is not None:
            sums = self.normalization.forward(sums, training)
        state, memory, self.seen = None, 0.0, {}
        for step, inputs in enumerate(np.moveaxis(sums.reshape(batch, steps, -1), 1, 0), start=1):
            if step > 1:
                inputs = inputs + self.from_state(state, step, training)
            i, f, g, o = np.split(inputs, 4, axis=1)
            i, f, g, o = sigmoid(i), sigmoid(f + FORGET_BIAS), np.tanh(g), sigmoid(o)
            before, memory = (state, memory), f * memory + i * g
            state = o * np.tanh(memory)
            self.seen[step] = (*before, i, f, g, o, memory)
        return self.logits.forward(state, training)

    def from_state(self, state, step, training):
        sums = state @ self.recurrent.weights["kernel"]
        if step not in self.by_step:
            return sums
        layer = self.by_step[step]
        layer.x = sums
        layer.x_hat = layer.standardized(sums) if training else layer.inferred(sums)
        return self.gamma.weights.get("factor", 1) * layer.x_hat

    def backward(self, dy):
        d_state, d_memory = self.logits.backward(dy), 0.0
        kernel = self.recurrent.weights["kernel"]
        by_kernel, by_gamma, by_sums = 0.0, 0.0, []
        for step in sorted(self.seen, reverse=True):
            state, old, i, f, g, o, memory = self.seen[step]
            d_memory = d_memory + d_state * o * (1 - np.tanh(memory) ** 2)
            d_sums = np.concatenate(
                [
                    d_memory * g * i * (1 - i),
                    d_memory * old * f * (1 - f),
                    d_memory * i * (1 - g**2),
                    d_state * np.tanh(memory) * o * (1 - o),
                ],
                axis=1,
            )
            by_sums.insert(0, d_sums)
            d_memory = d_memory * f
            if step > 1:
                if step in self.by_step:
                    layer = self.by_step[step]
                    by_gamma = by_gamma + (d_sums * layer.x_hat).sum(0)
                    d_sums = layer.standardized_backward(
                        d_sums * self.gamma.weights.get("factor", 1)
                    )
                by_kernel = by_kernel + state.T @ d_sums
                d_state = d_sums @ kernel.T
        self.recurrent.gradients, self.gamma.gradients = {"kernel": by_kernel}, {"factor": by_gamma}
        d_sums = np.stack(by_sums, axis=1).reshape(-1, 4 * self.size)
        if self.normalization is not None:
            d_sums = self.normalization.backward(d_sums)
        self.input.backward(d_sums)
        return {path: layer.gradients[name] for path, layer, name in self.places("weights")}
