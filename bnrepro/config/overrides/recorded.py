"""A recorded config as the words that compose it again."""

from typing import Any

from bnrepro.config import GROUPS, absent_values
from bnrepro.config.overrides.keys import keys
from bnrepro.config.overrides.words import Override


def words_of(recorded: dict[str, Any]) -> list[str]:
    """The words of the run that left this config (`config.yaml`, or `config` of `record.json`).

    A key that came after the record has the value that records without it mean.
    """
    flat = absent_values()
    for key, value in recorded.items():
        inner = value if isinstance(value, dict) else {}
        flat.update({f"{key}.{name}": item for name, item in inner.items()} or {key: value})
    # A name comes with its file: `model.name` is `model=mlp`.
    named = {key.removesuffix(".name"): value for key, value in flat.items() if _is_group(key)}
    values = {key: value for key, value in flat.items() if key in keys() and not _is_group(key)}
    return [Override(key, (value,)).word() for key, value in {**named, **values}.items()]


def _is_group(key: str) -> bool:
    group, _, inner = key.partition(".")
    return inner == "name" and group in GROUPS
