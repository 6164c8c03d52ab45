"""A progress bar over what takes minutes with a million files, on a terminal only."""

from collections.abc import Iterable
from typing import TypeVar

from rich.console import Console
from rich.progress import track

Step = TypeVar("Step")


def watched(steps: Iterable[Step], what: str, total: int | None = None) -> Iterable[Step]:
    """`steps`, with a bar that says how many of them are done."""
    console = Console(stderr=True)
    return track(
        steps, what, total, console=console, transient=True, disable=not console.is_terminal
    )
