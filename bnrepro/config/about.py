"""What a key of a run's config says of itself: kept in its field's metadata, and read from there.

Whoever adds a key says it all in its line of `fields`: help, range or choices, word in a name, and
what records without it mean.
"""

from dataclasses import MISSING, dataclass
from typing import Any

from bnrepro.config.ranges import Range
from bnrepro.config.word import Word

# The key of a field's metadata.
ABOUT = "about"


@dataclass(frozen=True)
class About:
    """What is said of a key; its type and its default stand in the field itself.

    Attributes:
        help: what it is, in a line of a help page.
        allowed: the numbers that it takes; None for all of its type.
        word: how a run's name says it; None where it says where or how to run, not what is
            computed: two runs that differ only in such keys share a name.
        choices: the names that it takes, or that its list takes; none where any text will do.
        absent: of a key that came later, the value that records without it mean.
        takes_own: whether it also takes a part of one's own, `module:Name`.
        ours: whether it is an option of this project, of which no paper would speak.
        recorded: whether a record holds it.
    """

    help: str
    allowed: Range | None
    word: Word | None
    choices: tuple[str, ...]
    absent: Any
    takes_own: bool
    ours: bool
    recorded: bool


def about(
    help: str,  # noqa: A002 (what argparse and click call it)
    allowed: Range | None = None,
    word: Word | None = None,
    *,
    choices: tuple[str, ...] = (),
    absent: Any = MISSING,
    takes_own: bool = False,
    ours: bool = False,
    recorded: bool = True,
) -> dict[str, About]:
    """The metadata of a field; see `About`."""
    return {ABOUT: About(help, allowed, word, choices, absent, takes_own, ours, recorded)}
