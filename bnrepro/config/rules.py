"""What the types let pass and a run cannot mean: ranges, and every rule that ties two fields."""

import math

from bnrepro.config.fields import RunConfig, to_flat
from bnrepro.config.messages import ConfigError, one_of
from bnrepro.config.names import CHOICES


def validate(config: RunConfig) -> None:
    """Refuse what the types let pass.

    Raises:
        ConfigError: with what was received, what was expected, and the remedy.
    """
    _check_names(config)
    _check_numbers(config)
    _check_normalization(config)
    _check_model(config)


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
    ("data.train_examples", 1, 10**9, True),
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
        if value is None:
            continue
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
    if config.normalization == "instance" and config.model.name in ("mlp", "cnn"):
        raise ConfigError(
            f"normalization=instance with model={config.model.name}: a unit of a fully connected "
            "layer has one value per example, which is always normalized to 0; use "
            "normalization=layer, or model=inception"
        )
    if config.normalization == "instance" and config.placement == "after":
        raise ConfigError(
            "normalization=instance with placement=after: the last feature maps all have the same "
            "average then, which is all that the classifier sees; use placement=before, or "
            "normalization=layer"
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
