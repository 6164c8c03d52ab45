"""The words that train a recorded run again, or one like it: few enough to be typed."""

import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from bnrepro.config import GROUPS, ConfigError, difference, model_word
from bnrepro.config.composition import Composition, compose
from bnrepro.config.overrides import Override, choices_of, overrides_of
from bnrepro.config.own import SHORT_DIGEST, parse

_USUAL_FOLDER = Path("results")
# Records hold no path: where images and weights lie is left to the reader.
_OF_ONES_OWN = {"image_folder": "data.root=FOLDER"}
_WEIGHTS_FILE = "model.weights_file=FILE"


def command(
    config: dict[str, Any], seeds: Iterable[int], results_dir: str | Path = _USUAL_FOLDER
) -> str:
    """The command that trains a recorded config (`config` of `record.json`) with some seeds.

    Raises:
        ConfigError: if the config cannot be composed, such as one of an experiment that is gone.
    """
    chosen = sorted(set(seeds))
    verb = "run" if len(chosen) == 1 else "sweep"
    seed = [] if chosen == [0] else [f"seed={','.join(map(str, chosen))}"]
    usual = Path(results_dir).resolve() == _USUAL_FOLDER.resolve()
    place = [] if usual else [f"results_dir={_from_here(Path(results_dir))}"]
    return shlex.join(["bnrepro", verb, *words(config), *seed, *place])


def _from_here(folder: Path) -> Path:
    return folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder


def words(config: dict[str, Any]) -> list[str]:
    """The fewest words that we find for a recorded config, without seed and launch options.

    Raises:
        ConfigError: if it cannot be composed.
    """
    own = _OF_ONES_OWN.get(config["data"]["name"])
    place = [own] if own else []
    wanted = compose([*overrides_of(config), *place])
    found = [*_nearest(wanted), *place]
    for group in GROUPS:
        changed = difference(wanted.config, compose(found).config)
        if f"{group}.name" in changed:
            found.append(f"{group}={changed[f'{group}.name']}")
    changed = difference(wanted.config, compose(found).config)
    found += [str(Override(key, (value,))) for key, value in changed.items()]
    for word in list(found):
        fewer = [other for other in found if other != word]
        if word not in place and _mean(fewer, wanted):
            found = fewer
    brief = [_without_digest(word, found, wanted) for word in found]
    weights = wanted.config.model.weights
    if weights is None:
        return brief
    beginning = f"model.weights={weights[:SHORT_DIGEST]}"
    return [*(word for word in brief if weights not in word), beginning, _WEIGHTS_FILE]


def _without_digest(word: str, found: list[str], wanted: Composition) -> str:
    """The word without the digest of one's own part, where its source is still what it was."""
    key, _, value = word.partition("=")
    part = parse(value)
    if part is None:
        return word
    plain = f"{key}={part.written}"
    return plain if _mean([*(other for other in found if other != word), plain], wanted) else word


def _mean(some: list[str], wanted: Composition) -> bool:
    try:
        return not difference(wanted.config, compose(some).config)
    except ConfigError:
        return False


def _nearest(wanted: Composition) -> list[str]:
    """The choices that its name begins with: an experiment, or model, data and variant."""
    model, data = wanted.config.model.name, wanted.config.data.name
    network = f"{model_word(model)}-{data}"
    first = wanted.name.partition("-")[0]
    if first in choices_of("experiment") and not f"{wanted.name}-".startswith(f"{network}-"):
        return [f"experiment={first}", *([f"scale={wanted.scale}"] if wanted.scale else [])]
    following = wanted.name.removeprefix(f"{network}-").partition("-")[0]
    variant = [f"bn={following}"] if following in choices_of("bn") else []
    family = wanted.config.model.application
    needed = [f"model.application={family}"] if family else []
    return [f"model={model}", f"data={data}", *variant, *needed]
