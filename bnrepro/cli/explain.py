"""Help pages, made from the commands; what `conf/` adds to them is `config_help`."""

import textwrap
from collections.abc import Mapping

from bnrepro import __version__
from bnrepro.cli.words import Command, Flag

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
        "`bnrepro help COMMAND` says more; `bnrepro help run` lists all choices and keys.",
        "first steps:  bnrepro run model=inception bn=x5",
        "              bnrepro table",
    ]
    return "\n".join(lines)


def page(command: Command) -> str:
    """`bnrepro help COMMAND`, `bnrepro COMMAND --help`."""
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
        from bnrepro.cli import config_help

        parts += [_rule(command.name), config_help.groups(), config_help.keys()]
        parts.append(config_help.own_files())
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
