"""A recorded config as the overrides that compose it again."""

from typing import Any

from bnrepro.config import GROUPS, absent_values
from bnrepro.config.overrides.keys import keys
from bnrepro.config.overrides.values import value_in_file
from bnrepro.config.overrides.words import Override


def overrides_of(recorded: dict[str, Any]) -> list[Override]:
    """The overrides of the run that left this config (`config.yaml`, or `config` of `record.json`).

    A key that came after the record has the value that records without it mean.
    """
    flat = absent_values()
    for key, value in recorded.items():
        inner = value if isinstance(value, dict) else {}
        flat.update({f"{key}.{name}": item for name, item in inner.items()} or {key: value})
    # A name comes with its file: `model.name` is `model=mlp`.
    named = {key.removesuffix(".name"): value for key, value in flat.items() if _is_group(key)}
    values = {key: value for key, value in flat.items() if key in keys() and not _is_group(key)}
    typed = {key: value_in_file(key, value) for key, value in values.items()}
    return [Override(key, (value,)) for key, value in {**named, **typed}.items()]


def _is_group(key: str) -> bool:
    group, _, inner = key.partition(".")
    return inner == "name" and group in GROUPS
