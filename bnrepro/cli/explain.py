"""Help pages, made from the commands; what `conf/` adds to them is `config_help`."""

from collections.abc import Mapping
from dataclasses import replace

from bnrepro import __version__
from bnrepro.cli.words import Command, Flag
from bnrepro.screen import beside, width, wrapped


def show(text: str) -> int:
    """Print a page."""
    print(text)
    return 0


def show_version() -> int:
    """Print the version."""
    return show(f"bnrepro {__version__}")


def overview(commands: Mapping[str, Command]) -> str:
    """`bnrepro --help`."""
    columns = width()
    lines = [
        wrapped(
            "bnrepro reproduces the batch normalization paper (Ioffe and Szegedy, 2015).", columns
        ),
        "",
        "usage: bnrepro COMMAND [words and --flags, in any order]",
        "",
        *(beside(f"  {one.name}", one.summary, 15, columns) for one in commands.values()),
        "",
        wrapped(
            "`bnrepro help COMMAND` says more; `bnrepro help run` lists all choices and keys.",
            columns,
        ),
        "first steps:  bnrepro run model=inception bn=x5",
        "              bnrepro table",
    ]
    return "\n".join(lines)


def page(command: Command) -> str:
    """`bnrepro help COMMAND`, `bnrepro COMMAND --help`."""
    columns = width()
    usage = f"usage: bnrepro {command.name} {command.usage}{' [--flags]' if command.flags else ''}"
    summary = f"{command.summary[0].upper()}{command.summary[1:]}."
    parts = [wrapped(usage, columns, indent=15), wrapped(summary, columns)]
    if command.examples:
        parts.append("\n".join(["examples:", *_example_lines(command, columns)]))
    if command.settings:
        named = (replace(each, name=f"{each.name}=", metavar="") for each in command.settings)
        lines = (_flag_line(each, columns) for each in named)
        parts.append("\n".join(["words:", *lines]))
    if command.flags:
        lines = (_flag_line(flag, columns) for flag in command.flags)
        parts.append("\n".join(["flags:", *lines]))
    if command.name in ("run", "sweep"):
        from bnrepro.cli import config_help

        rule = wrapped(_rule(command.name), columns)
        parts += [rule, config_help.groups(columns), config_help.keys(columns)]
        parts.append(config_help.own_files(columns))
    return "\n\n".join(parts)


def _example_lines(command: Command, columns: int) -> list[str]:
    """Each example with what it does: beside it where all have room for that, else above."""
    longest = max(len(line) for line, _ in command.examples)
    lines = [f"  {line:<{longest}}  # {what}" for line, what in command.examples]
    if max(map(len, lines)) <= columns:
        return lines
    return [part for line, what in command.examples for part in (f"  # {what}", f"  {line}")]


def _flag_line(flag: Flag, columns: int) -> str:
    name = ", ".join(filter(None, [flag.short, flag.name]))
    value = f" {flag.metavar}" if flag.metavar else ""
    value = f" [{flag.metavar}]" if flag.default is not None else value
    choices = f": {', '.join(flag.choices)}" if flag.choices else ""
    return beside(f"  {name}{value}", f"{flag.help}{choices}", 26, columns)


def _rule(name: str) -> str:
    text = (
        "`group=choice` takes a file of conf/, `key=value` or `key.inner=value` sets a value; the "
        "command line wins over the files, and of a key given twice the last one counts."
    )
    if name == "sweep":
        text += " Several values (`bn=none,x1`, `'seed=range(0,6)'`) are a grid."
    return text
