"""Help pages, made from the commands, from `conf/` and from the defaults of a run."""

import re
import textwrap
from collections.abc import Mapping

from bnrepro import __version__
from bnrepro.cli.words import Command, Flag
from bnrepro.config import GROUPS, to_flat
from bnrepro.config_files import find_file, main_file
from bnrepro.overrides import choices_of, configs_directory
from bnrepro.user_files import checked_directories

_WIDTH = 100


def show(text: str) -> int:
    """Print a page."""
    print(text)
    return 0


def show_version() -> int:
    """Print the version."""
    return show(f"bnrepro {__version__}")


def overview(commands: Mapping[str, Command]) -> str:
    """`bnrepro --help`."""
    lines = [
        "bnrepro reproduces the batch normalization paper (Ioffe and Szegedy, 2015).",
        "",
        "usage: bnrepro COMMAND [words and --flags, in any order]",
        "",
        *(f"  {command.name:<12} {command.summary}" for command in commands.values()),
        "",
        "`bnrepro COMMAND --help` says more; `bnrepro run --help` lists all choices and keys.",
        "first steps:  bnrepro run model=inception bn=x5",
        "              bnrepro table",
    ]
    return "\n".join(lines)


def page(command: Command) -> str:
    """`bnrepro COMMAND --help`."""
    parts = [
        f"usage: bnrepro {command.name} {command.usage}{' [--flags]' if command.flags else ''}",
        f"{command.summary[0].upper()}{command.summary[1:]}.",
    ]
    if command.examples:
        width = max(len(line) for line, _ in command.examples)
        parts.append(
            "\n".join(
                ["examples:", *(f"  {line:<{width}}  # {what}" for line, what in command.examples)]
            )
        )
    if command.flags:
        parts.append("\n".join(["flags:", *map(_flag_line, command.flags)]))
    if command.name in ("run", "sweep"):
        parts += [_rule(command.name), _groups(), _keys()]
    return "\n\n".join(parts)


def _flag_line(flag: Flag) -> str:
    name = ", ".join(filter(None, [flag.short, flag.name]))
    value = f" {flag.metavar}" if flag.metavar else ""
    value = f" [{flag.metavar}]" if flag.default is not None else value
    choices = f": {', '.join(flag.choices)}" if flag.choices else ""
    return f"  {name + value:<22} {flag.help}{choices}"


def _rule(name: str) -> str:
    text = (
        "`group=choice` takes a file of conf/, `key=value` or `key.inner=value` sets a value; the "
        "command line wins over the files, and of a key given twice the last one counts."
    )
    if name == "sweep":
        text += " Several values (`bn=none,x1`, `'seed=range(0,6)'`) are a grid."
    return textwrap.fill(text, _WIDTH)


def _groups() -> str:
    lines = ["groups and their choices:"]
    for group in GROUPS:
        default = main_file().choices.get(group)
        lines.append(f"  {group}={default}" if default else f"  {group}=...")
        choices = choices_of(group)
        width = max(map(len, choices), default=0)
        lines += [f"    {choice:<{width}}  {_first_comment(group, choice)}" for choice in choices]
    return "\n".join(lines)


def _keys() -> str:
    """Every key with its default and the comment above it in `conf/`."""
    from bnrepro.composition import compose
    from bnrepro.overrides import Override

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
