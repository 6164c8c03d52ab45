"""Whether what lies in a run's folder holds together: what records hold, and how files agree.

Folders are copied, renamed, cut short by a full disk, half synchronized and edited. What does not
hold together is named with its folder and the remedy, and nothing of it is shown.
"""

import math
import re
import sys
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from bnrepro.config import KEYS, RANGES, absent_values, first_few, flatten
from bnrepro.config.overrides.keys import keys

if typing.TYPE_CHECKING:
    from bnrepro.records.record import CurveRow, RunRecord

AGAIN = "copy it again from where it was trained, or move the folder aside and run it again"
NEWER = "install the bnrepro that wrote it, or move the folder aside and run it again"

_LARGEST_WHOLE = 10**15
_SEED_LINE = re.compile(r"^seed: .*$", re.MULTILINE)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _LARGEST_WHOLE


def _is_finite(value: Any) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and abs(value) <= sys.float_info.max


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float)


def _is_fraction(value: Any) -> bool:
    return _is_finite(value) and 0 <= value <= 1


def _are_seconds(value: Any) -> bool:
    return isinstance(value, dict) and all(_is_finite(one) and one >= 0 for one in value.values())


def _are_bytes(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_or_null(_is_whole), value.values()))


def _or_null(holds: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or holds(value)


# What each field holds. `environment` is of more than one kind, and is asked as its keys are.
_FIELDS: dict[str, Callable[[Any], bool]] = {
    "name": _is_text,
    "experiment": _or_null(_is_text),
    "scale": _or_null(_is_text),
    "seed": _is_whole,
    "train_steps": _is_whole,
    "diverged_at_step": _or_null(_is_whole),
    "config": lambda value: isinstance(value, dict),
    "data": lambda value: isinstance(value, dict) and _is_text(value.get("name")),
    "num_parameters": _or_null(_is_whole),
    "best_accuracy": _or_null(_is_fraction),
    "best_accuracy_step": _or_null(_is_whole),
    "final_accuracy": _or_null(_is_fraction),
    "final_accuracy_population": _or_null(_is_fraction),
    "seconds": _are_seconds,
    "peak_memory": _are_bytes,
    "weights_digest": _or_null(_is_text),
    "error": _or_null(lambda value: isinstance(value, str)),
}


def check_fields(fields: Mapping[str, Any], known: Sequence[str], statuses: Sequence[str]) -> None:
    """Whether `fields`, as JSON, are those of a record.

    Raises:
        ValueError: saying which are not, and the remedy.
    """
    missing, further = sorted({*known} - {*fields}), sorted({*fields} - {*known})
    if missing:
        raise ValueError(f"without {first_few(missing)}; {AGAIN}")
    if further:
        raise ValueError(f"with {first_few(map(ascii, further))}, unknown here; {NEWER}")
    if fields["status"] not in statuses:
        raise ValueError(f"status {_brief(fields['status'])}, unknown here; {NEWER}")
    for name, holds in _FIELDS.items():
        if name in fields and not holds(fields[name]):
            raise ValueError(f"{name}: {_brief(fields[name])} is none; {AGAIN}")
    _check_environment(fields["environment"])
    _check_config(fields["config"])
    if fields["config"]["seed"] != fields["seed"]:
        raise ValueError(
            f"seed {fields['seed']}, and {fields['config']['seed']} in config; {AGAIN}"
        )


def check_folder(directory: Path, record: "RunRecord") -> None:
    """Whether the record is that of the run that its folder is named after.

    Raises:
        ValueError: if it is another's.
    """
    folder = directory.absolute()
    if (folder.parent.name, folder.name) != (record.name, f"seed_{record.seed}"):
        raise ValueError(
            f"the record of {record.name} seed {record.seed}, which belongs into "
            f"{record.name}/seed_{record.seed}; a folder that was copied or renamed is not "
            "counted: give it back its name, or move it aside"
        )


def check_config_file(directory: Path, record: "RunRecord") -> None:
    """Whether `config.yaml`, where it is there, is the config of the record.

    Raises:
        ValueError: if it is another one.
        OSError: if it cannot be read.
    """
    path = directory / "config.yaml"
    if not path.exists():
        return
    text = path.read_text()
    if f"seed: {record.seed}" not in text.splitlines():
        raise ValueError(f"another seed than config.yaml; {AGAIN}")
    written = _written_config(_SEED_LINE.sub("", text))
    recorded = {key: value for key, value in record.config.items() if key != "seed"}
    if written != recorded:
        raise ValueError(f"another config than config.yaml beside it; {AGAIN}")


def check_curve(curve: Sequence["CurveRow"]) -> None:
    """Whether the rows are such as evaluations leave, at steps that rise.

    Raises:
        ValueError: if they are not.
    """
    steps = [row.step for row in curve]
    accuracies = [row.evaluation_accuracy for row in curve]
    if not all(step >= 0 and float(step).is_integer() for step in steps):
        raise ValueError(f"a step that is no whole number of steps; {AGAIN}")
    if any(later <= earlier for earlier, later in zip(steps, steps[1:], strict=False)):
        raise ValueError(f"steps that do not rise; {AGAIN}")
    if not all(math.isnan(one) or 0 <= one <= 1 for one in accuracies):
        raise ValueError(f"an accuracy that is no fraction; {AGAIN}")


def check_end(record: "RunRecord", curve: Sequence["CurveRow"]) -> None:
    """Whether a finished record is that of its curve.

    Raises:
        ValueError: if it is not.
    """
    steps = [row.step for row in curve]
    accuracies = [row.evaluation_accuracy for row in curve]
    last = steps[-1] if steps else None
    if last != record.train_steps and (record.status == "completed" or last is None):
        raise ValueError(f"a curve that does not end where the record does; {AGAIN}")
    if record.status == "diverged" and not (last <= record.train_steps == record.diverged_at_step):
        raise ValueError(f"a step of divergence that is not the last one; {AGAIN}")
    measured = [pair for pair in zip(accuracies, steps, strict=True) if not math.isnan(pair[0])]
    if not measured:
        return
    best = max(measured, key=lambda pair: pair[0])
    if not _agree((record.best_accuracy, record.best_accuracy_step), best):
        raise ValueError(f"another best accuracy in the record than in the curve; {AGAIN}")
    if not math.isnan(accuracies[-1]) and not _agree([record.final_accuracy], accuracies[-1:]):
        raise ValueError(f"another last accuracy in the record than in the curve; {AGAIN}")


def _agree(recorded: Iterable[float | None], measured: Iterable[float]) -> bool:
    """Whether a record has the values, as far as it has any."""
    return all(one in (None, other) for one, other in zip(recorded, measured, strict=True))


def _check_environment(value: Any) -> None:
    stretches = value if isinstance(value, list) else [value]
    for stretch in stretches:
        holds = isinstance(stretch, dict) and (
            not stretch or (_is_text(stretch.get("device")) and _is_whole(stretch.get("threads")))
        )
        if not holds or not isinstance(stretch.get("versions", {}), dict):
            raise ValueError(f"environment: {_brief(value)} is none; {AGAIN}")


def _check_config(config: Mapping[str, Any]) -> None:
    """Whether it has a value of its kind for each key that a record holds."""
    flat = flatten(dict(config))
    lacking = [
        key
        for key, said in KEYS.items()
        if said.recorded and key not in flat and key not in absent_values()
    ]
    if lacking:
        raise ValueError(f"config without {first_few(lacking)}; {AGAIN}")
    unknown = [key for key in flat if key not in KEYS]
    if unknown:
        raise ValueError(f"config with {first_few(map(ascii, unknown))}, unknown here; {NEWER}")
    for key, value in flat.items():
        if not _is_value(key, value):
            raise ValueError(f"config: {key}: {_brief(value)} is none; {AGAIN}")


def _is_value(key: str, value: Any) -> bool:
    """Whether a key takes the value; names are not asked after: one may come from elsewhere."""
    kind, allowed = keys()[key], RANGES.get(key)
    if typing.get_origin(kind) is list:
        (of_item,) = typing.get_args(kind)
        return isinstance(value, list) and all(_is_of(of_item, item) for item in value)
    kinds = typing.get_args(kind) if isinstance(kind, types.UnionType) else (kind,)
    if not any(_is_of(one, value) for one in kinds):
        return False
    return allowed is None or not _is_number(value) or allowed.holds(value)


def _is_of(kind: Any, value: Any) -> bool:
    if kind is types.NoneType or kind is bool:
        return isinstance(value, kind)
    return {int: _is_whole, float: _is_finite, str: _is_text}[kind](value)


@lru_cache(maxsize=1024)
def _written_config(text: str) -> Any:
    """What a `config.yaml` says; the seeds of a config differ in one line, which is not in it."""
    import yaml  # here: help and completion, which read no record, do without

    try:
        # The same as `safe_load`, ten times as fast where libyaml is there.
        return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError(f"config.yaml beside it is no YAML; {AGAIN}") from error


def _brief(value: Any) -> str:
    try:
        text = ascii(value)
    except ValueError:  # a whole number of more digits than Python writes
        return "a number"
    return text if len(text) <= 40 else f"{text[:37]}..."
