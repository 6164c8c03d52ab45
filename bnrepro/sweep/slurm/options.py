"""What a sweep asks a cluster for: `launcher/slurm.yaml`, ours and that of `--config-dir`."""

import re
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import yaml

from bnrepro.config import ConfigError, did_you_mean, one_line, shown
from bnrepro.config.overrides import config_directories

_FILE = Path("launcher") / "slurm.yaml"
_NAME = (r"[\w.,@+-]+", "a name")
_COUNT = (r"[1-9][0-9]{0,4}", "a whole number of at least 1")
_FORMS = {
    "partition": _NAME,
    "account": _NAME,
    "time": (r"[0-9]+(:[0-9]{2}){0,2}|[0-9]+-[0-9]+(:[0-9]{2}){0,2}", "such as 04:00:00 or 1-12"),
    "gpus": (rf"(\w+:)?{_COUNT[0]}", "such as 1 or a100:1"),
    "cpus": _COUNT,
    "memory": (r"[1-9][0-9]*[KMGT]?", "such as 8G"),
    "at_once": _COUNT,
}


@dataclass(frozen=True)
class SlurmOptions:
    """What each run of a sweep gets, in Slurm's own spelling; None: the cluster's default."""

    partition: str | None
    account: str | None
    time: str | None
    gpus: str | None
    cpus: str | None
    memory: str | None
    at_once: str | None

    @property
    def threads(self) -> int:
        """The threads of a run that does not say how many."""
        return int(self.cpus or 1)


def load_options() -> SlurmOptions:
    """The options of our own file, and those that a person's own file sets instead.

    Raises:
        ConfigError: naming the file, and the key that does not exist or has no sense.
    """
    paths = [directory / _FILE for directory in config_directories()]
    values: dict[str, str | None] = {}
    for path in paths:
        if path.exists():
            try:
                values |= _read(path)
            except ConfigError as error:
                raise ConfigError(f"{path}: {error}") from error
    return SlurmOptions(**values)


def _read(path: Path) -> dict[str, str | None]:
    try:
        # Every value is text as it stands: as a number, YAML would read 04:00:00 as 14400.
        content = yaml.load(path.read_text(), Loader=yaml.BaseLoader)  # noqa: S506 (a safe loader)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot be read as YAML ({shown(one_line(error), 200)})") from error
    if content in (None, ""):
        return {}
    if not isinstance(content, dict):
        raise ConfigError("expected keys with values")
    return {key: _value(key, value) for key, value in content.items()}


def _value(key: str, value: Any) -> str | None:
    known = [each.name for each in fields(SlurmOptions)]
    if key not in known:
        near = did_you_mean(key, known) or f"; expected some of {', '.join(known)}"
        raise ConfigError(f"{shown(key)}: no such key{near}")
    if value in ("", "~", "null"):
        return None
    form, words = _FORMS[key]
    if not isinstance(value, str) or not re.fullmatch(form, value, re.ASCII):
        raise ConfigError(f"{key}: {shown(value)}: expected {words}, or null")
    return value
