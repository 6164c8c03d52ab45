"""What the types let pass and a run cannot mean: the fields' ranges, and rules that tie two."""

import math

from bnrepro.config.device import check_name
from bnrepro.config.fields import CHOICES, RANGES, TAKES_OWN, RunConfig, to_flat
from bnrepro.config.messages import ConfigError, one_of
from bnrepro.config.names import (
    ACTIVATIONS,
    APPLICATIONS_WITHOUT_BATCH_NORMALIZATION,
    DENSE_MODELS,
    MODELS_WITH_DENSE_UNITS,
    NORMALIZATIONS_OVER_THE_BATCH,
)
from bnrepro.config.own import parse

# Normalizations with statistics over the examples of a mini-batch.
# What a family of keras.applications has of its own.
_OF_EVERY_APPLICATION = {
    "activation": "relu",
    "model.width": 1.0,
    "model.hidden_layers": 1,
    "lrn": False,
    "hidden_dropout": 0.0,
    "reparametrization": None,
}
# What weights of a file need to be the network that they were trained in.
_WITH_WEIGHTS = (
    ("input_normalization", False, "pixels come as the family's own preprocess_input gives them"),
    ("normalization", "batch", "the weights were trained behind batch normalization"),
    ("batch_normalization.gamma", True, "the file has gammas"),
    ("batch_normalization.beta", True, "the file has betas"),
    ("batch_normalization.statistics", "per_feature_map", "those of the file are of feature maps"),
)
# What model=lstm is as it is published, and where its statistics go.
_OF_EVERY_LSTM = {
    "activation": ("tanh", "its gates and its cell have activations of their own"),
    "model.hidden_layers": (1, "it has one layer"),
    "lrn": (False, "it has no convolution"),
    "reparametrization": (None, "its kernels are used at every step"),
    "batch_normalization.statistics": ("per_feature_map", "units have no places"),
    "batch_normalization.statistics_batch": (None, "the rows of an image count as examples"),
}

# What other networks do not have, as it is there.
_OF_RESNET_ALONE = {"model.blocks": 3, "model.skip": True, "model.residual": "plain"}


def validate(config: RunConfig) -> None:
    """Refuse what the types let pass.

    Raises:
        ConfigError: with what was received, what was expected, and the remedy.
    """
    _check_names(config)
    _check_numbers(config)
    _check_snapshots(config)
    _check_normalization(config)
    _check_reparametrization(config)
    _check_model(config)
    _check_resnet(config)
    _check_application(config)
    _check_weights(config)
    _check_lstm(config)


def _check_names(config: RunConfig) -> None:
    flat = to_flat(config)
    for key, choices in CHOICES.items():
        names = flat[key] if isinstance(flat[key], list) else [flat[key]]
        for name in names:
            of_ones_own = key in TAKES_OWN and parse(name) is not None
            if name is not None and not of_ones_own:
                one_of(key, name, choices)
    check_name(config.device)
    if len(set(config.accelerate)) != len(config.accelerate):
        raise ConfigError(
            f"accelerate={config.accelerate}: expected each change once; leave the repeated one out"
        )


def _check_numbers(config: RunConfig) -> None:
    flat = to_flat(config)
    for key, allowed in RANGES.items():
        value = flat[key]
        if value is not None and not allowed.holds(value):
            raise ConfigError(f"{key}={value}: expected {allowed}")
    if not math.isfinite(config.peak_learning_rate):
        raise ConfigError(
            f"learning_rate={config.learning_rate} times "
            f"learning_rate_multiplier={config.learning_rate_multiplier} is not finite; "
            "lower one of them"
        )
    for key in ("batch_size", "devices"):
        size = flat[key]
        is_number = isinstance(size, int) and not isinstance(size, bool)
        if size != "all" and not (is_number and size >= 1):
            raise ConfigError(f"{key}={size}: expected a whole number of at least 1, or 'all'")
    for key in ("devices", "processes"):
        if flat[key] != 1 and config.backend != "jax":
            raise ConfigError(
                f"{key}={flat[key]} with backend={config.backend}: expected 1; use backend=jax, "
                "which splits each batch over several"
            )
    if config.devices != "all" and int(config.devices) % config.processes:
        raise ConfigError(
            f"devices={config.devices} with processes={config.processes}: expected as many devices "
            "for each process; use devices=all, or a multiple of processes"
        )


def _check_snapshots(config: RunConfig) -> None:
    outside = [step for step in config.snapshots if not 0 <= step <= config.train_steps]
    if outside:
        raise ConfigError(
            f"snapshots={config.snapshots}: expected steps from 0 to train_steps="
            f"{config.train_steps}; leave {outside[0]} out"
        )


def _check_normalization(config: RunConfig) -> None:
    if config.placement == "none":
        if config.normalization is not None:
            raise ConfigError(
                f"normalization={config.normalization} with placement=none: expected no "
                "normalization; set placement=before or placement=after, or leave "
                "normalization out"
            )
        return
    if config.normalization == "instance" and config.model.name in MODELS_WITH_DENSE_UNITS:
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
    _check_statistics_batch(config)
    over_the_batch = config.normalization in NORMALIZATIONS_OVER_THE_BATCH
    # The input connections of model=lstm have a value for each row of an image.
    one_value = config.model.name in DENSE_MODELS and config.model.normalize != "input"
    if over_the_batch and config.batch_size == 1 and one_value:
        raise ConfigError(
            f"batch_size=1 with normalization={config.normalization} and "
            f"model={config.model.name}: one value is its own mean, so that the network sees "
            "nothing; use batch_size=2 or more, or normalization=layer"
        )
    if config.batch_normalization.statistics != "per_feature_map" and config.batch_size == 1:
        raise ConfigError(
            "batch_size=1 with per-activation statistics: the variance of one value is 0; use "
            "batch_size=2 or more, or batch_normalization.statistics=per_feature_map"
        )


def _check_statistics_batch(config: RunConfig) -> None:
    size = config.batch_normalization.statistics_batch
    if size is None:
        return
    given = f"batch_normalization.statistics_batch={size}"
    if config.normalization not in (None, "batch", "noisy_statistics"):
        raise ConfigError(
            f"{given} with normalization={config.normalization}: expected normalization=batch, "
            "whose statistics can go over parts of a mini-batch, or noisy_statistics; leave it out"
        )
    if config.batch_normalization.statistics != "per_feature_map":
        raise ConfigError(
            f"{given} with per-activation statistics: expected those per feature map; use "
            "batch_normalization.statistics=per_feature_map, or leave it out"
        )
    if config.batch_size == "all" or int(config.batch_size) % size:
        raise ConfigError(
            f"{given} with batch_size={config.batch_size}: expected a divisor of the batch size; "
            "change one of them"
        )
    if size == 1 and config.model.name in DENSE_MODELS:
        raise ConfigError(
            f"{given} with model={config.model.name}: the variance of one value is 0, so that the "
            "network sees nothing; use 2 or more"
        )


def _check_reparametrization(config: RunConfig) -> None:
    from_data = config.reparametrization == "weight_from_data"
    if from_data and config.batch_size == 1 and config.model.name in DENSE_MODELS:
        raise ConfigError(
            f"batch_size=1 with reparametrization=weight_from_data and model={config.model.name}: "
            "the first mini-batch has no variance to begin from; use batch_size=2 or more, or "
            "reparametrization=weight"
        )
    standardized = config.reparametrization == "scaled_weight_standardization"
    if standardized and parse(config.activation) is not None:
        raise ConfigError(
            f"reparametrization=scaled_weight_standardization with activation={config.activation}: "
            f"expected one of {', '.join(ACTIVATIONS)}, of which it has the variance; use one of "
            "them, or reparametrization=weight"
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


def _check_resnet(config: RunConfig) -> None:
    flat = to_flat(config)
    if config.model.name != "resnet":
        # One's own networks may read them.
        if parse(config.model.name) is None:
            for key, only in _OF_RESNET_ALONE.items():
                if flat[key] != only:
                    raise ConfigError(
                        f"{key}={str(flat[key]).lower()} with model={config.model.name}: expected "
                        "model=resnet; add it, or leave the key out"
                    )
        return
    if config.model.hidden_layers != 1:
        raise ConfigError(
            f"model.hidden_layers={config.model.hidden_layers} with model=resnet: expected its 6n "
            "+ 1 convolutions alone; set their number by model.blocks, n"
        )
    _check_residual(config)


def _check_residual(config: RunConfig) -> None:
    given = f"model.residual={config.model.residual}"
    if config.model.residual == "plain":
        return
    if not config.model.skip:
        raise ConfigError(
            f"{given} with model.skip=false: a branch that begins at 0 needs a shortcut beside "
            "it, or nothing passes; leave one of them out"
        )
    if config.model.residual == "skipinit":
        return
    if config.placement != "none":
        raise ConfigError(
            f"{given} with placement={config.placement}: Fixup is for networks without "
            "normalization, which would undo its scales; add bn=none, or leave it out"
        )
    if config.reparametrization is not None:
        raise ConfigError(
            f"{given} with reparametrization={config.reparametrization}: kernels that begin at 0 "
            "have no direction; leave one of them out"
        )


def _check_application(config: RunConfig) -> None:
    family = config.model.application
    if config.model.name != "application":
        if family is not None:
            raise ConfigError(
                f"model.application={family} with model={config.model.name}: expected "
                "model=application; add it, or leave model.application out"
            )
        return
    if family is None:
        raise ConfigError(
            "model=application without model.application: expected a family of "
            "keras.applications; add model.application=ResNet50V2, or another name"
        )
    flat = to_flat(config)
    for key, only in _OF_EVERY_APPLICATION.items():
        if flat[key] != only:
            expected = "null" if only is None else str(only).lower()
            raise ConfigError(
                f"{key}={flat[key]} with model=application: expected {expected}, since "
                "families have layers of their own; leave it out"
            )
    if config.placement == "after":
        raise ConfigError(
            "placement=after with model=application: expected the family's own places; use "
            "placement=before, or bn=none"
        )
    if config.placement == "before" and family in APPLICATIONS_WITHOUT_BATCH_NORMALIZATION:
        raise ConfigError(
            f"placement=before with model.application={family}, which has no batch normalization "
            "to keep or replace: expected bn=none, or another family"
        )


def _check_weights(config: RunConfig) -> None:
    """Weights of a file are of the whole family, normalized by the batch and given its pixels."""
    if config.model.weights is None:
        return
    if config.model.name != "application":
        raise ConfigError(
            f"model.weights_file with model={config.model.name}: expected model=application, "
            "whose families Keras has weights of; leave it out"
        )
    flat = to_flat(config)
    is_normalized = config.placement != "none"
    for key, only, reason in _WITH_WEIGHTS:
        if flat[key] != only and (is_normalized or key == "input_normalization"):
            raise ConfigError(
                f"{key}={str(flat[key]).lower()} with model.weights_file: expected "
                f"{str(only).lower()}, since {reason}; leave one of them out"
            )
    if not is_normalized and config.model.application not in (
        APPLICATIONS_WITHOUT_BATCH_NORMALIZATION
    ):
        raise ConfigError(
            "placement=none with model.weights_file: the weights were trained behind batch "
            "normalization, and mean nothing without it; use bn=x1, or leave the file out"
        )


def _check_lstm(config: RunConfig) -> None:
    connections = config.model.normalize
    if config.model.name != "lstm":
        if connections is not None:
            raise ConfigError(
                f"model.normalize={connections} with model={config.model.name}: expected "
                "model=lstm; add it, or leave model.normalize out"
            )
        return
    flat = to_flat(config)
    for key, (only, reason) in _OF_EVERY_LSTM.items():
        if flat[key] != only:
            expected = "null" if only is None else str(only).lower()
            raise ConfigError(
                f"{key}={flat[key]} with model=lstm: expected {expected}, since {reason}; leave it "
                "out"
            )
    if config.placement == "after":
        raise ConfigError(
            "placement=after with model=lstm: expected normalization of the connections, whose "
            "sums are activated together; use placement=before, or bn=none"
        )
    if connections is None:
        raise ConfigError(
            "model.normalize=null with model=lstm: expected input, recurrent or both; leave it "
            "out, and use bn=none for no normalization"
        )
    if connections == "input":
        return
    if config.placement == "none":
        raise ConfigError(
            f"model.normalize={connections} with placement=none: expected a normalization; use "
            "placement=before, or leave model.normalize out"
        )
    if parse(config.normalization) is not None:
        raise ConfigError(
            f"model.normalize={connections} with normalization={config.normalization}: expected "
            "one of the project's own, of which it is known whether each step needs statistics "
            "of its own; use model.normalize=input"
        )
