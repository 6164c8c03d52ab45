"""From the words of a command line to a checked `RunConfig` and the name of its run.

Hydra composes `conf/`; `DictConfig` ends here. A run's name says which experiment and scale (or
model, data and variant) it is; whatever else was changed goes into a short hash of the differences.
"""

import hashlib
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from bnrepro.config import ConfigError, RunConfig, identity, validate


@dataclass(frozen=True)
class Composition:
    """A checked config and the labels under which its record stands."""

    config: RunConfig
    name: str
    experiment: str | None
    scale: str | None


def configs_directory() -> Path:
    """The folder of the YAML files: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).resolve().parent
    inside = package / "conf"
    return inside if inside.is_dir() else package.parent / "conf"


def compose(overrides: list[str]) -> Composition:
    """Compose and check the run that `overrides` (`["model=inception", "bn=x5"]`) describe.

    Raises:
        ConfigError: if Hydra, the types or our own checks refuse them.
    """
    config, choices = _compose(tuple(overrides))
    experiment, scale = choices.get("experiment"), choices.get("scale")
    if experiment:
        base = experiment if scale is None else f"{experiment}-{scale}"
        reference = [f"experiment={experiment}"] + ([f"scale={scale}"] if scale else [])
    else:
        variant = _variant(config, choices["bn"])
        base = f"{config.model.name}-{config.data.name}-{variant}"
        reference = [f"model={config.model.name}", f"data={config.data.name}", f"bn={variant}"]
    difference = _difference(config, tuple(reference))
    if difference:
        digest = hashlib.sha256(json.dumps(difference, sort_keys=True).encode()).hexdigest()
        return Composition(config, f"{base}-{digest[:8]}", None, scale)
    return Composition(config, base, experiment, scale)


def _difference(config: RunConfig, reference: tuple[str, ...]) -> dict[str, Any]:
    """The keys of the run's identity in which `config` is not what its name means."""
    meant = identity(_compose(reference)[0])
    return {key: value for key, value in identity(config).items() if meant[key] != value}


def _variant(config: RunConfig, chosen: str) -> str:
    """The paper's name for (placement, multiplier, accelerate), or the one that was chosen.

    Looked up by value, so that the same config has the same name however it was written.
    """
    values = (config.placement, config.learning_rate_multiplier, sorted(config.accelerate))
    for variant, meant in _variants().items():
        if meant == values:
            return variant
    return chosen


@cache
def _variants() -> dict[str, tuple[str, float, list[str]]]:
    variants = {}
    for path in sorted((configs_directory() / "bn").glob("*.yaml")):
        keys = OmegaConf.load(path)
        variants[path.stem] = (
            keys.placement,
            float(keys.learning_rate_multiplier),
            sorted(keys.accelerate),
        )
    return variants


@cache
def _compose(overrides: tuple[str, ...]) -> tuple[RunConfig, dict[str, str | None]]:
    _register_schema()
    try:
        GlobalHydra.instance().clear()
        with initialize_config_dir(str(configs_directory()), version_base="1.3"):
            composed = hydra_compose("config", list(overrides), return_hydra_config=True)
        choices = OmegaConf.to_container(composed.hydra.runtime.choices)
        with open_dict(composed):
            del composed["hydra"]
        config = OmegaConf.to_object(composed).resolved()  # type: ignore[union-attr]
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigError(one_line(error)) from error
    validate(config)
    return config, choices  # type: ignore[return-value]


def one_line(error: Exception) -> str:
    """An exception's message without line breaks."""
    return " ".join(str(error).split())


@cache
def _register_schema() -> None:
    ConfigStore.instance().store(name="schema", node=_writable(OmegaConf.structured(RunConfig)))


def _writable(node: Any) -> Any:
    """Lift the read-only flag that OmegaConf puts on frozen dataclasses, all the way down."""
    OmegaConf.set_readonly(node, None)
    for key in node:
        child = node._get_node(key)
        if isinstance(child, DictConfig):
            _writable(child)
    return node
