"""What a help page takes from `conf/`: groups with their choices, keys with their defaults."""

import re

from bnrepro.config import GROUPS, to_flat
from bnrepro.config.composition import compose
from bnrepro.config.files import find_file, main_file
from bnrepro.config.overrides import Override, choices_of, configs_directory
from bnrepro.config.user_files import checked_directories


def groups() -> str:
    """Every group with its choices and what their files say of themselves."""
    lines = ["groups and their choices:"]
    for group in GROUPS:
        default = main_file().choices.get(group)
        lines.append(f"  {group}={default}" if default else f"  {group}=...")
        choices = choices_of(group)
        width = max(map(len, choices), default=0)
        lines += [f"    {choice:<{width}}  {_first_comment(group, choice)}" for choice in choices]
    return "\n".join(lines)


def keys() -> str:
    """Every key with its default and the comment above it in `conf/`."""
    comments = _comments()
    lines = ["keys and their defaults (a choice may bring others; see `bnrepro run --cfg job`):"]
    for key, value in to_flat(compose([]).config).items():
        if key.endswith(".name"):
            continue
        word = Override(key, (value,)).word()
        lines.append(f"  {word:<46}  {comments.get(key, '')}".rstrip())
    return "\n".join(lines)


def _first_comment(group: str, choice: str) -> str:
    """What a file says of itself."""
    file = find_file(group, choice, checked_directories())
    return next(iter(file.head), "") if file else ""


def _comments() -> dict[str, str]:
    """Of each key, the comment that stands directly above it in the files of the defaults."""
    main = main_file()
    chosen = [find_file(*item, [configs_directory()]) for item in main.choices.items()]
    found: dict[str, str] = {}
    for file in filter(None, [main, *chosen]):
        outer, comment = "", []
        for line in file.text.splitlines():
            stripped = line.strip()
            if stripped.startswith("# "):
                comment.append(stripped[2:])
                continue
            key = re.match(r"(  )?(\w+):(.*)", line)
            if key:
                indent, name, rest = key.groups()
                outer = outer if indent else name
                found.setdefault(f"{outer}.{name}" if indent else name, " ".join(comment))
            comment = []
    return found
