"""The networks of `bnrepro.models` with their backward pass, in NumPy, float64, by the formulas.

Weights and statistics are arrays by the paths that Keras gives them ("hidden_1/kernel").
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view


class Layer:
    """`forward` remembers what `backward` needs; gradients of the last batch stay in it."""

    def __init__(self, name=""):
        self.name = name
        self.weights, self.statistics, self.gradients = {}, {}, {}

    def forward(self, x, training):
        raise NotImplementedError

    def backward(self, dy):
        raise NotImplementedError


class Flatten(Layer):
    def forward(self, x, training):
        self.shape = x.shape
        return x.reshape(len(x), -1)

    def backward(self, dy):
        return dy.reshape(self.shape)


class Dense(Layer):
    def forward(self, x, training):
        self.x = x
        return x @ self.weights["kernel"] + self.weights.get("bias", 0)

    def backward(self, dy):
        self.gradients = {"kernel": self.x.T @ dy, "bias": dy.sum(0)}
        return dy @ self.weights["kernel"].T


class WeightNormalized(Layer):
    """Weights `gain * v / |v|` for another layer: v is `kernel` (arXiv 1602.07868, equation 3)."""

    def __init__(self, plain):
        super().__init__(plain.name)
        self.plain = plain

    def forward(self, x, training):
        v = self.weights["kernel"]
        self.axes = tuple(range(v.ndim - 1))
        self.norm = np.sqrt((v**2).sum(self.axes))
        kernel = self.weights["gain"] * v / self.norm
        self.plain.weights = {**self.weights, "kernel": kernel}
        return self.plain.forward(x, training)

    def backward(self, dy):
        dx = self.plain.backward(dy)
        v, gain, by_kernel = self.weights["kernel"], self.weights["gain"], self.plain.gradients
        by_gain = (by_kernel["kernel"] * v).sum(self.axes) / self.norm
        by_v = gain / self.norm * by_kernel["kernel"] - gain * by_gain / self.norm**2 * v
        self.gradients = {**by_kernel, "kernel": by_v, "gain": by_gain}
        return dx


class WeightStandardized(Layer):
    """Weights `gain (W - mean) / (deviation sqrt(n))` for another layer (arXiv 2101.08692)."""

    def __init__(self, plain, activation):
        super().__init__(plain.name)
        self.plain = plain
        z = np.linspace(-12, 12, 200_001)
        function, _ = Activation.FUNCTIONS[activation]
        density, values = np.exp(-(z**2) / 2), function(z)
        density /= density.sum()
        self.gain = 1 / np.sqrt((density * values**2).sum() - (density * values).sum() ** 2)

    def forward(self, x, training):
        kernel = self.weights["kernel"]
        self.axes, self.count = tuple(range(kernel.ndim - 1)), kernel[..., 0].size
        self.deviation = kernel.std(self.axes)
        self.standard = (kernel - kernel.mean(self.axes)) / self.deviation
        scaled = self.gain * self.standard / np.sqrt(self.count)
        self.plain.weights = {**self.weights, "kernel": scaled}
        return self.plain.forward(x, training)

    def backward(self, dy):
        dx = self.plain.backward(dy)
        upstream = self.plain.gradients["kernel"] * self.gain / np.sqrt(self.count)
        along = self.standard * (upstream * self.standard).mean(self.axes)
        by_kernel = (upstream - upstream.mean(self.axes) - along) / self.deviation
        self.gradients = {**self.plain.gradients, "kernel": by_kernel}
        return dx


class SpectrallyNormalized(Layer):
    """Weights `W / s` for another layer, u being one power iteration further in each step.

    arXiv 1802.05957, equations 8 and 12.
    """

    def __init__(self, plain):
        super().__init__(plain.name)
        self.plain = plain

    def forward(self, x, training):
        kernel = self.weights["kernel"]
        matrix = kernel.reshape(-1, kernel.shape[-1])
        if training:
            u = matrix.T @ (matrix @ self.statistics["singular_vector"])
            self.statistics = {"singular_vector": u / np.linalg.norm(u)}
        self.u = self.statistics["singular_vector"]
        v = matrix @ self.u
        self.v = v / np.linalg.norm(v)
        self.s = self.v @ matrix @ self.u
        self.plain.weights = {**self.weights, "kernel": kernel / self.s}
        return self.plain.forward(x, training)

    def backward(self, dy):
        dx = self.plain.backward(dy)
        upstream, unit = self.plain.gradients["kernel"], self.plain.weights["kernel"]
        outer = np.outer(self.v, self.u).reshape(unit.shape)
        by_kernel = (upstream - (upstream * unit).sum() * outer) / self.s
        self.gradients = {**self.plain.gradients, "kernel": by_kernel}
        return dx


class Convolution(Layer):
    """Stride 1, an odd window, zeros around the image."""

    def forward(self, x, training):
        self.patches = patches(x, len(self.weights["kernel"]))
        product = np.einsum("bhwcij,ijco->bhwo", self.patches, self.weights["kernel"])
        return product + self.weights.get("bias", 0)

    def backward(self, dy):
        kernel = self.weights["kernel"]
        self.gradients = {
            "kernel": np.einsum("bhwcij,bhwo->ijco", self.patches, dy),
            "bias": dy.sum((0, 1, 2)),
        }
        around = patches(dy, len(kernel))
        return np.einsum("bhwoij,ijco->bhwc", around, kernel[::-1, ::-1])


def patches(x, size):
    """The window around every place, (batch, height, width, channels, size, size)."""
    margin = (size // 2, size // 2)
    return sliding_window_view(np.pad(x, ((0, 0), margin, margin, (0, 0))), (size, size), (1, 2))


class MaxPool(Layer):
    """The largest of every 2 x 2 places; of equal ones the first, row by row, has the gradient.

    A map of one place stays as it is.
    """

    def forward(self, x, training):
        batch, height, width, maps = x.shape
        self.alone = height == width == 1
        if self.alone:
            return x
        windows = x.reshape(batch, height // 2, 2, width // 2, 2, maps)
        four = windows.transpose(0, 1, 3, 5, 2, 4).reshape(batch, height // 2, width // 2, maps, 4)
        self.chosen = np.eye(4)[four.argmax(-1)]
        return four.max(-1)

    def backward(self, dy):
        if self.alone:
            return dy
        batch, rows, columns, maps = dy.shape
        four = (self.chosen * dy[..., None]).reshape(batch, rows, columns, maps, 2, 2)
        return four.transpose(0, 1, 4, 2, 5, 3).reshape(batch, 2 * rows, 2 * columns, maps)


class AveragePool(Layer):
    """The average of each feature map."""

    def forward(self, x, training):
        self.shape = x.shape
        return x.mean((1, 2))

    def backward(self, dy):
        _, height, width, _ = self.shape
        return np.broadcast_to(dy[:, None, None] / (height * width), self.shape)


class Activation(Layer):
    """An activation by its value and, from the value, its slope."""

    FUNCTIONS = {
        "sigmoid": (lambda x: 1 / (1 + np.exp(-x)), lambda y: y * (1 - y)),
        "relu": (lambda x: np.maximum(x, 0), lambda y: y > 0),
        "tanh": (np.tanh, lambda y: 1 - y**2),
        "softsign": (lambda x: x / (1 + np.abs(x)), lambda y: (1 - np.abs(y)) ** 2),
        "linear": (np.array, np.ones_like),
    }

    def forward(self, x, training):
        function, _ = self.FUNCTIONS[self.name]
        self.y = function(x)
        return self.y

    def backward(self, dy):
        _, slope = self.FUNCTIONS[self.name]
        return dy * slope(self.y)


class Dropout(Layer):
    """Training: each value times `mask / (1 - rate)`, a mask of zeros and ones; else nothing."""

    def __init__(self, rate, mask):
        super().__init__()
        self.factors = mask / (1 - rate)

    def forward(self, x, training):
        return x * self.factors if training else x

    def backward(self, dy):
        return dy * self.factors


class Normalization(Layer):
    """`gamma * x_hat + beta`; what x_hat is, the kinds below say."""

    def __init__(self, name, epsilon):
        super().__init__(name)
        self.epsilon = epsilon

    def forward(self, x, training):
        self.x = x
        self.x_hat = self.standardized(x) if training else self.inferred(x)
        return self.weights["gamma"] * self.x_hat + self.weights["beta"]

    def backward(self, dy):
        examples = tuple(range(dy.ndim - self.weights["beta"].ndim))
        self.gradients = {"gamma": (dy * self.x_hat).sum(examples), "beta": dy.sum(examples)}
        return self.standardized_backward(dy * self.weights["gamma"])

    def standardize(self, x, axes):
        """Mean 0 and variance 1 over `axes`, with the mini-batch's biased variance."""
        self.axes, self.mean = axes, x.mean(axes, keepdims=True)
        self.variance = ((x - self.mean) ** 2).mean(axes, keepdims=True)
        return (x - self.mean) / np.sqrt(self.variance + self.epsilon)

    def standardize_backward(self, dx_hat, x_hat):
        """Section 3's equations for x, put together."""
        mean, product = (
            values.mean(self.axes, keepdims=True) for values in (dx_hat, dx_hat * x_hat)
        )
        return (dx_hat - mean - x_hat * product) / np.sqrt(self.variance + self.epsilon)


class BatchNormalization(Normalization):
    """Algorithm 1, over all axes but the last; inference with moving averages."""

    def __init__(self, name, epsilon, momentum):
        super().__init__(name, epsilon)
        self.momentum = momentum

    def standardized(self, x):
        x_hat = self.standardize(x, tuple(range(x.ndim - 1)))
        batch = {"moving_mean": self.mean.ravel(), "moving_variance": self.variance.ravel()}
        self.statistics = {
            name: self.momentum * old + (1 - self.momentum) * batch[name]
            for name, old in self.statistics.items()
        }
        return x_hat

    def standardized_backward(self, dx_hat):
        return self.standardize_backward(dx_hat, self.x_hat)

    def inferred(self, x):
        variance = self.statistics["moving_variance"] + self.epsilon
        return (x - self.statistics["moving_mean"]) / np.sqrt(variance)

    def population_terms(self):
        """(mean, m/(m-1) variance) of the last mini-batch: one term of Algorithm 2's averages."""
        m = self.x.size / self.x.shape[-1]
        return self.mean.ravel(), m / (m - 1) * self.variance.ravel()


class MeanOnlyNormalization(Layer):
    """`x - mean + beta`, over all axes but the last (arXiv 1602.07868, section 2.3)."""

    def __init__(self, name, momentum):
        super().__init__(name)
        self.momentum = momentum

    def forward(self, x, training):
        self.x, self.axes = x, tuple(range(x.ndim - 1))
        self.mean = x.mean(self.axes)
        if not training:
            return x - self.statistics["moving_mean"] + self.weights["beta"]
        moved = self.momentum * self.statistics["moving_mean"] + (1 - self.momentum) * self.mean
        self.statistics = {**self.statistics, "moving_mean": moved}
        return x - self.mean + self.weights["beta"]

    def backward(self, dy):
        self.gradients = {"beta": dy.sum(self.axes)}
        return dy - dy.mean(self.axes)

    def population_terms(self):
        m = self.x.size / self.x.shape[-1]
        return self.mean, m / (m - 1) * self.x.var(self.axes)


class LpNormalization(Normalization):
    """By the mean and the average l_p norm, over all axes but the last (arXiv 1805.11604, 3.3)."""

    def __init__(self, name, epsilon, momentum, norm):
        super().__init__(name, epsilon)
        self.momentum, self.norm = momentum, norm

    def standardized(self, x):
        self.axes, sizes = tuple(range(x.ndim - 1)), np.abs(x)
        self.mean = x.mean(self.axes)
        self.size = {
            "l1": lambda: sizes.mean(self.axes),
            "l2": lambda: np.sqrt((x**2).mean(self.axes)),
            "linf": lambda: sizes.max(self.axes),
        }[self.norm]()
        batch = {"moving_mean": self.mean, "moving_norm": self.size}
        self.statistics = {
            name: self.momentum * old + (1 - self.momentum) * batch[name]
            for name, old in self.statistics.items()
        }
        return (x - self.mean) / np.sqrt(self.size**2 + self.epsilon)

    def standardized_backward(self, dx_hat):
        count, largest = self.x.size / self.x.shape[-1], np.abs(self.x) == self.size
        slope = {
            "l1": lambda: np.sign(self.x) / count,
            "l2": lambda: self.x / (count * self.size),
            # Where several values are the largest, each has its share.
            "linf": lambda: np.sign(self.x) * largest / largest.sum(self.axes),
        }[self.norm]()
        root = np.sqrt(self.size**2 + self.epsilon)
        through_size = (dx_hat * self.x_hat).sum(self.axes) * self.size / root**2
        return (dx_hat - dx_hat.mean(self.axes)) / root - through_size * slope

    def inferred(self, x):
        size = np.sqrt(self.statistics["moving_norm"] ** 2 + self.epsilon)
        return (x - self.statistics["moving_mean"]) / size


class BatchRenormalization(Normalization):
    """Algorithm 1 of https://arxiv.org/abs/1702.03275, over all axes but the last."""

    def __init__(self, name, epsilon, train_steps):
        super().__init__(name, epsilon)
        self.train_steps = train_steps

    def standardized(self, x):
        self.plain = self.standardize(x, tuple(range(x.ndim - 1)))
        mean, sigma = self.mean.ravel(), np.sqrt(self.variance + self.epsilon).ravel()
        step = int(self.statistics["step"])
        old_mean, old_sigma = self.statistics["moving_mean"], self.statistics["moving_sigma"]
        r_max, d_max = self.limits(160_000 * step / self.train_steps)
        self.r = np.clip(sigma / old_sigma, 1 / r_max, r_max)
        d = np.clip((mean - old_mean) / old_sigma, -d_max, d_max)
        share = max(0.01, 1 / (step + 1))
        self.statistics = {
            "moving_mean": (1 - share) * old_mean + share * mean,
            "moving_sigma": (1 - share) * old_sigma + share * sigma,
            "step": step + 1,
        }
        return self.plain * self.r + d

    def standardized_backward(self, dx_hat):
        return self.standardize_backward(dx_hat * self.r, self.plain)

    def inferred(self, x):
        return (x - self.statistics["moving_mean"]) / self.statistics["moving_sigma"]

    @staticmethod
    def limits(step):
        """(r_max, d_max) of its section 4.2, at a step of its own runs."""
        return np.interp(step, [5_000, 40_000], [1, 3]), np.interp(step, [5_000, 25_000], [0, 5])


class GroupNormalization(Normalization):
    """Over the places and the feature maps of a group of each example (arXiv 1803.08494)."""

    def __init__(self, name, epsilon, num_groups):
        super().__init__(name, epsilon)
        self.num_groups = num_groups

    def grouped(self, x):
        return x.reshape(len(x), -1, self.num_groups, x.shape[-1] // self.num_groups)

    def standardized(self, x):
        return self.standardize(self.grouped(x), (1, 3)).reshape(x.shape)

    inferred = standardized

    def standardized_backward(self, dx_hat):
        grouped = self.standardize_backward(self.grouped(dx_hat), self.grouped(self.x_hat))
        return grouped.reshape(dx_hat.shape)


class RootMeanSquareNormalization(Layer):
    """`gamma * x / sqrt(mean(x**2) + epsilon)` over the units (https://arxiv.org/abs/1910.07467)."""

    def __init__(self, name, epsilon):
        super().__init__(name)
        self.epsilon = epsilon

    def forward(self, x, training):
        self.root = np.sqrt((x**2).mean(-1, keepdims=True) + self.epsilon)
        self.x_hat = x / self.root
        return self.weights["gamma"] * self.x_hat

    def backward(self, dy):
        self.gradients = {"gamma": (dy * self.x_hat).sum(tuple(range(dy.ndim - 1)))}
        dx_hat = dy * self.weights["gamma"]
        along = (dx_hat * self.x_hat).mean(-1, keepdims=True)
        return (dx_hat - self.x_hat * along) / self.root


class Network:
    """Layers in order, the last one giving class scores."""

    def __init__(self, layers):
        self.layers = layers

    def forward(self, x, training):
        """Class scores, (batch, classes)."""
        for layer in self.layers:
            x = layer.forward(x, training)
        return x

    def backward(self, dy):
        """Gradients by path, from the gradient by the class scores."""
        for layer in reversed(self.layers):
            dy = layer.backward(dy)
        return {path: layer.gradients[name] for path, layer, name in self.places("weights")}

    def places(self, kind):
        """(path, layer, name) of every array in the layers' `kind`, weights or statistics."""
        for layer in self.layers:
            for name in getattr(layer, kind):
                yield f"{layer.name}/{name}", layer, name

    def values(self, kind):
        """The arrays of that kind by path."""
        return {path: getattr(layer, kind)[name] for path, layer, name in self.places(kind)}

    def load(self, variables):
        """Take weights and statistics from variables by path; what is no layer's is left out."""
        layers = {layer.name: layer for layer in self.layers}
        for path, value in variables.items():
            owner, _, name = path.rpartition("/")
            if owner in layers:
                learned = name in ("kernel", "bias", "gain", "factor", "gamma", "beta")
                kind = layers[owner].weights if learned else layers[owner].statistics
                kind[name] = np.array(value, float)


def build(config):
    """The network that `config` describes, its layers without weights yet."""
    if config.model.name == "lstm":
        from numpy_lstm import Lstm  # which is made of these layers

        return Lstm(config, config.data.image_size)
    hidden = [f"hidden_{number}" for number in range(1, config.model.hidden_layers + 1)]
    layers = {
        "mlp": lambda: [Flatten()],
        "cnn": lambda: [
            *unit(config, Convolution("convolution_1"), 32),
            *unit(config, Convolution("convolution_2"), 32),
            MaxPool(),
            *unit(config, Convolution("convolution_3"), 64),
            *unit(config, Convolution("convolution_4"), 64),
            MaxPool(),
            *unit(config, Convolution("convolution_5"), 128),
            AveragePool(),
        ],
        "vgg_a": lambda: [*vgg_a(config), Flatten()],
    }[config.model.name]()
    size = {"mlp": 100, "cnn": 128, "vgg_a": 512}[config.model.name]
    for name in hidden:
        layers += unit(config, Dense(name), size)
    return Network([*layers, Dense("logits")])


def vgg_a(config):
    """Configuration A of the table of arXiv 1409.1556: M is a pool."""
    number, layers = 0, []
    for column in ["64", "M", "128", "M", "256", "256", "M", "512", "512", "M", "512", "512", "M"]:
        if column == "M":
            layers.append(MaxPool())
        else:
            number += 1
            layers += unit(config, Convolution(f"convolution_{number}"), int(column))
    return layers


REPARAMETRIZATIONS = {
    None: lambda plain: plain,
    "weight": WeightNormalized,
    "weight_from_data": WeightNormalized,
    "spectral": SpectrallyNormalized,
}


def unit(config, weights, size):
    """Weights, normalization and activation in the order that the config asks for."""
    # Of one's own, `module:name@digest`, it is the name that says which.
    activation = Activation(config.activation.partition("@")[0].rpartition(":")[2])
    if config.reparametrization == "scaled_weight_standardization":
        weights = WeightStandardized(weights, activation.name)
    else:
        weights = REPARAMETRIZATIONS[config.reparametrization](weights)
    if config.placement == "none":
        return [weights, activation]
    normalization = normalization_of(config, f"{weights.name}_normalization", size)
    if config.placement == "before":
        return [weights, normalization, activation]
    return [weights, activation, normalization]


def normalization_of(config, name, size):
    epsilon = config.batch_normalization.epsilon
    maps = round(size * config.model.width)
    if config.normalization == "batch":
        return BatchNormalization(name, epsilon, config.batch_normalization.momentum)
    if config.normalization == "mean_only":
        return MeanOnlyNormalization(name, config.batch_normalization.momentum)
    if config.normalization.endswith("_norm"):
        norm = config.normalization.removesuffix("_norm")
        return LpNormalization(name, epsilon, config.batch_normalization.momentum, norm)
    if config.normalization == "batch_renorm":
        return BatchRenormalization(name, epsilon, config.train_steps)
    if ":RMSNorm" in config.normalization:
        return RootMeanSquareNormalization(name, epsilon)
    if config.normalization == "layer":
        return GroupNormalization(name, epsilon, 1)
    if config.normalization == "instance":
        return GroupNormalization(name, epsilon, maps)
    return GroupNormalization(name, epsilon, maps // config.group_size)
