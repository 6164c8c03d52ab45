"""Many networks as one program, held to NumPy: what a step is, and that none sees another."""

import numpy as np
import pytest

from bnrepro.config.randomness import generator
from bnrepro.data.order import BatchOrder
from bnrepro.lab.replicas import EPSILON, Form, Replicas

WIDTH, BATCH, MOMENTUM = 5, 8, 0.9
RANDOM = np.random.default_rng(0)
IMAGES, LABELS = RANDOM.normal(size=(40, 6)), np.arange(40) % 3


def replicas(form, seeds, rates, decays, scales=()):
    return Replicas(form, IMAGES, LABELS, seeds, rates, decays, MOMENTUM, BATCH, scales)


class Network:
    """One replica in NumPy, differentiated by hand."""

    def __init__(self, form, seed, rate, decay, scale=1.0):
        self.form, self.rate, self.decay = form, rate, decay
        sizes = [IMAGES.shape[1], *[WIDTH] * form.hidden_layers, 3]
        drawn = [
            np.sqrt(2 / a) * generator(seed, f"replicas/kernel {n}").standard_normal((a, b))
            for n, (a, b) in enumerate(zip(sizes[:-1], sizes[1:], strict=True))
        ]
        depth = form.hidden_layers
        self.kernels = [scale * kernel for kernel in drawn[:-1]]
        shape = [np.ones(WIDTH)] * depth, [np.zeros(WIDTH)] * depth
        self.weights = [*self.kernels, *shape[0], *shape[1], drawn[-1], np.zeros(3)]
        self.velocities = [np.zeros_like(weight) for weight in self.weights]
        self.order = BatchOrder(len(LABELS), BATCH, "within_shards", seed)

    def step(self, number):
        rows = self.order.indices(number, number + 1)[0]
        loss, gradients = self.differentiate(IMAGES[rows], LABELS[rows])
        depth = self.form.hidden_layers
        for n, gradient in enumerate(gradients):
            decayed = gradient + (self.decay * self.weights[n] if n < depth else 0)
            self.velocities[n] = MOMENTUM * self.velocities[n] + decayed
            self.weights[n] = self.weights[n] - self.rate * self.velocities[n]
        return loss

    def differentiate(self, values, labels):
        depth, normalized = self.form.hidden_layers, self.form.normalized
        kernels, gammas = self.weights[:depth], self.weights[depth : 2 * depth]
        betas, (last, bias) = self.weights[2 * depth : 3 * depth], self.weights[3 * depth :]
        tape = []
        for n in range(depth):
            inputs, inner = values, values @ kernels[n]
            deviation = np.sqrt(inner.var(axis=0) + EPSILON) if normalized else 1
            unit = (inner - inner.mean(axis=0)) / deviation if normalized else inner
            z = (gammas[n] if normalized else 1) * unit + betas[n]
            values = np.maximum(z, 0) + (values if self.form.skips and n else 0)
            tape.append((inputs, unit, deviation, z))
        logits = values @ last + bias
        shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        one_hot = np.eye(3)[labels]
        slope = (shares - one_hot) / len(labels)
        gradients = {"last": values.T @ slope, "bias": slope.sum(axis=0)}
        slope = slope @ last.T
        for n in reversed(range(depth)):
            inputs, unit, deviation, z = tape[n]
            of_z = slope * (z > 0)
            gradients["gamma", n] = (of_z * unit).sum(axis=0) if normalized else np.zeros(WIDTH)
            gradients["beta", n] = of_z.sum(axis=0)
            if normalized:
                of_unit = of_z * gammas[n]
                centred = of_unit - of_unit.mean(axis=0) - unit * (of_unit * unit).mean(axis=0)
                of_inner = centred / deviation
            else:
                of_inner = of_z
            gradients["kernel", n] = inputs.T @ of_inner
            way_around = slope if self.form.skips and n else 0
            slope = of_inner @ kernels[n].T + way_around
        names = [*(("kernel", n) for n in range(depth)), *(("gamma", n) for n in range(depth))]
        names += [*(("beta", n) for n in range(depth)), "last", "bias"]
        return -np.log((shares * one_hot).sum(axis=1)).mean(), [gradients[name] for name in names]


@pytest.mark.parametrize(
    "form", [Form(2, WIDTH), Form(3, WIDTH, skips=True), Form(2, WIDTH, normalized=False)]
)
def test_steps_are_those_of_numpy(form):
    plans = [(0, 0.05, 0.01), (1, 0.1, 0.0), (0, 0.02, 0.1)]
    together = replicas(form, *map(list, zip(*plans, strict=True)))
    alone = [Network(form, *plan) for plan in plans]
    for number in range(7):
        before = [list(network.weights) for network in alone]
        losses = [network.step(number) for network in alone]
        seen = together.step(number)
        assert seen.loss == pytest.approx(losses, rel=2e-4)
        for n, network in enumerate(alone):
            lengths = [np.linalg.norm(each) for each in network.weights[: form.hidden_layers]]
            assert seen.lengths[n] == pytest.approx(lengths, rel=1e-4)
            old, new = before[n][0], network.weights[0]
            cosines = (old * new).sum(axis=0) / np.linalg.norm(old, axis=0)
            angles = np.arccos(np.minimum(1, cosines / np.linalg.norm(new, axis=0)))
            assert seen.angles[n, 0] == pytest.approx(np.median(angles), rel=1e-2)
    kernels = [kernel.numpy() for kernel in together.kernels]
    for n, network in enumerate(alone):
        for layer, kernel in enumerate(kernels):
            np.testing.assert_allclose(kernel[n], network.weights[layer], rtol=1e-3, atol=1e-5)


def test_a_replica_does_not_see_the_others():
    form = Form(2, WIDTH)
    alone = replicas(form, [1], [0.1], [0.01])
    beside = replicas(form, [0, 1], [1e6, 0.1], [0.0, 0.01])
    for number in range(5):
        expected = alone.step(number)
        received = beside.step(number)
    assert received.loss[1] == pytest.approx(expected.loss[0], rel=1e-5)
    assert received.angles[1] == pytest.approx(expected.angles[0], rel=1e-4)


def test_the_scale_of_normalized_kernels_changes_their_gradients_alone():
    seen = replicas(Form(2, WIDTH), [0, 0], [0.0, 0.0], [0.0, 0.0], scales=[1.0, 10.0]).step(0)
    assert seen.loss[0] == pytest.approx(seen.loss[1], rel=1e-4)
    assert seen.gradients[0] == pytest.approx(10 * seen.gradients[1], rel=1e-3)
    assert seen.lengths[1] == pytest.approx(10 * seen.lengths[0], rel=1e-5)


def test_a_kernel_is_given_the_lengths_of_its_units():
    network = replicas(Form(2, WIDTH), [0, 1], [0.5, 0.5], [0.1, 0.1])
    lengths = network.unit_lengths()
    directions = [kernel.numpy() for kernel in network.kernels]
    network.rescale([2 * each for each in lengths])
    for kernel, direction in zip(network.kernels, directions, strict=True):
        assert kernel.numpy() == pytest.approx(2 * direction, rel=1e-5)
