"""From the words of a command line to a checked `RunConfig` and the labels of its run."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bnrepro.config import GROUPS, ConfigError, RunConfig, validate, with_values
from bnrepro.config.merging import merge
from bnrepro.config.naming import is_scaled, name_of
from bnrepro.config.overrides import Given, Override, check_single, configs_directory, read_all
from bnrepro.config.weights_file import with_digest

__all__ = ["Composition", "checked", "compose", "configs_directory", "run_directory"]


@dataclass(frozen=True)
class Composition:
    """A checked config and the labels under which its record stands."""

    config: RunConfig
    name: str
    experiment: str | None
    scale: str | None
    # The words that made it, one a key.
    given: tuple[Override, ...] = field(default=(), compare=False)

    @property
    def directory(self) -> Path:
        """Where the run lies."""
        return run_directory(self.config.results_dir, self.name, self.config.seed)


def run_directory(results_dir: str | Path, name: str, seed: int) -> Path:
    """Where the run of that name and seed lies."""
    return Path(results_dir) / "runs" / name / f"seed_{seed}"


def compose(
    overrides: Iterable[Given],
    config_of: Callable[[Mapping[str, str]], RunConfig] = merge,
) -> Composition:
    """Compose and check the run that `overrides` (`["model=inception", "bn=x5"]`) describe.

    Args:
        overrides: words of a command line, in any order, read already or not.
        config_of: what makes a config of the choices of groups: `merge`, or Hydra.

    Raises:
        ConfigError: if the words, the types or our own checks refuse them.
    """
    given = checked(overrides)
    words = {override.key: override.values[0] for override in given}
    choices = {key: value for key, value in words.items() if key in GROUPS}
    values = {key: value for key, value in words.items() if key not in GROUPS}
    # Values on the command line win over all files.
    config = with_digest(with_values(config_of(choices), values)).resolved()
    validate(config)
    labels = name_of(config)
    return Composition(config, labels.name, labels.experiment, labels.scale, tuple(given))


def checked(overrides: Iterable[Given]) -> list[Override]:
    """The overrides of one run: one a key, in one order.

    Raises:
        ConfigError: if a word is refused, or beside another.
    """
    given = read_all(overrides)
    check_single(given)
    _check_scale({override.key: override.values[0] for override in given})
    return given


def _check_scale(chosen: dict[str, Any]) -> None:
    experiment, scale = chosen.get("experiment"), chosen.get("scale")
    if scale and experiment and not is_scaled(experiment):
        raise ConfigError(
            f"scale={scale} with experiment={experiment}: this experiment has one scale, the "
            "paper's; leave scale out"
        )
