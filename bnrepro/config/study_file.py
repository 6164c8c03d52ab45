"""A study's file, `conf/study/<name>.yaml`: a question and the runs that answer it.

A study may name its scientific parameters (those it asks about), its nuisance parameters (those
that vary so that the comparison is fair) and what it keeps fixed; its runs are then checked against
that. It may have criteria: what is expected of two of its experiments, written before they train.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

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

KEYS = (
    "question", "runs", "scientific", "nuisance", "fixed", "overrides", "required", "scales",
    "criteria",
)  # fmt: skip
# What a criterion can be about, beside steps to an accuracy.
ACCURACIES = ("best accuracy", "final accuracy")
_STEPS_TO = re.compile(r"steps to ([0-9]{1,3}(?:\.[0-9]{1,6})?)")
_CRITERION = "{claim: ..., measure: best accuracy, of: NAME, against: NAME, above: 0.01}"
_ENTRY = """- {overrides: ["bn=none,x1"], seeds: [0, 1]}"""


@dataclass(frozen=True)
class Entry:
    """Overrides, which may hold grids, times seeds."""

    overrides: list[Override]
    seeds: list[int]


@dataclass(frozen=True)
class StudyCriterion:
    """What is expected of the experiments `of` and `against`, names of runs that may hold `*`.

    The number, of every seed that both have, is to lie `above` or `below` (`relation`) the bound:
    of accuracies it is the difference, `of` minus `against`, a fraction; of steps, where `target`
    is the accuracy to reach, how many times as many `against` needs.
    """

    claim: str
    measure: str
    target: float | None
    of: str
    against: str
    relation: Literal["above", "below"]
    bound: float


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
    criteria: tuple[StudyCriterion, ...] = ()
    # What a scale means where it is the study's own, such as a small one for a look.
    scales: dict[str, list[Override]] = field(default_factory=dict)

    def at_scale(self, given: Iterable[Override]) -> list[Override]:
        """The overrides, with what a scale of the study's own means in place of its name."""
        return [each for override in given for each in self._meant(override)]

    def _meant(self, override: Override) -> list[Override]:
        for scale, meant in self.scales.items():
            if override == Override("scale", (scale,)):
                return meant
        return [override]


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
        criteria=tuple(map(_criterion, _criteria(content.get("criteria", [])))),
        scales=_scales(content.get("scales", {}), required),
    )


def _scales(found: Any, required: list[str]) -> dict[str, list[Override]]:
    if not isinstance(found, dict):
        raise ConfigError(
            f"scales: expected scales of the study's own such as {{smoke: [train_steps=20]}}, got "
            f"{kind_of(found)}"
        )
    if found and "scale" in required:
        raise ConfigError("scales: expected none beside required: [scale]; leave one of them out")
    for scale in found:
        one_of("scales", scale, choices_of("scale"))
    return {scale: read_all(_texts(found, scale, "train_steps=20")) for scale in found}


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


def _criteria(found: Any) -> list[Any]:
    if not isinstance(found, list):
        raise ConfigError(
            f"criteria: expected entries such as '{_CRITERION}', got {kind_of(found)}"
        )
    return found


def _criterion(found: Any) -> StudyCriterion:
    if not isinstance(found, dict):
        raise ConfigError(
            f"criteria: expected entries such as '{_CRITERION}', got {kind_of(found)}"
        )
    keys = ("claim", "measure", "of", "against", "above", "below")
    for key in found:
        if key not in keys:
            near = did_you_mean(str(key), keys) or f"; a criterion has {', '.join(keys)}"
            raise ConfigError(f"criteria: {key}: no such key{near}")
    texts = [found.get(key) for key in keys[:4]]
    for key, text in zip(keys, texts, strict=False):
        if not isinstance(text, str) or not text.strip():
            raise ConfigError(
                f"criteria: expected {key} in every entry, such as '{_CRITERION}', got "
                f"{kind_of(text)}"
            )
    bounds = [key for key in ("above", "below") if key in found]
    bound = found[bounds[0]] if bounds else None
    if len(bounds) != 1 or isinstance(bound, bool) or not isinstance(bound, int | float):
        received = kind_of(bound) if len(bounds) == 1 else "both" if bounds else "neither"
        raise ConfigError(
            f"criteria: expected a number as above or as below in every entry, got {received}"
        )
    claim, measure, of, against = map(str, texts)
    relation: Literal["above", "below"] = "above" if bounds == ["above"] else "below"
    return StudyCriterion(claim, measure, _target(measure), of, against, relation, float(bound))


def _target(measure: str) -> float | None:
    """The accuracy of `steps to 0.9`; None for a measure that is an accuracy itself."""
    if measure in ACCURACIES:
        return None
    steps = _STEPS_TO.fullmatch(measure)
    if steps is None or not 0 < float(steps[1]) <= 1:
        raise ConfigError(
            f"criteria: measure: expected one of {', '.join(ACCURACIES)}, or 'steps to 0.9' with "
            f"an accuracy from 0 to 1, got '{measure}'"
        )
    return float(steps[1])
