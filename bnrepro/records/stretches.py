"""The stretches of a run: from which step on it was trained in which environment.

A stretch is an `environment` with `from_step`. A run that goes on in an equal one continues its
stretch; most runs have one.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bnrepro.config import flatten
from bnrepro.records.environment import uncommitted_patch
from bnrepro.records.record import RunRecord, write_atomically

Stretch = dict[str, Any]

# They say when, how and where a stretch was begun, not what was computed in it.
_OF_THE_START = ("from_step", "started", "overrides", "system", "memory_gib")
_COMMIT_LETTERS = 7


def continued(earlier: Sequence[Stretch], now: Mapping[str, Any], step: int) -> list[Stretch]:
    """The stretches of a run that goes on at `step` in the environment `now`.

    Of those before, one in which no step was made is left out.
    """
    made = [stretch for stretch in earlier if stretch["from_step"] < step]
    if made and not changes(made[-1], now):
        return made
    return [*made, {"from_step": step, **now}]


def changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """What differs between two environments, by name: (before, now), None where it is absent."""
    old, new = _facts(before), _facts(now)
    names = sorted(name for name in old | new if old.get(name) != new.get(name))
    return {name: (old.get(name), new.get(name)) for name in names}


def resumed_line(stretches: Sequence[Stretch], step: int) -> str | None:
    """What is said of a run that goes on at `step` otherwise than it was trained before."""
    (*earlier, now) = stretches
    if step == 0 or now["from_step"] < step:
        return None
    if not earlier:
        return "what trained it up to here is not recorded; from here on it is"
    each = [
        f"{name} {_shown(before)}, now {_shown(after)}"
        for name, (before, after) in changes(earlier[-1], now).items()
    ]
    return f"trained up to here under {'; '.join(each)}; the record keeps both"


def not_in_one(record: RunRecord) -> str | None:
    """From which steps on a run was trained in another environment, and what was other; or None."""
    newest = record.environment
    stretches = [*record.earlier_environments, newest]
    first = stretches[0].get("from_step", 0)
    parts = [f"unknown before step {first:,}"] if first else []
    for before, now in zip(stretches, stretches[1:], strict=False):
        parts.append(f"from step {now['from_step']:,}: {', '.join(changes(before, now))}")
    return "; ".join(parts) or None


def write_patch(directory: Path, stretches: Sequence[Stretch]) -> None:
    """Write, beside the config, what of the code of the last stretch was not committed.

    Where a stretch before has the same, its file says so.
    """
    (*earlier, newest) = stretches
    step, digest = newest["from_step"], newest.get("patch_sha256")
    path = directory / ("uncommitted.patch" if step == 0 else f"uncommitted_from_{step}.patch")
    patch = uncommitted_patch()
    if patch and digest not in [stretch.get("patch_sha256") for stretch in earlier]:
        write_atomically(path, patch)
    else:
        path.unlink(missing_ok=True)


def _facts(environment: Mapping[str, Any]) -> dict[str, Any]:
    """What an environment says of what was computed, under the names that people read."""
    kept = {key: value for key, value in environment.items() if key not in _OF_THE_START}
    groups = {**kept.pop("versions", {}), **kept.pop("variables", {})}
    commit = kept.pop("commit", None)
    dirty, patch = kept.pop("dirty", None), kept.pop("patch_sha256", None)
    if commit:
        changed = f" with changes {patch[:_COMMIT_LETTERS]}" if patch else " with changes"
        kept["commit"] = commit[:_COMMIT_LETTERS] + (changed if dirty else "")
    packages = kept.pop("packages_sha256", None)
    if packages:
        kept["packages"] = packages[:_COMMIT_LETTERS]
    return flatten({**kept, **groups})


def _shown(value: Any) -> str:
    return "none" if value is None else str(value)
