"""What is claimed, and where: the paper's own claims, and laws that later work derives."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Claim:
    """One claim; `section` is where the paper makes it, empty where the paper does not."""

    identifier: str
    section: str
    statement: str

    @property
    def where(self) -> str:
        """Where it is made, in words."""
        return f"section {self.section}" if self.section else "not the paper's"


class Law(Claim):
    """What follows exactly from definitions; `section` is the work that says it, and the place."""

    @property
    def where(self) -> str:
        """The work that says it."""
        return self.section
