"""A part of one's own, as a config names it: `my_norms:RMSNorm@<sha256 of its module's source>`.

The digest makes an edited part another one: it belongs to the identity of a run, and the name of a
run holds its beginning, `RMSNorm-1a2b3c4d`. Whoever names a part leaves the digest out;
`overrides.sources` finds it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_IDENTIFIER = "[A-Za-z_][A-Za-z0-9_]*"
_PATTERN = re.compile(
    rf"(?P<module>{_IDENTIFIER}(?:\.{_IDENTIFIER})*):(?P<name>{_IDENTIFIER})"
    r"(?:@(?P<digest>[0-9a-f]{8,64}))?"
)
# Letters of a whole digest, and of one as names say it.
WHOLE_DIGEST, SHORT_DIGEST = 64, 8
# The name is a part of a run's, which has at most 80 letters.
LONGEST_NAME = 40

# The groups that take a part of one's own, with the file from which its other settings come.
BASES = {"model": "cnn", "optimizer": "sgd"}


@dataclass(frozen=True)
class OwnPart:
    """A class or function in a module of somebody's own."""

    module: str
    name: str
    digest: str | None = None

    def __str__(self) -> str:
        return f"{self.module}:{self.name}" + (f"@{self.digest}" if self.digest else "")

    @property
    def written(self) -> str:
        """As a person writes it, without its digest."""
        return f"{self.module}:{self.name}"

    @property
    def word(self) -> str | None:
        """Its part of a run's name: `RMSNorm-1a2b3c4d`."""
        return f"{self.name}-{self.digest[:SHORT_DIGEST]}" if self.digest else None

    @property
    def is_pinned(self) -> bool:
        """Whether its source is given by a whole digest."""
        return self.digest is not None and len(self.digest) == WHOLE_DIGEST


def parse(text: Any) -> OwnPart | None:
    """The part that a text names, None where it names none."""
    found = _PATTERN.fullmatch(text) if isinstance(text, str) else None
    return OwnPart(**found.groupdict()) if found else None


def shortened(value: Any) -> str:
    """A value for a person to read: of a part of one's own the digest's beginning."""
    part = parse(value)
    return f"{part.written}@{part.digest[:SHORT_DIGEST]}" if part and part.digest else str(value)


def split(choices: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Choices of groups as files, and the names of one's own parts as values of their keys."""
    own = {group: choice for group, choice in choices.items() if parse(choice) is not None}
    files = {group: BASES[group] if group in own else choice for group, choice in choices.items()}
    return files, {f"{group}.name": choice for group, choice in own.items()}
