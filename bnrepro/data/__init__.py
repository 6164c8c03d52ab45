"""Data sets: one file each, checked against published checksums, never silently partial."""

from collections.abc import Callable
from importlib import import_module

from bnrepro.config import DATA, ConfigError, DataConfig, did_you_mean
from bnrepro.data.dataset import Dataset, Split
from bnrepro.data.source import DataError

__all__ = ["DataError", "Dataset", "Split", "load"]

# Each set is read by `load` of the module named; imported when asked for, because scikit-learn and
# Pillow take seconds.
_LOADERS = {name: f"bnrepro.data.{name}" for name in DATA}


def load(config: DataConfig) -> Dataset:
    """The images that `config` names, read from disk and checked; nothing is downloaded.

    Raises:
        ConfigError: if there is no such data set.
        DataError: if its files are missing, damaged or not what they should be.
    """
    if config.name not in _LOADERS:
        raise ConfigError(
            f"data.name={config.name}: expected one of {', '.join(_LOADERS)}"
            f"{did_you_mean(config.name, list(_LOADERS))}"
        )
    loader: Callable[[DataConfig], Dataset] = import_module(_LOADERS[config.name]).load
    return loader(config)
