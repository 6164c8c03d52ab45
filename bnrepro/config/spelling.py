"""How the name of a run says in words what its config changes: `-adam-rate0.001-steps4000`.

The words, their order and the format of numbers are a contract: directories on disk are found by
them. The words stand in the fields' metadata.
"""

import hashlib
import json
from typing import Any

from bnrepro.config.fields import WORDS
from bnrepro.config.own import parse

LONGEST_NAME = 80
_DIGEST_LENGTH = 8
# The flat keys of a run's identity, in the order of their words.
SPELLINGS = {
    key: word.spell for key, word in sorted(WORDS.items(), key=lambda entry: entry[1].place)
}


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
    base = f"{model_word(model)}-{data}"
    return base if takes_place else f"{base}-{variant}"


def model_word(model: str) -> str:
    """How a name says its network, whose name it begins with."""
    part = parse(model)
    return (part and part.word) or model
