"""How the name of a run says in words what its config changes: `-adam-rate0.001-steps4000`.

The words, their order and the format of numbers are a contract: directories on disk are found by
them. A key that is added gets a word of its own here; none is changed or used again.
"""

import hashlib
import json
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from bnrepro.config.names import ACCELERATIONS

LONGEST_NAME = 80
# What every file system takes; `-` stands between the parts of a name.
_PART = re.compile(r"[A-Za-z0-9._]+")
_DIGEST_LENGTH = 8

# A value as a word; None where letters, digits, `.` and `_` do not say it.
Spelling = Callable[[Any], str | None]


def spelled_name(base: str, difference: dict[str, Any]) -> str:
    """The name of the config that differs from the one called `base` by these flat keys.

    Where the words do not say everything or would make the name longer than `LONGEST_NAME`, as many
    of them as there is room for are followed by the difference's digest.
    """
    spelled = (spell(difference[key]) for key, spell in SPELLINGS.items() if key in difference)
    words = [word for word in spelled if word is not None]
    if len(words) == len(difference) and len("-".join([base, *words])) <= LONGEST_NAME:
        return "-".join([base, *words])
    content = json.dumps(difference, sort_keys=True).encode()
    digest = hashlib.sha256(content).hexdigest()[:_DIGEST_LENGTH]
    while words and len("-".join([base, *words, digest])) > LONGEST_NAME:
        words.pop()
    return "-".join([base, *words, digest])


def variant_name(model: str, data: str, variant: str, normalization: str | None) -> str:
    """The name of a config that is no experiment's: `inception-digits-x5`.

    `x1` stands for batch normalization, so another normalization's word takes its place.
    """
    takes_place = variant == "x1" and normalization not in (None, "batch")
    return f"{model}-{data}" if takes_place else f"{model}-{data}-{variant}"


def is_part(text: str) -> bool:
    """Whether a name can hold the text as one of its parts."""
    return _PART.fullmatch(text) is not None


def _value(value: Any) -> str | None:
    """A value that says by itself what it is of."""
    return value if isinstance(value, str) and is_part(value) else None


def _number(word: str, *instead: tuple[Any, str]) -> Spelling:
    """A number after the key's word: all its digits, never an exponent, `rate0.00001`.

    `instead` are values that are no number or read better in words, with these.
    """
    in_words = dict(instead)

    def spell(value: Any) -> str | None:
        if value in in_words:
            return in_words[value]
        if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
            return None
        return f"{word}{Decimal(repr(abs(value))).normalize():f}"

    return spell


def _named(word: str) -> Spelling:
    """A value after the key's word, where it does not say by itself what it is of."""
    return lambda value: f"{word}_{value}" if _value(value) else None


def _switch(word: str) -> Spelling:
    return lambda value: {True: word, False: f"no_{word}"}.get(value)


def _accelerations(value: Any) -> str | None:
    """The changes of section 4.2.1 that apply, or those that do not where these are fewer."""
    if not set(value) <= set(ACCELERATIONS):
        return None
    left_out = sorted(set(ACCELERATIONS).difference(value))
    if not value or not left_out:
        return "accelerate_none" if not value else "accelerate_all"
    fewer = sorted(value) if len(value) <= len(left_out) else ["without", *left_out]
    return "_".join(["accelerate", *fewer])


# The flat keys of a run's identity, in the order of their words.
SPELLINGS: dict[str, Spelling] = {
    "model.name": _named("model"),
    "data.name": _named("data"),
    "normalization": lambda value: "unnormalized" if value is None else _value(value),
    "group_size": _number("group_size"),
    "placement": lambda value: "unplaced" if value == "none" else _value(value),
    "learning_rate_multiplier": _number("times"),
    "accelerate": _accelerations,
    "optimizer.name": _value,
    "learning_rate": _number("rate"),
    "optimizer.momentum": _number("momentum"),
    "optimizer.rho": _number("rho"),
    "optimizer.beta_1": _number("beta_1_"),
    "optimizer.beta_2": _number("beta_2_"),
    "optimizer.epsilon": _number("epsilon"),
    "schedule.name": _value,
    "schedule.decay_steps": _number("decay"),
    "schedule.decay_rate": _number("decay_rate"),
    "activation": _value,
    "model.width": _number("width"),
    "model.hidden_layers": _number("layers"),
    "initializer.name": _value,
    "initializer.scale": _number("initial_scale"),
    "initializer.convolution_gain": _number("gain"),
    "batch_normalization.momentum": _number("bn_momentum"),
    "batch_normalization.epsilon": _number("bn_epsilon"),
    "batch_normalization.gamma": _switch("gamma"),
    "batch_normalization.beta": _switch("beta"),
    "batch_normalization.statistics": _value,
    "batch_normalization.inference": _value,
    "batch_normalization.population_batches": _number("population_batches"),
    "batch_size": _number("batch", ("all", "full_batch")),
    "train_steps": _number("steps"),
    "dropout": _number("dropout"),
    "l2": _number("l2_"),
    "lrn": _switch("lrn"),
    "shuffle": _value,
    "distortion": _number("distortion"),
    "input_normalization": _switch("input_normalization"),
    "data.binary": _switch("binary"),
    "data.image_size": _number("pixels"),
    "data.flip": _switch("flip"),
    "data.crop_padding": _number("padding"),
    "data.train_examples": _number("examples", (None, "all_examples")),
    "data.evaluation_split": _named("split"),
    "evaluate_every": _number("evaluate"),
    "evaluate_every_early": _number("evaluate_early"),
    "early_steps": _number("early"),
    "percentiles.every": _number("percentiles", (0, "no_percentiles")),
    "percentiles.num_examples": _number("percentile_examples"),
    "save_predictions": _switch("predictions"),
    "precision": _value,
    "backend": _value,
}
