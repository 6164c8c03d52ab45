"""The config of a run, typed and frozen, and what makes two of them the same run.

The values stand in `conf/*.yaml`; here stand their types, what each key says of itself (`about`),
and the seven changes of the paper's section 4.2.1 as transformations of a recipe. Every duration is
in steps, one step being one update of the weights.
"""

import dataclasses
from dataclasses import MISSING, dataclass, field, replace
from typing import Any, NewType

from bnrepro.config.about import ABOUT, About, about
from bnrepro.config.launch import LaunchConfig
from bnrepro.config.messages import ConfigError
from bnrepro.config.names import (
    ACCELERATIONS,
    ACTIVATIONS,
    APPLICATIONS,
    BACKENDS,
    CONNECTIONS,
    DATA,
    INFERENCES,
    INITIALIZERS,
    MODELS,
    NORMALIZATIONS,
    OPTIMIZERS,
    PLACEMENTS,
    PRECISIONS,
    REPARAMETRIZATIONS,
    RESIDUALS,
    SCHEDULES,
    SHUFFLES,
    SPLITS,
    STATISTICS,
)
from bnrepro.config.own import parse
from bnrepro.config.ranges import above, at_least, share_below_one
from bnrepro.config.word import accelerations, hashed, itself, listed, named, number, switch


@dataclass(frozen=True)
class DataConfig:
    """Which images a run trains on and is scored on."""

    name: str = field(metadata=about("the data set", word=named(2, "data"), choices=DATA))
    root: str | None = field(
        metadata=about(
            "where data sets lie; null: BNREPRO_DATA, or ~/.cache/bnrepro",
            ours=True,
            recorded=False,
        )
    )
    binary: bool = field(
        metadata=about("pixels are black or white, as in figure 1", word=switch(39, "binary"))
    )
    image_size: int = field(
        metadata=about("height and width in pixels", at_least(8, 4096), number(40, "pixels"))
    )
    evaluation_split: str = field(
        metadata=about("which images are scored", word=named(44, "split"), choices=SPLITS)
    )
    flip: bool = field(metadata=about("half of the images are mirrored", word=switch(41, "flip")))
    crop_padding: int = field(
        metadata=about(
            "images are cropped at random out of a border of so many pixels",
            at_least(0, 64),
            number(42, "padding"),
        )
    )
    train_examples: int | None = field(
        default=None,
        metadata=about(
            "train on so many images, the same in every run, as many of each class; null: all",
            at_least(1, 10**9),
            number(43, "examples", (None, "all_examples")),
            absent=None,
            ours=True,
        ),
    )


@dataclass(frozen=True)
class ModelConfig:
    """The network."""

    name: str = field(
        metadata=about("the network", word=named(1, "model"), choices=MODELS, takes_own=True)
    )
    width: float = field(
        metadata=about(
            "factor on the units or feature maps of hidden layers",
            above(0, 64),
            number(19, "width"),
        )
    )
    hidden_layers: int = field(
        metadata=about("how many hidden layers", at_least(1, 1000), number(20, "layers"))
    )
    application: str | None = field(
        default=None,
        metadata=about(
            "of model=application: the family of keras.applications, as in ResNet50V2",
            word=itself(65, (None, "no_application")),
            choices=APPLICATIONS,
            absent=None,
            ours=True,
        ),
    )
    weights_file: str | None = field(
        default=None,
        metadata=about(
            "of model=application: a Keras weights file (.weights.h5, .h5) to begin with",
            ours=True,
            recorded=False,
        ),
    )
    weights: str | None = field(
        default=None,
        metadata=about(
            "the SHA-256 of model.weights_file, which is found by itself",
            word=hashed(71, "weights", (None, "no_weights")),
            absent=None,
            ours=True,
        ),
    )
    blocks: int = field(
        default=3,
        metadata=about(
            "of model=resnet: residual blocks in each of three stages, n of 6n + 2 layers",
            at_least(1, 1000),
            number(66, "blocks"),
            absent=3,
            ours=True,
        ),
    )
    skip: bool = field(
        default=True,
        metadata=about(
            "of model=resnet: whether blocks have shortcuts",
            word=switch(67, "skip"),
            absent=True,
            ours=True,
        ),
    )
    residual: str = field(
        default="plain",
        metadata=about(
            "of model=resnet: branches as they are (plain), begun by skipinit, or by fixup",
            word=itself(68, ("plain", "plain_branches")),
            choices=RESIDUALS,
            absent="plain",
            ours=True,
        ),
    )
    normalize: str | None = field(
        default=None,
        metadata=about(
            "of model=lstm: which connections are normalized, input, recurrent, or both",
            word=itself(
                70,
                (None, "no_connections"),
                ("input", "input_connections"),
                ("recurrent", "recurrent_connections"),
                ("both", "both_connections"),
            ),
            choices=CONNECTIONS,
            absent=None,
            ours=True,
        ),
    )


@dataclass(frozen=True)
class OptimizerConfig:
    """The update rule; a file of `conf/optimizer/` sets what its rule uses."""

    name: str = field(
        metadata=about("the update rule", word=itself(8), choices=OPTIMIZERS, takes_own=True)
    )
    momentum: float = field(
        default=0.0,
        metadata=about(
            "share of the last step that goes on (momentum, nesterov, rmsprop)",
            share_below_one(),
            number(10, "momentum"),
        ),
    )
    rho: float = field(
        default=0.9,
        metadata=about(
            "weight of the old mean square (rmsprop)",
            share_below_one(),
            number(11, "rho"),
            ours=True,
        ),
    )
    beta_1: float = field(
        default=0.9,
        metadata=about(
            "weight of the old mean (adam)", share_below_one(), number(12, "beta_1_"), ours=True
        ),
    )
    beta_2: float = field(
        default=0.999,
        metadata=about(
            "weight of the old mean square (adam)",
            share_below_one(),
            number(13, "beta_2_"),
            ours=True,
        ),
    )
    epsilon: float = field(
        default=1e-7,
        metadata=about(
            "added to the root of the mean square (adagrad, rmsprop, adam)",
            above(0),
            number(14, "epsilon"),
            ours=True,
        ),
    )


@dataclass(frozen=True)
class ScheduleConfig:
    """How the learning rate falls."""

    name: str = field(metadata=about("the schedule", word=itself(15), choices=SCHEDULES))
    decay_steps: float = field(
        metadata=about("the steps of one decay by decay_rate", above(0), number(16, "decay"))
    )
    decay_rate: float = field(
        metadata=about("by what the rate falls", above(0, 1e9), number(17, "decay_rate"))
    )


@dataclass(frozen=True)
class InitializerConfig:
    """Distribution of the initial weights."""

    name: str = field(metadata=about("the distribution", word=itself(21), choices=INITIALIZERS))
    scale: float = field(
        metadata=about(
            "standard deviation, half-width or factor on the variance",
            above(0),
            number(22, "initial_scale"),
        )
    )
    convolution_gain: float = field(
        default=1.0,
        metadata=about(
            "factor on the initial kernels of convolutions (section 4.2.3)",
            above(0),
            number(23, "gain"),
        ),
    )


@dataclass(frozen=True)
class BatchNormalizationConfig:
    """Options of batch normalization."""

    momentum: float = field(
        metadata=about(
            "weight of the OLD average, as in Keras", share_below_one(), number(24, "bn_momentum")
        )
    )
    epsilon: float = field(
        metadata=about("added to the variance", above(0), number(25, "bn_epsilon"))
    )
    gamma: bool = field(metadata=about("scale after normalizing", word=switch(26, "gamma")))
    beta: bool = field(metadata=about("shift after normalizing", word=switch(27, "beta")))
    statistics: str = field(
        metadata=about(
            "of what: per_feature_map (section 3.2), per_activation, per_activation_last (4.2.3)",
            word=itself(28),
            choices=STATISTICS,
        )
    )
    inference: str = field(
        metadata=about(
            "moving_average, or population (Algorithm 2) at every evaluation",
            word=itself(29),
            choices=INFERENCES,
        )
    )
    population_batches: int = field(
        metadata=about(
            "training mini-batches over which Algorithm 2 averages",
            at_least(1, 10**6),
            number(30, "population_batches"),
        )
    )
    statistics_batch: int | None = field(
        default=None,
        metadata=about(
            "over how many examples of a mini-batch statistics go (ghost batches); null: all",
            at_least(1, 10**6),
            number(63, "statistics_batch", (None, "whole_batch")),
            absent=None,
            ours=True,
        ),
    )


@dataclass(frozen=True)
class PercentilesConfig:
    """Whether and how the inputs of the last hidden activation are watched (figure 1b, 1c)."""

    every: int = field(
        metadata=about(
            "steps between two measurements of figures 1(b, c); 0: none but TensorBoard's",
            at_least(0, 10**9),
            number(48, "percentiles", (0, "no_percentiles")),
            ours=True,
        )
    )
    num_examples: int = field(
        metadata=about(
            "over how many examples percentiles are taken",
            at_least(2, 10**6),
            number(49, "percentile_examples"),
        )
    )


@dataclass(frozen=True)
class NormsConfig:
    """Whether and how the norms of weights and gradients are watched."""

    every: int = field(
        default=0,
        metadata=about(
            "steps between two measurements; 0: none, or at each evaluation with measures=[norms]",
            at_least(0, 10**9),
            number(54, "norms", (0, "no_norms")),
            absent=0,
            ours=True,
        ),
    )


@dataclass(frozen=True)
class LandscapeConfig:
    """Whether and how loss and gradient are watched along the gradient."""

    every: int = field(
        default=0,
        metadata=about(
            "steps between two measurements; 0: none, or as measures=[landscape] has them",
            at_least(0, 10**9),
            number(56, "landscape", (0, "no_landscape")),
            absent=0,
            ours=True,
        ),
    )
    measurements: int = field(
        default=24,
        metadata=about(
            "how many with measures=[landscape], at step 0 and at steps of equal ratios",
            at_least(2, 10**6),
            number(57, "landscapes"),
            absent=24,
            ours=True,
        ),
    )


@dataclass(frozen=True)
class CovariateShiftConfig:
    """Whether and how internal covariate shift is watched, by gradients."""

    every: int = field(
        default=0,
        metadata=about(
            "steps between two measurements; 0: none, or as measures=[covariate_shift] has them",
            at_least(0, 10**9),
            number(58, "covariate_shift", (0, "no_covariate_shift")),
            absent=0,
            ours=True,
        ),
    )
    measurements: int = field(
        default=24,
        metadata=about(
            "how many with measures=[covariate_shift], at step 0 and at steps of equal ratios",
            at_least(2, 10**6),
            number(59, "covariate_shifts"),
            absent=24,
            ours=True,
        ),
    )


@dataclass(frozen=True)
class DistributionsConfig:
    """Whether and how it is watched how the distributions of activations' inputs move."""

    every: int = field(
        default=0,
        metadata=about(
            "steps between two measurements; 0: none, or as measures=[distributions] has them",
            at_least(0, 10**9),
            number(60, "distributions", (0, "no_distributions")),
            absent=0,
            ours=True,
        ),
    )
    measurements: int = field(
        default=12,
        metadata=about(
            "how many with measures=[distributions], each with the step after it",
            at_least(2, 10**6),
            number(61, "distribution_pairs"),
            absent=12,
            ours=True,
        ),
    )


@dataclass(frozen=True)
class PopulationConfig:
    """Whether and how often Algorithm 2's statistics are tried beside the moving averages."""

    every: int = field(
        default=0,
        metadata=about(
            "steps between two scores with both statistics; 0: none, or as measures says",
            at_least(0, 10**9),
            number(62, "population", (0, "no_population")),
            absent=0,
            ours=True,
        ),
    )


# What can be measured while a run trains. Each has its options in a section of its name, and is
# `bnrepro/measures/<name>.py`.
MEASURES = (
    "percentiles",
    "norms",
    "landscape",
    "covariate_shift",
    "distributions",
    "population",
)


@dataclass(frozen=True)
class RunConfig(LaunchConfig):
    """One training, whole: how it is started, and here what it computes.

    Built only by `composition.compose` and checked by `validate`.
    """

    seed: int = field(metadata=about("of all random numbers", at_least(0, 2**31 - 1), ours=True))
    train_steps: int = field(
        metadata=about("updates of the weights", at_least(0, 10**9), number(32, "steps"))
    )
    batch_size: int | str = field(
        metadata=about(
            "examples per step, or all for batch gradient descent",
            word=number(31, "batch", ("all", "full_batch")),
        )
    )
    learning_rate: float = field(
        metadata=about("of step 0, before the multiplier", above(0), number(9, "rate"))
    )
    learning_rate_multiplier: float = field(
        metadata=about("factor on the learning rate, as x5", above(0), number(6, "times"))
    )
    placement: str = field(
        metadata=about(
            "normalization before the activation (the paper), after it, or none",
            word=itself(5, ("none", "unplaced")),
            choices=PLACEMENTS,
        )
    )
    normalization: str | None = field(
        metadata=about(
            "batch (null), batch_renorm, mean_only, l1_norm, l2_norm, linf_norm, layer, group, ...",
            word=itself(3, (None, "unnormalized")),
            choices=NORMALIZATIONS,
            takes_own=True,
        )
    )
    group_size: int = field(
        metadata=about(
            "feature maps per group of normalization=group, or the largest divisor below",
            at_least(1, 10**6),
            number(4, "group_size"),
            ours=True,
        )
    )
    reparametrization: str | None = field(
        metadata=about(
            "of hidden layers: weight[_from_data], spectral, scaled_weight_standardization or null",
            word=itself(
                64,
                (None, "plain_weights"),
                ("weight", "weight_normalization"),
                ("weight_from_data", "weight_normalization_from_data"),
                ("spectral", "spectral_normalization"),
            ),
            choices=REPARAMETRIZATIONS,
            absent=None,
            ours=True,
        )
    )
    activation: str = field(
        metadata=about("of hidden layers", word=itself(18), choices=ACTIVATIONS, takes_own=True)
    )
    input_normalization: bool = field(
        metadata=about(
            "subtract the training images' mean per channel, divide by their deviation",
            word=switch(38, "input_normalization"),
        )
    )
    dropout: float = field(
        metadata=about(
            "share of the features before the classifier", share_below_one(), number(33, "dropout")
        )
    )
    hidden_dropout: float = field(
        metadata=about(
            "share of the activations between hidden layers, before the next normalization",
            share_below_one(),
            number(69, "hidden_dropout"),
            absent=0.0,
            ours=True,
        )
    )
    l2: float = field(
        metadata=about(
            "weight of the sum of squared kernels in the loss", at_least(0), number(34, "l2_")
        )
    )
    lrn: bool = field(
        metadata=about(
            "local response normalization after the first convolution", word=switch(35, "lrn")
        )
    )
    shuffle: str = field(
        metadata=about(
            "within_shards: anew each epoch; shards: fixed batches; class_pairs: few classes each",
            word=itself(36),
            choices=SHUFFLES,
        )
    )
    distortion: float = field(
        metadata=about(
            "strength of the photometric distortions, 0 (none) to 1 (full)",
            at_least(0, 1),
            number(37, "distortion"),
        )
    )
    accelerate: list[str] = field(
        metadata=about(
            "changes of section 4.2.1: dropout, l2, decay, lrn, shuffle, distortion",
            word=accelerations(7),
            choices=ACCELERATIONS,
        )
    )
    evaluate_every: int = field(
        metadata=about(
            "steps between two evaluations", at_least(1, 10**9), number(45, "evaluate"), ours=True
        )
    )
    evaluate_every_early: int = field(
        metadata=about(
            "a finer grid for the first early_steps steps",
            at_least(1, 10**9),
            number(46, "evaluate_early"),
            ours=True,
        )
    )
    early_steps: int = field(
        metadata=about(
            "where the finer grid ends", at_least(0, 10**9), number(47, "early"), ours=True
        )
    )
    save_predictions: bool = field(
        metadata=about(
            "keep the class probabilities on the evaluation split, for `bnrepro ensemble`",
            word=switch(50, "predictions"),
            ours=True,
        )
    )
    measures: list[str] = field(
        metadata=about(
            "what is measured, at each evaluation or at steps of its own; each leaves a CSV file",
            word=listed(53, "measure"),
            choices=MEASURES,
            absent=[],
            ours=True,
        )
    )
    snapshots: list[int] = field(
        metadata=about(
            "steps at which the weights are kept, as in [0,100,1000]",
            word=listed(55, "snapshots"),
            absent=[],
            ours=True,
        )
    )
    precision: str = field(
        metadata=about(
            "format of weights and products", word=itself(51), choices=PRECISIONS, ours=True
        )
    )
    backend: str = field(
        metadata=about("what trains", word=itself(52), choices=BACKENDS, ours=True)
    )
    data: DataConfig
    model: ModelConfig
    optimizer: OptimizerConfig
    schedule: ScheduleConfig
    initializer: InitializerConfig
    batch_normalization: BatchNormalizationConfig
    percentiles: PercentilesConfig
    norms: NormsConfig = field(default_factory=NormsConfig)
    landscape: LandscapeConfig = field(default_factory=LandscapeConfig)
    covariate_shift: CovariateShiftConfig = field(default_factory=CovariateShiftConfig)
    distributions: DistributionsConfig = field(default_factory=DistributionsConfig)
    population: PopulationConfig = field(default_factory=PopulationConfig)

    @property
    def peak_learning_rate(self) -> float:
        """The base rate times the multiplier: the rate of step 0."""
        return self.learning_rate * self.learning_rate_multiplier

    @property
    def dtype(self) -> str:
        """The number format of weights, rates and images under `precision`."""
        return "float64" if self.precision == "float64" else "float32"

    def accelerated(self) -> "Recipe":
        """What trains: this config after the changes named in `accelerate`.

        Paper: section 4.2.1. Where the paper gives no number the change is marked as ours.
        """
        changes: dict[str, Any] = {}
        if "dropout" in self.accelerate:
            changes["dropout"] = changes["hidden_dropout"] = 0.0
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
        return Recipe(replace(self, **changes))

    def resolved(self) -> "RunConfig":
        """The same run in one spelling.

        Normalization exists unless `placement` is `none`, and is batch normalization unless said;
        the changes of section 4.2.1, measures and snapshots have no order, and a measure with steps
        of its own is not due at each evaluation.
        """
        given = self.normalization is not None or self.placement == "none"
        on_grids = [name for name in MEASURES if self.measured_every(name)]
        return replace(
            self,
            normalization=self.normalization if given else "batch",
            accelerate=sorted(self.accelerate),
            snapshots=sorted(set(self.snapshots)),
            measures=sorted(set(self.measures).difference(on_grids)),
        )

    def measured_every(self, measure: str) -> int:
        """The steps between two rows of a measure; 0 if it has no steps of its own."""
        every: int = getattr(self, measure).every
        return every

    def is_measured(self, measure: str) -> bool:
        """Whether the run leaves the rows of a measure."""
        return measure in self.measures or self.measured_every(measure) > 0

    def next_evaluation(self, step: int) -> int:
        """The first step after `step` at which the curve has a row (step 0 has one too)."""
        early = (step // self.evaluate_every_early + 1) * self.evaluate_every_early
        if early <= self.early_steps:
            return min(early, self.train_steps)
        later = (max(step, self.early_steps) // self.evaluate_every + 1) * self.evaluate_every
        return min(later, self.train_steps)


# A config after the changes of section 4.2.1, as `accelerated` gives it: models, optimizers and
# engines are built of it. Names, records and identity are of the config before them.
Recipe = NewType("Recipe", RunConfig)


def to_flat(config: RunConfig) -> dict[str, Any]:
    """The config as `{"model.width": 1.0, ...}`, in the order of the fields."""
    return flatten(dataclasses.asdict(config))


def flatten(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """The leaves of nested dicts, each under its keys with dots between them."""
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, dict):
            flat.update(flatten(value, f"{prefix}{key}."))
        else:
            flat[f"{prefix}{key}"] = value
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


def _described() -> dict[str, About]:
    """What every key says of itself, by flat key."""
    fields = {entry.name: entry for entry in dataclasses.fields(RunConfig)}
    for section, kind in _sections().items():
        del fields[section]
        fields |= {f"{section}.{entry.name}": entry for entry in dataclasses.fields(kind)}
    return {key: entry.metadata[ABOUT] for key, entry in fields.items()}


KEYS: dict[str, About] = _described()
# The keys of a run's identity, with their words in its name.
WORDS = {key: said.word for key, said in KEYS.items() if said.word is not None}
# Keys that say where or how to run, not what is computed: two runs that differ only in them share
# a directory (but for the seed, which is a directory of its own).
NOT_IDENTITY = tuple(key for key in KEYS if key not in WORDS)
# The keys whose values are names, with those names; `accelerate` and `measures` take lists of them.
CHOICES = {key: said.choices for key, said in KEYS.items() if said.choices}
# The keys that also take a part of one's own, `module:Name`.
TAKES_OWN = tuple(key for key, said in KEYS.items() if said.takes_own)
# The numbers that a key takes, where its type takes more.
RANGES = {key: said.allowed for key, said in KEYS.items() if said.allowed is not None}
# The keys that records may lack, with the value that such records mean.
_ABSENT_VALUES = {key: said.absent for key, said in KEYS.items() if said.absent is not MISSING}


def absent_values() -> dict[str, Any]:
    """The flat keys that records may lack, with the value that such records mean."""
    return dict(_ABSENT_VALUES)


def own_parts(config: RunConfig) -> dict[str, str]:
    """The parts of one's own that a config names, by key."""
    flat = to_flat(config)
    return {key: flat[key] for key in TAKES_OWN if parse(flat[key]) is not None}


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
    absent = _ABSENT_VALUES
    return {
        key: value
        for key, value in to_flat(config).items()
        if key in WORDS and not (key in absent and value == absent[key])
    }


def difference(config: RunConfig, reference: RunConfig) -> dict[str, Any]:
    """The keys of the identity in which `config` is not `reference`, with its values."""
    meant, absent = identity(reference), _ABSENT_VALUES
    own = identity(config)
    values = {**{key: absent[key] for key in meant if key in absent}, **own}
    return {key: value for key, value in values.items() if key not in meant or meant[key] != value}
