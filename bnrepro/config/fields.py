"""The config of a run, typed and frozen, and what makes two of them the same run.

The values stand in `conf/*.yaml`; here stand their types, and the seven changes of the paper's
section 4.2.1 as transformations of a recipe. Every duration is in steps, one step being one update
of the weights.
"""

import dataclasses
from dataclasses import MISSING, dataclass, field, replace
from typing import Any

from bnrepro.config.messages import ConfigError
from bnrepro.config.ranges import RANGE, Range, above, at_least, share_below_one

# In the metadata of a field that came later: the value that records without it mean.
ABSENT = "absent"


@dataclass(frozen=True)
class DataConfig:
    """Which images a run trains on and is scored on."""

    name: str
    root: str | None
    binary: bool
    image_size: int = field(metadata=at_least(8, 4096))
    evaluation_split: str
    flip: bool
    crop_padding: int = field(metadata=at_least(0, 64))
    # How many of the training images there are for training, None for all of them.
    train_examples: int | None = field(default=None, metadata={ABSENT: None, **at_least(1, 10**9)})


@dataclass(frozen=True)
class ModelConfig:
    """The network; `width` multiplies the number of units or feature maps of hidden layers."""

    name: str
    width: float = field(metadata=above(0, 64))
    hidden_layers: int = field(metadata=at_least(1, 1000))


@dataclass(frozen=True)
class OptimizerConfig:
    """The update rule; what a rule does not use is ignored by it."""

    name: str
    momentum: float = field(metadata=share_below_one())
    rho: float = field(metadata=share_below_one())
    beta_1: float = field(metadata=share_below_one())
    beta_2: float = field(metadata=share_below_one())
    epsilon: float = field(metadata=above(0))


@dataclass(frozen=True)
class ScheduleConfig:
    """How the learning rate falls: `decay_rate` per `decay_steps`."""

    name: str
    decay_steps: float = field(metadata=above(0))
    decay_rate: float = field(metadata=above(0, 1e9))


@dataclass(frozen=True)
class InitializerConfig:
    """Distribution of the initial weights; `scale` is a standard deviation or a half-width."""

    name: str
    scale: float = field(metadata=above(0))
    convolution_gain: float = field(metadata=above(0))


@dataclass(frozen=True)
class BatchNormalizationConfig:
    """Options of batch normalization; `momentum` weighs the OLD average, as in Keras."""

    momentum: float = field(metadata=share_below_one())
    epsilon: float = field(metadata=above(0))
    gamma: bool
    beta: bool
    statistics: str
    inference: str
    population_batches: int = field(metadata=at_least(1, 10**6))


@dataclass(frozen=True)
class PercentilesConfig:
    """Whether and how the inputs of the last hidden activation are watched (figure 1b, 1c)."""

    every: int = field(metadata=at_least(0, 10**9))
    num_examples: int = field(metadata=at_least(2, 10**6))


@dataclass(frozen=True)
class RunConfig:
    """One training, whole. Built only by `composition.compose` and checked by `validate`."""

    seed: int = field(metadata=at_least(0, 2**31 - 1))
    train_steps: int = field(metadata=at_least(0, 10**9))
    batch_size: int | str
    learning_rate: float = field(metadata=above(0))
    learning_rate_multiplier: float = field(metadata=above(0))
    placement: str
    normalization: str | None
    group_size: int = field(metadata=at_least(1, 10**6))
    activation: str
    input_normalization: bool
    dropout: float = field(metadata=share_below_one())
    l2: float = field(metadata=at_least(0))
    lrn: bool
    shuffle: str
    distortion: float = field(metadata=at_least(0, 1))
    accelerate: list[str]
    evaluate_every: int = field(metadata=at_least(1, 10**9))
    evaluate_every_early: int = field(metadata=at_least(1, 10**9))
    early_steps: int = field(metadata=at_least(0, 10**9))
    checkpoint_every: int = field(metadata=at_least(1, 10**9))
    save_predictions: bool
    tensorboard: bool
    precision: str
    backend: str
    threads: int = field(metadata=at_least(0, 4096))
    replicas: int = field(metadata=at_least(1, 4096))
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

    @property
    def dtype(self) -> str:
        """The number format of weights, rates and images under `precision`."""
        return "float64" if self.precision == "float64" else "float32"

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
    "tensorboard",
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


def from_flat(flat: dict[str, Any]) -> RunConfig:
    """The inverse of `to_flat`; a key that is left out has its default.

    Raises:
        ConfigError: naming a key that has none.
    """
    tree: dict[str, Any] = {}
    for key, value in flat.items():
        outer, _, inner = key.partition(".")
        if inner:
            tree.setdefault(outer, {})[inner] = value
        else:
            tree[outer] = value
    for name, section in _sections().items():
        tree[name] = _complete(section, tree.get(name, {}), f"{name}.")
    return _complete(RunConfig, tree)


def _complete(section: type[Any], values: dict[str, Any], prefix: str = "") -> Any:
    for item in dataclasses.fields(section):
        if item.default is MISSING and item.name not in values:
            raise ConfigError(f"{prefix}{item.name}: expected a value; no file sets it")
    return section(**values)


def _sections() -> dict[str, type[Any]]:
    """The fields of a config that are configs themselves."""
    return {
        outer.name: outer.type
        for outer in dataclasses.fields(RunConfig)
        if isinstance(outer.type, type) and dataclasses.is_dataclass(outer.type)
    }


def absent_values() -> dict[str, Any]:
    """The flat keys that records may lack, with the value that such records mean."""
    return _metadata(ABSENT)


def ranges() -> dict[str, Range]:
    """The numbers that each flat key takes, where its field says so."""
    return _metadata(RANGE)


def _metadata(name: str) -> dict[str, Any]:
    """What the fields' metadata hold under a name, by flat key."""
    fields = {entry.name: entry for entry in dataclasses.fields(RunConfig)}
    for section, kind in _sections().items():
        fields |= {f"{section}.{entry.name}": entry for entry in dataclasses.fields(kind)}
    return {key: entry.metadata[name] for key, entry in fields.items() if name in entry.metadata}


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
    """The flat config without the keys that do not change what is computed.

    A key that came later is left out where it has the value that records without it mean.
    """
    absent = absent_values()
    return {
        key: value
        for key, value in to_flat(config).items()
        if key not in NOT_IDENTITY and not (key in absent and value == absent[key])
    }


def difference(config: RunConfig, reference: RunConfig) -> dict[str, Any]:
    """The keys of the identity in which `config` is not `reference`, with its values."""
    meant, absent = identity(reference), absent_values()
    own = identity(config)
    values = {**{key: absent[key] for key in meant if key in absent}, **own}
    return {key: value for key, value in values.items() if key not in meant or meant[key] != value}
