"""A study's file, `conf/study/<name>.yaml`: a question and the runs that answer it.

A study may name its scientific parameters (those it asks about), its nuisance parameters (those
that vary so that the comparison is fair) and what it keeps fixed; its runs are then checked against
that.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bnrepro.config.files import check_plain, read_file
from bnrepro.config.messages import ConfigError, did_you_mean, kind_of, one_of
from bnrepro.config.names import GROUPS
from bnrepro.config.overrides import (
    Override,
    choices_of,
    config_directories,
    no_such_choice,
    read_all,
)

KEYS = ("question", "runs", "scientific", "nuisance", "fixed", "overrides", "required")
_ENTRY = """- {overrides: ["bn=none,x1"], seeds: [0, 1]}"""


@dataclass(frozen=True)
class Entry:
    """Overrides, which may hold grids, times seeds."""

    overrides: list[Override]
    seeds: list[int]


@dataclass(frozen=True)
class Study:
    """A study file. Parameters are named as in a run's config; `data` means all of `data.*`."""

    question: str
    # None where the file has none: what varies is what it asks about.
    scientific: list[str] | None
    nuisance: list[str]
    fixed: list[str]
    runs: list[Entry]
    # Overrides of every run.
    overrides: list[Override]
    # Groups whose choice the study leaves to the command line.
    required: list[str]


def load(name: str) -> Study:
    """Read and check a study's file.

    Raises:
        ConfigError: if there is none of that name, or it is not a study.
    """
    path = path_of(name)
    try:
        check_plain(path)
        return _study(read_file(path).content)
    except (ConfigError, OSError) as error:
        raise ConfigError(f"{path}: not a study: {error}") from error


def path_of(name: str) -> Path:
    """Where a study's file lies; a user's own comes before ours.

    Raises:
        ConfigError: if there is none of that name.
    """
    if name not in choices_of("study"):
        raise no_such_choice("study", name)
    paths = [directory / "study" / f"{name}.yaml" for directory in config_directories()]
    return next(path for path in reversed(paths) if path.exists())


def _study(content: dict[str, Any]) -> Study:
    for key in content:
        if key not in KEYS:
            near = did_you_mean(key, KEYS) or f"; a study has {', '.join(KEYS)}"
            raise ConfigError(f"{key}: no such key{near}")
    question = content.get("question")
    if not isinstance(question, str) or not question.strip():
        raise ConfigError(
            f"question: expected a sentence, got {kind_of(question)}; say what the runs answer"
        )
    required = _texts(content, "required", "scale")
    for group in required:
        one_of("required", group, GROUPS)
    return Study(
        question=question,
        scientific=_texts(content, "scientific", "placement") if "scientific" in content else None,
        nuisance=_texts(content, "nuisance", "learning_rate"),
        fixed=_texts(content, "fixed", "data, model"),
        runs=_entries(content.get("runs")),
        overrides=read_all(_texts(content, "overrides", "threads=1")),
        required=required,
    )


def _texts(content: dict[str, Any], key: str, example: str) -> list[str]:
    """A list of words; an empty one where the key is left out."""
    found = content.get(key, [])
    if not isinstance(found, list):
        raise ConfigError(f"{key}: expected a list such as [{example}], got {kind_of(found)}")
    for item in found:
        if not isinstance(item, str):
            raise ConfigError(
                f"{key}: expected a list of words such as [{example}], got {kind_of(item)} in it"
            )
    return found


def _entries(found: Any) -> list[Entry]:
    if not isinstance(found, list) or not found:
        received = "an empty list" if found == [] else kind_of(found)
        raise ConfigError(f"runs: expected at least one entry such as '{_ENTRY}', got {received}")
    return [_entry(item) for item in found]


def _entry(found: Any) -> Entry:
    if not isinstance(found, dict):
        raise ConfigError(f"runs: expected entries such as '{_ENTRY}', got {kind_of(found)}")
    keys: Sequence[str] = ("overrides", "seeds")
    for key in found:
        if key not in keys:
            raise ConfigError(
                f"runs: {key}: expected entries such as '{_ENTRY}'{did_you_mean(key, keys)}"
            )
    seeds = found.get("seeds")
    if not isinstance(seeds, list) or not seeds:
        received = "an empty list" if seeds == [] else kind_of(seeds)
        raise ConfigError(
            f"runs: expected seeds in every entry, such as seeds: [0, 1], got {received}"
        )
    for seed in seeds:
        if not isinstance(seed, int) or isinstance(seed, bool):
            raise ConfigError(
                f"runs: seeds: expected whole numbers such as [0, 1], got {kind_of(seed)} in it"
            )
    return Entry(read_all(_texts(found, "overrides", '"bn=none,x1"')), seeds)
