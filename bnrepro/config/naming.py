"""What a run is called: the experiment and scale that its config is, or comes nearest to.

A name is a function of the config alone, never of the words that made it, so that the same config
always has the same name and directory. A config bears an experiment's name if it has what defines
that experiment: its network, data, activation and normalization variant. Whatever else differs
is added in words.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from bnrepro.config import ConfigError, RunConfig, difference, spelled_name, variant_name
from bnrepro.config.files import find_file
from bnrepro.config.merging import merge
from bnrepro.config.overrides import configs_directory
from bnrepro.config.user_files import checked_directories


@dataclass(frozen=True)
class Labels:
    """What a run is called, and the experiment and scale that it is."""

    name: str
    experiment: str | None = None
    scale: str | None = None


def name_of(config: RunConfig) -> Labels:
    """The labels of a run; where it differs from all experiments it has none of theirs."""
    labels, changed = min(
        ((labels, difference(config, meant.resolved())) for labels, meant in _references(config)),
        key=lambda pair: len(pair[1]),
    )
    if not changed:
        return labels
    return Labels(spelled_name(labels.name, changed), None, labels.scale)


def is_scaled(experiment: str) -> bool:
    """An experiment that chooses a scale exists at all of them, another one has none."""
    file = find_file("experiment", experiment, checked_directories())
    return file is not None and "scale" in file.choices


def _references(config: RunConfig) -> Iterator[tuple[Labels, RunConfig]]:
    """The named configs to which `config` may belong; the last one always applies."""
    for labels, meant in _experiments(checked_directories()):
        if _defining(meant) == _defining(config):
            yield labels, meant
    model, data, variant = config.model.name, config.data.name, _variant_of(config)
    name = variant_name(model, data, variant, config.normalization)
    yield Labels(name), merge({"model": model, "data": data, "bn": variant})


@cache
def _experiments(directories: tuple[Path, ...]) -> list[tuple[Labels, RunConfig]]:
    """Every experiment at every scale: ours, then the user's."""
    found = []
    for experiment in _choices("experiment", directories):
        for scale in _choices("scale", directories) if is_scaled(experiment) else [None]:
            choices = {"experiment": experiment} | ({"scale": scale} if scale else {})
            try:
                found.append(
                    (Labels("-".join(choices.values()), experiment, scale), merge(choices))
                )
            except ConfigError:
                # One of the user's that is not whole by itself: nothing can be called by it.
                continue
    return found


def _choices(group: str, directories: Iterable[Path]) -> list[str]:
    return [
        path.stem
        for directory in directories
        for path in sorted((directory / group).glob("*.yaml"))
    ]


def _defining(config: RunConfig) -> tuple[Any, ...]:
    """What makes an experiment what it is, whatever its numbers."""
    return config.model.name, config.data.name, config.activation, _variant(config)


def _variant(config: RunConfig) -> tuple[Any, ...]:
    """The keys that a choice of `bn` sets."""
    return config.placement, config.learning_rate_multiplier, sorted(config.accelerate)


def _variant_of(config: RunConfig) -> str:
    """The choice of `bn` that the config is, or else the nearest."""
    received = _variant(config)

    def agreement(choice: str) -> tuple[bool, int]:
        meant = _variant(merge({"bn": choice}))
        normalized = (meant[0] == "none") == (received[0] == "none")
        return normalized, sum(one == other for one, other in zip(meant, received, strict=True))

    return max(_choices("bn", [configs_directory()]), key=agreement)
