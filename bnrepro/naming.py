"""What a run is called: the experiment and scale that its config is, or comes nearest to.

A name is a function of the config alone, never of the words that made it, so that the same config
always has the same name and directory. A config bears an experiment's name if it has what defines
that experiment: its network, normalization variant and activation, and its scale's data.
"""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from bnrepro.config import RunConfig, variant_name
from bnrepro.overrides import config_directories, configs_directory


@dataclass(frozen=True)
class Reference:
    """A config that has a name of its own, and the words that compose it."""

    name: str
    words: tuple[str, ...]
    experiment: str | None = None
    scale: str | None = None


def references(config: RunConfig) -> Iterator[Reference]:
    """The named configs to which `config` may belong; the last one always applies."""
    for experiment in _files("experiment"):
        for scale in _files("scale") if is_scaled(experiment) else [None]:
            if _defines(experiment, scale, config):
                words = [f"experiment={experiment}"] + ([f"scale={scale}"] if scale else [])
                name = f"{experiment}-{scale}" if scale else experiment
                yield Reference(name, tuple(words), experiment, scale)
    model, data, variant = config.model.name, config.data.name, variant_of(config)
    name = variant_name(model, data, variant, config.normalization)
    yield Reference(name, (f"model={model}", f"data={data}", f"bn={variant}"))


def variant_of(config: RunConfig) -> str:
    """The choice of `bn` that the config is, or else the nearest."""
    received = _variant_keys(dataclasses.asdict(config))
    variants = _read_files("bn", (configs_directory(),))

    def agreement(variant: str) -> tuple[bool, int]:
        meant = _variant_keys(variants[variant])
        normalized = (meant["placement"] == "none") == (received["placement"] == "none")
        return normalized, sum(meant[key] == received[key] for key in received)

    return max(variants, key=agreement)


def is_scaled(experiment: str) -> bool:
    """An experiment that chooses a scale exists at all of them, another one has none."""
    return "scale" in _chosen(_files("experiment")[experiment])


def _defines(experiment: str, scale: str | None, config: RunConfig) -> bool:
    """Whether `config` has the keys that make the experiment what it is."""
    file = _files("experiment")[experiment]
    base = _files("")["config"]
    chosen = _chosen(base)
    if scale:
        chosen |= _chosen(_files("scale")[scale])
    chosen |= _chosen(file)
    keys = {**base, **_files("model")[chosen["model"]], **_files("bn")[chosen["bn"]], **file}
    return (
        chosen["model"] == config.model.name
        and chosen["data"] == config.data.name
        and keys["activation"] == config.activation
        and _variant_keys(keys) == _variant_keys(dataclasses.asdict(config))
    )


def _variant_keys(keys: dict[str, Any]) -> dict[str, Any]:
    return {
        "placement": keys["placement"],
        "learning_rate_multiplier": keys["learning_rate_multiplier"],
        "accelerate": sorted(keys["accelerate"]),
    }


def _chosen(file: dict[str, Any]) -> dict[str, str]:
    """The choices that a file's defaults list makes: `- override /model: inception`."""
    chosen = {}
    for entry in file.get("defaults", []):
        for group, choice in entry.items() if isinstance(entry, dict) else ():
            chosen[group.removeprefix("override").strip().removeprefix("/")] = choice
    return chosen


def _files(group: str) -> dict[str, dict[str, Any]]:
    """The files of a group by name: ours, then the user's, each in alphabetical order."""
    return _read_files(group, tuple(config_directories()))


@cache
def _read_files(group: str, directories: tuple[Path, ...]) -> dict[str, dict[str, Any]]:
    files: dict[str, dict[str, Any]] = {}
    for directory in directories:
        for path in sorted((directory / group).glob("*.yaml")):
            content: Any = OmegaConf.to_container(OmegaConf.load(path))
            files[path.stem] = content
    return files
