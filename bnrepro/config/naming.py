"""What a run is called: the experiment and scale that its config is, or comes nearest to.

A name is a function of the config alone, never of the words that made it, so that the same config
always has the same name and directory. A config bears an experiment's name if it has what defines
that experiment: its network, data, activation and normalization variant. Whatever else differs
is added in words.
"""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from bnrepro.config import ConfigError, RunConfig, difference, spelled_name, variant_name
from bnrepro.config.merging import merge, merge_ours
from bnrepro.config.overrides import configs_directory
from bnrepro.config.user_files import checked_directories, find_file


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


def variants() -> list[str]:
    """The choices of `bn`, the columns of the paper's table, from the lowest learning rate up."""
    choices = _choices("bn", [configs_directory()])
    return sorted(choices, key=lambda choice: merge({"bn": choice}).learning_rate_multiplier)


def variant(config: RunConfig) -> str | None:
    """The choice of `bn` that the config is, None where it is none of them.

    They are of batch normalization: with another layer a config is none of them.
    """
    received = (_variant(config), config.resolved().normalization)
    for choice in variants():
        meant = merge({"bn": choice})
        if (_variant(meant), meant.resolved().normalization) == received:
            return choice
    return None


def variant_values(choice: str) -> dict[str, Any]:
    """The flat keys by which a config is known as a choice of `bn`, with its values.

    Raises:
        ConfigError: if there is no such choice.
    """
    meant = merge({"bn": choice}).resolved()
    return {
        "placement": meant.placement,
        "normalization": meant.normalization,
        "learning_rate_multiplier": meant.learning_rate_multiplier,
        "accelerate": meant.accelerate,
    }


def is_scaled(experiment: str) -> bool:
    """An experiment that chooses a scale exists at all of them, another one has none."""
    return _is_scaled(experiment, checked_directories())


def _is_scaled(experiment: str, directories: Iterable[Path]) -> bool:
    file = find_file("experiment", experiment, directories)
    return file is not None and "scale" in file.choices


def _references(config: RunConfig) -> Iterator[tuple[Labels, RunConfig]]:
    """The named configs to which `config` may belong; the last one always applies."""
    for labels, meant in _experiments(checked_directories()):
        if _defining(meant) == _defining(config):
            yield labels, meant
    model, data, variant = config.model.name, config.data.name, _variant_of(config)
    name = variant_name(model, data, variant, config.normalization)
    yield Labels(name), merge_ours({"model": model, "data": data, "bn": variant})


@cache
def _experiments(directories: tuple[Path, ...]) -> list[tuple[Labels, RunConfig]]:
    """Every experiment at every scale: ours, then the user's."""
    found = []
    for experiment, scale in _experiments_and_scales(directories):
        choices = {"experiment": experiment} | ({"scale": scale} if scale else {})
        ours = all(_is_ours(group, choice) for group, choice in choices.items())
        # One of the user's that is refused, or not whole by itself: nothing can be called by it.
        with suppress(ConfigError):
            config = merge_ours(choices) if ours else merge(choices)
            found.append((Labels("-".join(choices.values()), experiment, scale), config))
    return found


def _experiments_and_scales(directories: tuple[Path, ...]) -> Iterator[tuple[str, str | None]]:
    for experiment in _choices("experiment", directories):
        scales: list[str | None] = [None]
        with suppress(ConfigError):
            where = directories[:1] if _is_ours("experiment", experiment) else directories
            if _is_scaled(experiment, where):
                scales = [*_choices("scale", directories)]
        yield from ((experiment, scale) for scale in scales)


def _is_ours(group: str, choice: str) -> bool:
    return (configs_directory() / group / f"{choice}.yaml").exists()


def _choices(group: str, directories: Iterable[Path]) -> list[str]:
    found = [
        path.stem
        for directory in directories
        for path in sorted((directory / group).glob("*.yaml"))
    ]
    return list(dict.fromkeys(found))


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
        meant = _variant(merge_ours({"bn": choice}))
        normalized = (meant[0] == "none") == (received[0] == "none")
        return normalized, sum(one == other for one, other in zip(meant, received, strict=True))

    return max(_choices("bn", [configs_directory()]), key=agreement)
