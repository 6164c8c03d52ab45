"""How one of the paper's claims is judged by the records of studies."""

from collections.abc import Callable
from dataclasses import dataclass

from bnrepro.verdicts.verdict import Verdict


@dataclass(frozen=True)
class JudgedClaim:
    """A claim that the records of `studies` decide, by the criteria called `keys`.

    `judge` takes words that begin what was measured (empty where the studies have one scale), then
    the `Selection` of each study; it returns no verdict where these are not enough for one.
    """

    studies: tuple[str, ...]
    keys: tuple[str, ...]
    judge: Callable[..., list[Verdict]]
