"""What the measurements are held against, as data. Ratios are of medians in one call."""

from collections.abc import Mapping
from dataclasses import dataclass

_MNIST = "mnist_network/with"
_INCEPTION = "inception_025_32/with"
_INCEPTION_PLAIN = "inception_025_32/without"
_WIDE = "inception_1_32/with"


@dataclass(frozen=True)
class Figure:
    """A measured quantity, or the ratio of two, and how much or how little it should be."""

    what: str
    quantity: str
    over: str | None = None
    at_least: float | None = None
    at_most: float | None = None
    unit: str = ""

    def measure(self, facts: Mapping[str, float]) -> float | None:
        """The measured value; None where something that it needs was not measured."""
        needed = [self.quantity] if self.over is None else [self.quantity, self.over]
        if any(name not in facts for name in needed):
            return None
        value = facts[self.quantity]
        return value if self.over is None else value / facts[self.over]

    def is_reached(self, value: float) -> bool:
        """Whether a measured value is as it should be."""
        return (self.at_least is None or value >= self.at_least) and (
            self.at_most is None or value <= self.at_most
        )


def _shares(name: str, words: str, with_passes: float) -> tuple[Figure, ...]:
    """Time over training time, of one run on one thread."""
    return (
        Figure(
            f"time beside training and passes over whole splits / training time, {words}",
            f"beside/{name}",
            at_most=0.03,
        ),
        Figure(
            f"all other time of a run / its training time, {words}",
            f"other_time/{name}",
            at_most=with_passes,
        ),
    )


def _starts(name: str, words: str, at_most: float) -> tuple[Figure, ...]:
    """From the command to the first step, and what is compiled up to then."""
    figures = []
    for backend, title in (("tensorflow", "TensorFlow"), ("jax", "JAX")):
        what = f"{words}, {title}"
        figures += [
            Figure(
                f"from the command to the first training step, {what}",
                f"first_step/{name}/{backend}",
                at_most=at_most,
                unit="s",
            ),
            Figure(f"of it compiling, {what}", f"compile_again/{name}/{backend}", unit="s"),
        ]
    return (
        *figures,
        Figure(f"{words}, JAX: compiling for the first time", f"compile/{name}/jax", unit="s"),
        Figure(f"{words}, JAX: programs compiled for the first seed", f"programs/{name}"),
        Figure(f"{words}, JAX: for the second", f"programs_again/{name}", at_most=0),
    )


def _memory(backend: str) -> tuple[Figure, ...]:
    what = f"peak memory of a CIFAR-10 run, {backend}"
    return (
        Figure(what, f"memory/cifar10/{backend}", at_most=1.2, unit="GB"),
        Figure(
            f"{what}, without compiled programs at hand",
            f"memory_compiling/cifar10/{backend}",
            unit="GB",
        ),
    )


ON_TWO_CORES = (
    Figure(
        "MNIST network with batch normalization: engine / Keras `fit`",
        f"{_MNIST}/tensorflow/engine",
        f"{_MNIST}/tensorflow/keras_fit",
        at_least=4.0,
    ),
    Figure(
        "MNIST network: engine / Keras `fit`, steps_per_execution=50",
        f"{_MNIST}/tensorflow/engine",
        f"{_MNIST}/tensorflow/keras_fit_50",
        at_least=2.0,
    ),
    Figure(
        "MNIST network: engine / PyTorch eager",
        f"{_MNIST}/tensorflow/engine",
        f"{_MNIST}/torch/torch_eager",
        at_least=2.5,
    ),
    Figure(
        "MNIST network: engine / bare compiled loop",
        f"{_MNIST}/tensorflow/engine",
        f"{_MNIST}/tensorflow/keras_loop",
        at_least=0.95,
    ),
    Figure(
        "MNIST network: the engine's share of the matrix-product peak",
        f"{_MNIST}/tensorflow/engine/share_of_peak",
        at_least=0.75,
    ),
    Figure(
        "small Inception, width 0.25, batch 32: engine / Keras `fit`",
        f"{_INCEPTION}/tensorflow/engine",
        f"{_INCEPTION}/tensorflow/keras_fit",
        at_least=1.15,
    ),
    Figure(
        "small Inception: engine / PyTorch eager, channels last",
        f"{_INCEPTION}/tensorflow/engine",
        f"{_INCEPTION}/torch/torch_eager",
        at_least=1.1,
    ),
    Figure(
        "small Inception: engine / bare loop over Keras's layers",
        f"{_INCEPTION}/tensorflow/engine",
        f"{_INCEPTION}/tensorflow/keras_loop",
        at_least=1.0,
    ),
    Figure(
        "small Inception: time per step with batch normalization / without",
        f"{_INCEPTION_PLAIN}/tensorflow/engine",
        f"{_INCEPTION}/tensorflow/engine",
        at_most=1.35,
    ),
    Figure(
        "small Inception: the same over Keras's layer (for comparison)",
        f"{_INCEPTION_PLAIN}/tensorflow/keras_loop",
        f"{_INCEPTION}/tensorflow/keras_loop",
    ),
    Figure(
        "MNIST network: 64 examples a batch / 65, steps/s",
        "mnist_network_64/with/tensorflow/engine",
        "mnist_network_65/with/tensorflow/engine",
    ),
    Figure(
        "small Inception: 64 examples a batch / 65, steps/s",
        "inception_025_64/with/tensorflow/engine",
        "inception_025_65/with/tensorflow/engine",
    ),
    Figure(
        "MNIST network, JAX: 16 seeds as one program / one run, steps/s",
        f"{_MNIST}/jax/group_16",
        f"{_MNIST}/jax/engine",
        at_least=1.3,
    ),
    *_shares("figure_1", "figure 1", with_passes=0.19),
    *_shares("scale_cpu", "scale=cpu", with_passes=0.18),
    Figure(
        "images/s: a sweep on 2 workers of one thread / one process of two threads",
        "sweep/two_workers",
        "sweep/one_process",
        at_least=1.3,
    ),
    *_starts("mnist_network", "MNIST network", at_most=5),
    *_starts("inception", "small Inception", at_most=9),
    *_memory("tensorflow"),
    *_memory("jax"),
    Figure(
        "building the small Inception under JAX / the same where Keras draws weights first",
        "building/plain",
        "building/drawn",
        at_most=1 / 3,
    ),
    Figure("`bnrepro --help`", "command/help", at_most=0.4, unit="s"),
    Figure("`bnrepro table` over 500 records", "command/table", at_most=2, unit="s"),
)

ON_ONE_GPU = (
    Figure(
        "MNIST network with batch normalization, JAX: engine / Keras `fit`",
        f"{_MNIST}/jax/engine",
        f"{_MNIST}/jax/keras_fit",
        at_least=5,
    ),
    Figure(
        "MNIST network: JAX engine / PyTorch eager",
        f"{_MNIST}/jax/engine",
        f"{_MNIST}/torch/torch_eager",
        at_least=5,
    ),
    Figure(
        "small Inception, width 1, batch 32, JAX: engine / Keras `fit`",
        f"{_WIDE}/jax/engine",
        f"{_WIDE}/jax/keras_fit",
        at_least=3,
    ),
    Figure(
        "small Inception, width 1, batch 32: JAX engine / PyTorch eager",
        f"{_WIDE}/jax/engine",
        f"{_WIDE}/torch/torch_eager",
        at_least=2,
    ),
    Figure(
        "small Inception, width 1, batch 32: JAX engine / `torch.compile`",
        f"{_WIDE}/jax/engine",
        f"{_WIDE}/torch/torch_compile",
        at_least=1.2,
    ),
    Figure(
        "MNIST network: 16 seeds as one program / one run, steps/s",
        f"{_MNIST}/jax/group_16",
        f"{_MNIST}/jax/engine",
        at_least=8,
    ),
    Figure(
        "small Inception, width 0.25, batch 32: 16 seeds as one program / one run, steps/s",
        f"{_INCEPTION}/jax/group_16",
        f"{_INCEPTION}/jax/engine",
        at_least=3,
    ),
    Figure(
        "an evaluation of scale=gpu with all that is watched",
        "evaluation/scale_gpu",
        at_most=0.15,
        unit="s",
    ),
    *(
        Figure(
            f"small Inception, width 1, batch 32: {count} runs at once / one, steps/s",
            f"shared/{count}",
            "shared/1",
        )
        for count in (2, 4, 8)
    ),
    # The more examples a device has in a batch, the less it waits for the others.
    Figure(
        "small Inception, width 1, batch 128: each batch over all devices / one device, steps/s",
        "inception_1_128/with/jax/engine_all",
        "inception_1_128/with/jax/engine",
    ),
)
