"""What a run is: typed and frozen, with every rule that ties two fields together.

The values stand in `conf/*.yaml`; here stand their types, the closed sets of names, the checks,
and the seven changes of the paper's section 4.2.1 as transformations of a recipe. Every duration
is in steps, one step being one update of the weights.
"""

import dataclasses
import difflib
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

DATA = ("digits", "mnist", "fashion_mnist", "cifar10", "image_folder")
MODELS = ("mlp", "cnn", "inception")
PLACEMENTS = ("before", "after", "none")
NORMALIZATIONS = ("batch", "batch_renorm", "layer", "group", "instance")
ACTIVATIONS = ("relu", "sigmoid", "tanh", "elu", "gelu", "linear")
OPTIMIZERS = ("sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam")
SCHEDULES = ("constant", "exponential", "inverse_time", "step", "cosine")
INITIALIZERS = ("gaussian", "uniform", "glorot", "he", "orthogonal")
STATISTICS = ("per_feature_map", "per_activation", "per_activation_last")
INFERENCES = ("moving_average", "population")
SPLITS = ("test", "tuning")
SHUFFLES = ("shards", "within_shards")
BACKENDS = ("tensorflow", "jax")
PRECISIONS = ("float32", "mixed_bfloat16", "float64")
# Section 4.2.1 lists seven changes; the seventh is the learning-rate multiplier.
ACCELERATIONS = ("dropout", "l2", "decay", "lrn", "shuffle", "distortion")

# The folders of `conf/` from which a run takes a file each, in the order of composition.
GROUPS = ("data", "optimizer", "schedule", "initializer", "model", "bn", "scale", "experiment")
# The keys whose values are names, with those names; `accelerate` takes a list of them.
CHOICES: dict[str, tuple[str, ...]] = {
    "data.name": DATA,
    "data.evaluation_split": SPLITS,
    "model.name": MODELS,
    "optimizer.name": OPTIMIZERS,
    "schedule.name": SCHEDULES,
    "initializer.name": INITIALIZERS,
    "placement": PLACEMENTS,
    "normalization": NORMALIZATIONS,
    "activation": ACTIVATIONS,
    "shuffle": SHUFFLES,
    "accelerate": ACCELERATIONS,
    "precision": PRECISIONS,
    "backend": BACKENDS,
    "batch_normalization.statistics": STATISTICS,
    "batch_normalization.inference": INFERENCES,
}


class ConfigError(ValueError):
    """Bad input: what was received, what was expected, and the remedy, in one line."""


@dataclass(frozen=True)
class DataConfig:
    """Which images a run trains on and is scored on."""

    name: str
    root: str | None
    binary: bool
    image_size: int
    evaluation_split: str
    flip: bool
    crop_padding: int


@dataclass(frozen=True)
class ModelConfig:
    """The network; `width` multiplies the number of units or feature maps of hidden layers."""

    name: str
    width: float
    hidden_layers: int


@dataclass(frozen=True)
class OptimizerConfig:
    """The update rule; what a rule does not use is ignored by it."""

    name: str
    momentum: float
    rho: float
    beta_1: float
    beta_2: float
    epsilon: float


@dataclass(frozen=True)
class ScheduleConfig:
    """How the learning rate falls: `decay_rate` per `decay_steps`."""

    name: str
    decay_steps: float
    decay_rate: float


@dataclass(frozen=True)
class InitializerConfig:
    """Distribution of the initial weights; `scale` is a standard deviation or a half-width."""

    name: str
    scale: float
    convolution_gain: float


@dataclass(frozen=True)
class BatchNormalizationConfig:
    """Options of batch normalization; `momentum` weighs the OLD average, as in Keras."""

    momentum: float
    epsilon: float
    gamma: bool
    beta: bool
    statistics: str
    inference: str
    population_batches: int


@dataclass(frozen=True)
class PercentilesConfig:
    """Whether and how the inputs of the last hidden activation are watched (figure 1b, 1c)."""

    every: int
    num_examples: int


@dataclass(frozen=True)
class RunConfig:
    """One training, whole. Built only by `composition.compose` and checked by `validate`."""

    seed: int
    train_steps: int
    batch_size: int | str
    learning_rate: float
    learning_rate_multiplier: float
    placement: str
    normalization: str | None
    group_size: int
    activation: str
    input_normalization: bool
    dropout: float
    l2: float
    lrn: bool
    shuffle: str
    distortion: float
    accelerate: list[str]
    evaluate_every: int
    evaluate_every_early: int
    early_steps: int
    checkpoint_every: int
    save_predictions: bool
    tensorboard: bool
    precision: str
    backend: str
    threads: int
    replicas: int
    results_dir: str
    force: bool
    data: DataConfig
    model: ModelConfig
    optimizer: OptimizerConfig
    schedule: ScheduleConfig
    initializer: InitializerConfig
    batch_normalization: BatchNormalizationConfig
    percentiles: PercentilesConfig

    @property
    def peak_learning_rate(self) -> float:
        """The base rate times the multiplier: the rate of step 0."""
        return self.learning_rate * self.learning_rate_multiplier

    def accelerated(self) -> "RunConfig":
        """The recipe that trains: this one after the changes named in `accelerate`.

        Paper: section 4.2.1. Where the paper gives no number the change is marked as ours.
        """
        changes: dict[str, Any] = {}
        if "dropout" in self.accelerate:
            changes["dropout"] = 0.0
        if "l2" in self.accelerate:
            changes["l2"] = self.l2 / 5
        if "decay" in self.accelerate:
            changes["schedule"] = replace(self.schedule, decay_steps=self.schedule.decay_steps / 6)
        if "lrn" in self.accelerate:
            changes["lrn"] = False
        if "shuffle" in self.accelerate:
            changes["shuffle"] = "within_shards"
        if "distortion" in self.accelerate:
            # Paper: "reduce the photometric distortions", without a number. Ours: a quarter.
            changes["distortion"] = self.distortion / 4
        return replace(self, **changes)

    def resolved(self) -> "RunConfig":
        """The same run in one spelling.

        Normalization exists unless `placement` is `none`, and is batch normalization unless said;
        the changes of section 4.2.1 have no order.
        """
        given = self.normalization is not None or self.placement == "none"
        return replace(
            self,
            normalization=self.normalization if given else "batch",
            accelerate=sorted(self.accelerate),
        )

    def next_evaluation(self, step: int) -> int:
        """The first step after `step` at which the curve has a row (step 0 has one too)."""
        early = (step // self.evaluate_every_early + 1) * self.evaluate_every_early
        if early <= self.early_steps:
            return min(early, self.train_steps)
        later = (max(step, self.early_steps) // self.evaluate_every + 1) * self.evaluate_every
        return min(later, self.train_steps)


# Keys that say where or how to run, not what is computed: two runs that differ only in them share
# a directory (but for the seed, which is a directory of its own).
NOT_IDENTITY = (
    "seed",
    "results_dir",
    "force",
    "data.root",
    "checkpoint_every",
    "replicas",
    "threads",
)


def to_flat(config: RunConfig) -> dict[str, Any]:
    """The config as `{"model.width": 1.0, ...}`, in the order of the fields."""
    flat: dict[str, Any] = {}
    for key, value in dataclasses.asdict(config).items():
        if isinstance(value, dict):
            flat.update({f"{key}.{inner}": item for inner, item in value.items()})
        else:
            flat[key] = value
    return flat


def with_values(config: RunConfig, values: dict[str, Any]) -> RunConfig:
    """The config with some of its flat keys set."""
    changes: dict[str, Any] = {}
    for key, value in values.items():
        outer, _, inner = key.partition(".")
        if inner:
            changes[outer] = replace(changes.get(outer, getattr(config, outer)), **{inner: value})
        else:
            changes[key] = value
    return replace(config, **changes)


def identity(config: RunConfig) -> dict[str, Any]:
    """The flat config without the keys that do not change what is computed."""
    return {key: value for key, value in to_flat(config).items() if key not in NOT_IDENTITY}


def validate(config: RunConfig) -> None:
    """Refuse what the types let pass.

    Raises:
        ConfigError: with what was received, what was expected, and the remedy.
    """
    _check_names(config)
    _check_numbers(config)
    _check_normalization(config)
    _check_model(config)


def one_of(key: str, received: Any, choices: Sequence[str]) -> None:
    """Refuse a name that is not among `choices`.

    Raises:
        ConfigError: with the choices, and the nearest.
    """
    if received not in choices:
        near = did_you_mean(received, choices)
        raise ConfigError(f"{key}={received}: expected one of {', '.join(choices)}{near}")


def did_you_mean(received: Any, choices: Sequence[str]) -> str:
    """`; did you mean 'x'?` for the nearest choice, or nothing."""
    near = difflib.get_close_matches(str(received), list(choices), n=1, cutoff=0.6)
    near = near or [choice for choice in choices if received and choice.startswith(str(received))]
    return f"; did you mean '{near[0]}'?" if near else ""


def _check_names(config: RunConfig) -> None:
    flat = to_flat(config)
    for key, choices in CHOICES.items():
        names = flat[key] if isinstance(flat[key], list) else [flat[key]]
        for name in names:
            if not (key == "normalization" and name is None):
                one_of(key, name, choices)
    if len(set(config.accelerate)) != len(config.accelerate):
        raise ConfigError(
            f"accelerate={config.accelerate}: expected each change once; leave the repeated one out"
        )


# key, lowest allowed, highest allowed, whether the lowest itself is allowed
_RANGES: tuple[tuple[str, float, float, bool], ...] = (
    ("seed", 0, 2**31 - 1, True),
    ("train_steps", 0, 10**9, True),
    ("learning_rate", 0, math.inf, False),
    ("learning_rate_multiplier", 0, math.inf, False),
    ("group_size", 1, 10**6, True),
    ("dropout", 0, 1, True),
    ("l2", 0, math.inf, True),
    ("distortion", 0, 1, True),
    ("evaluate_every", 1, 10**9, True),
    ("evaluate_every_early", 1, 10**9, True),
    ("early_steps", 0, 10**9, True),
    ("checkpoint_every", 1, 10**9, True),
    ("threads", 0, 4096, True),
    ("replicas", 1, 4096, True),
    ("data.image_size", 8, 4096, True),
    ("data.crop_padding", 0, 64, True),
    ("model.width", 0, 64, False),
    ("model.hidden_layers", 1, 1000, True),
    ("optimizer.momentum", 0, 1, True),
    ("optimizer.rho", 0, 1, True),
    ("optimizer.beta_1", 0, 1, True),
    ("optimizer.beta_2", 0, 1, True),
    ("optimizer.epsilon", 0, math.inf, False),
    ("schedule.decay_steps", 0, math.inf, False),
    ("schedule.decay_rate", 0, 1e9, False),
    ("initializer.scale", 0, math.inf, False),
    ("initializer.convolution_gain", 0, math.inf, False),
    ("batch_normalization.momentum", 0, 1, True),
    ("batch_normalization.epsilon", 0, math.inf, False),
    ("batch_normalization.population_batches", 1, 10**6, True),
    ("percentiles.every", 0, 10**9, True),
    ("percentiles.num_examples", 2, 10**6, True),
)
# Half-open on the right: a share of exactly 1 drops every unit, or never learns.
_BELOW_ONE = ("dropout", "optimizer.momentum", "optimizer.rho", "optimizer.beta_1",
              "optimizer.beta_2", "batch_normalization.momentum")  # fmt: skip


def _check_numbers(config: RunConfig) -> None:
    flat = to_flat(config)
    for key, low, high, low_allowed in _RANGES:
        value = flat[key]
        above = value >= low if low_allowed else value > low
        below = value < high if key in _BELOW_ONE or math.isinf(high) else value <= high
        if not (math.isfinite(value) and above and below):
            raise ConfigError(f"{key}={value}: expected {_range_in_words(key)}")
    if not math.isfinite(config.peak_learning_rate):
        raise ConfigError(
            f"learning_rate={config.learning_rate} times "
            f"learning_rate_multiplier={config.learning_rate_multiplier} is not finite; "
            "lower one of them"
        )
    size = config.batch_size
    if size != "all" and not (isinstance(size, int) and not isinstance(size, bool) and size >= 1):
        raise ConfigError(f"batch_size={size}: expected a whole number of at least 1, or 'all'")


def _range_in_words(key: str) -> str:
    """Which numbers a key takes: `a number above 0`, `a number from 0 to 1`."""
    low, high, low_allowed = next(row[1:] for row in _RANGES if row[0] == key)
    at_least = f"of at least {low:,}" if low_allowed else f"above {low:,}"
    if math.isinf(high):
        return f"a finite number {at_least}"
    if key in _BELOW_ONE:
        return f"a number {at_least} and below {high:,}"
    if low_allowed:
        return f"a number from {low:,} to {high:,}"
    return f"a number {at_least} and at most {high:,}"


def _check_normalization(config: RunConfig) -> None:
    if config.placement == "none":
        if config.normalization is not None:
            raise ConfigError(
                f"normalization={config.normalization} with placement=none: expected no "
                "normalization; set placement=before or placement=after, or leave "
                "normalization out"
            )
        return
    dense = config.model.name == "mlp"
    if config.normalization == "instance" and dense:
        raise ConfigError(
            "normalization=instance with model=mlp: one value per unit and example is always "
            "normalized to 0; use normalization=layer, or a convolutional model"
        )
    if dense and config.batch_size == 1 and config.normalization in ("batch", "batch_renorm"):
        raise ConfigError(
            f"batch_size=1 with normalization={config.normalization} and model=mlp: the variance "
            "of one value is 0, so that the network sees nothing; use batch_size=2 or more, or "
            "normalization=layer"
        )
    if config.batch_normalization.statistics != "per_feature_map" and config.batch_size == 1:
        raise ConfigError(
            "batch_size=1 with per-activation statistics: the variance of one value is 0; use "
            "batch_size=2 or more, or batch_normalization.statistics=per_feature_map"
        )


def _check_model(config: RunConfig) -> None:
    if config.data.binary and config.data.name not in ("mnist", "fashion_mnist", "digits"):
        raise ConfigError(
            f"data.binary=true with data={config.data.name}: expected grey images; use "
            "data=mnist, fashion_mnist or digits, or data.binary=false"
        )
    if config.data.name == "image_folder" and config.data.root is None:
        raise ConfigError(
            "data=image_folder without data.root: expected a folder with train/<class>/ and "
            "val/<class>/, or <class>/; add data.root=FOLDER"
        )
    if config.replicas > 1 and config.backend != "jax":
        raise ConfigError(
            f"replicas={config.replicas} with backend={config.backend}: replicas train as one "
            "program through jax.vmap; add backend=jax"
        )
