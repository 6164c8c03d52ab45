"""A small dense network with batch normalization by NumPy, at weights given as one vector."""

import numpy as np

EPSILON = 1e-5


class Dense:
    """Two hidden layers, `sigmoid(gamma * (x W - mean) / sqrt(variance + e) + beta)`, by NumPy."""

    def __init__(self, answer, mode):
        self.answer, self.mode = answer, mode
        self.images = self.flat(answer["images"])

    @staticmethod
    def flat(images):
        return images.reshape(len(images), -1) / 255.0

    def weights(self, point):
        return {path: point[start:stop] for path, _, start, stop in self.answer["layout"]}

    def statistics(self, weights):
        """(mean, variance) for each hidden layer; None where the mini-batch's are taken."""
        if self.mode == "batch":
            return [None, None]
        if self.mode == "frozen":
            moving = self.answer["variables"]
            return [
                tuple(
                    moving[f"model/hidden_{n}_normalization/moving_{what}"]
                    for what in ("mean", "variance")
                )
                for n in (1, 2)
            ]
        batches = [self.flat(images) for images in self.answer["population_images"]]
        seen = [self.forward(weights, batch, [None, None])[1] for batch in batches]
        return [
            tuple(np.mean([each[n][k] for each in seen], axis=0) for k in (0, 1)) for n in (0, 1)
        ]

    def forward(self, weights, x, statistics):
        """Class scores, what each layer would give Algorithm 2, and the activations' inputs."""
        seen, inputs = [], []
        for n, given in zip((1, 2), statistics, strict=True):
            w = weights[f"hidden_{n}/kernel"].reshape(x.shape[1], -1)
            u = x @ w
            m = len(u)
            seen.append((u.mean(axis=0), u.var(axis=0) * m / (m - 1)))
            mean, variance = (u.mean(axis=0), u.var(axis=0)) if given is None else given
            y = (u - mean) / np.sqrt(variance + EPSILON)
            name = f"hidden_{n}_normalization"
            inputs.append(y * weights[f"{name}/gamma"] + weights[f"{name}/beta"])
            x = 1 / (1 + np.exp(-inputs[-1]))
        scores = x @ weights["logits/kernel"].reshape(x.shape[1], -1) + weights["logits/bias"]
        return scores, seen, inputs

    def at(self, point):
        weights = self.weights(point)
        return self.forward(weights, self.images, self.statistics(weights))

    def loss(self, point):
        scores = self.at(point)[0]
        own = scores[np.arange(len(scores)), self.answer["labels"]]
        return (np.log(np.exp(scores).sum(axis=1)) - own).mean()

    def gradient(self, point, step=1e-5):
        shifts = step * np.eye(len(point))
        return np.array(
            [(self.loss(point + d) - self.loss(point - d)) / (2 * step) for d in shifts]
        )
