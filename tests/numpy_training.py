"""A whole training in NumPy, float64: loss, L2, schedule, update rule, evaluations, Algorithm 2.

Which examples share a batch and how they are distorted is drawn by the host; those draws have
tests of their own and are taken as they come.
"""

import math

import numpy as np
import numpy_batch
import numpy_network

from bnrepro.data.distortion import draw
from bnrepro.data.order import BatchOrder


def rate(config, step):
    """The learning rate of update number `step + 1`, rounded to float32 as the engines do."""
    schedule = config.schedule
    steps, low = schedule.decay_steps, schedule.decay_rate
    if "decay" in config.accelerate:
        steps = steps / 6
    if schedule.name == "constant":
        factor = 1.0
    elif schedule.name == "exponential":
        factor = math.exp(math.log(low) * step / steps)
    elif schedule.name == "inverse_time":
        factor = 1 / (1 + low * step / steps)
    elif schedule.name == "step":
        factor = 1.0
        for _ in range(int(step / steps)):
            factor *= low
    elif step < steps:
        factor = low + (1 - low) * math.cos(math.pi / 2 * step / steps) ** 2
    else:
        factor = low
    return float(np.float32(config.learning_rate * config.learning_rate_multiplier * factor))


def cross_entropy(logits, labels):
    """(mean loss, hits, gradient by the scores) of a batch."""
    shifted = np.exp(logits - logits.max(1, keepdims=True))
    probabilities = shifted / shifted.sum(1, keepdims=True)
    rows = np.arange(len(labels))
    loss = -np.log(probabilities[rows, labels]).mean()
    right = np.eye(logits.shape[1])[labels]
    return loss, int((logits.argmax(1) == labels).sum()), (probabilities - right) / len(labels)


def in_memory(images):
    """Images of a split, as an array wherever they lie."""
    return images if isinstance(images, np.ndarray) else images.read(np.arange(len(images)))


class Training:
    """The training of `config`, nothing in it accelerated, from the weights in `variables` on."""

    def __init__(self, config, dataset, variables):
        self.config, self.dataset = config, dataset
        self.network = numpy_network.build(config)
        self.network.load(variables)
        self.velocity = {}
        self.order = BatchOrder(
            len(dataset.train.labels), config.batch_size, config.shuffle, config.seed
        )
        self.images = in_memory(dataset.train.images)
        self.scaling = numpy_batch.scaling(self.images) if config.input_normalization else (0, 1)

    def batch(self, step):
        """(images as the network sees them, labels) of update number `step + 1`."""
        (indices,) = self.order.indices(step, step + 1)
        drawn = draw(self.config, self.config.seed, step, step + 1, len(indices))
        distortions = {name: values[0] for name, values in drawn.items()}
        padding = self.config.data.crop_padding
        images = numpy_batch.assembled(self.images, indices, distortions, padding, *self.scaling)
        return images, self.dataset.train.labels[indices]

    def gradients(self, step):
        """(loss, hits, gradients by path) of update number `step + 1`, with L2 on the kernels."""
        images, labels = self.batch(step)
        loss, hits, by_scores = cross_entropy(self.network.forward(images, True), labels)
        gradients = self.network.backward(by_scores)
        for path, weight in self.network.values("weights").items():
            if path.endswith("/kernel"):
                gradients[path] = gradients[path] + 2 * self.config.l2 * weight
        return loss, hits, gradients

    def step(self, step):
        """(loss, hits) of update number `step + 1`, which is made."""
        loss, hits, gradients = self.gradients(step)
        momentum = {"sgd": 0.0, "momentum": self.config.optimizer.momentum}
        for path, layer, name in self.network.places("weights"):
            old = self.velocity.get(path, 0)
            change = momentum[self.config.optimizer.name] * old
            change = change - rate(self.config, step) * gradients[path]
            self.velocity[path] = change
            layer.weights[name] = layer.weights[name] + change
        return loss, hits

    def scores(self):
        """Class scores of the evaluation split at inference."""
        split = self.dataset.evaluation
        indices = np.arange(len(split.labels))
        images = numpy_batch.assembled(in_memory(split.images), indices, {}, 0, *self.scaling)
        return self.network.forward(images, False)

    def evaluation(self):
        """(mean loss, accuracy) on the evaluation split."""
        labels = self.dataset.evaluation.labels
        loss, hits, _ = cross_entropy(self.scores(), labels)
        return loss, hits / len(labels)

    def population(self):
        """Algorithm 2, step 10: statistics by path over the first undistorted mini-batches."""
        count = min(self.config.batch_normalization.population_batches, self.order.steps_per_epoch)
        layers = [layer for layer in self.network.layers if hasattr(layer, "population_terms")]
        kept = [layer.statistics for layer in layers]
        terms = []
        for indices in self.order.indices(0, count):
            batch = numpy_batch.assembled(self.images, indices, {}, 0, *self.scaling)
            self.network.forward(batch, True)
            terms.append([layer.population_terms() for layer in layers])
        for layer, statistics in zip(layers, kept, strict=True):
            layer.statistics = statistics
        means = [np.mean(term, axis=0) for term in zip(*terms, strict=True)]  # (2, maps) a layer
        return {layer: tuple(mean) for layer, mean in zip(layers, means, strict=True)}

    def population_evaluation(self):
        """(mean loss, accuracy) of Algorithm 2's inference network; the averages stay."""
        population = self.population()
        kept = {layer: layer.statistics for layer in population}
        for layer, (mean, variance) in population.items():
            layer.statistics = {"moving_mean": mean, "moving_variance": variance}
        result = self.evaluation()
        for layer, statistics in kept.items():
            layer.statistics = statistics
        return result
