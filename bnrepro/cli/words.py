"""What stands on a command line: a command's flags, overrides and plain words, in any order."""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bnrepro.config import ConfigError, did_you_mean, shown
from bnrepro.config.folders import expanded
from bnrepro.config.numerals import refuse_misread
from bnrepro.config.overrides import CONFIG_DIRECTORY_VARIABLE, Override, read_all

_CONFIG_DIR = "--config-dir"
# What a command does once its words are checked; gives the exit code.
Work = Callable[[], int]


@dataclass(frozen=True)
class Flag:
    """A word that begins with dashes; without a `metavar` it takes no value."""

    name: str
    help: str
    metavar: str = ""
    choices: tuple[str, ...] = ()
    # What the flag means where no value follows it.
    default: str | None = None
    short: str = ""


@dataclass(frozen=True)
class Words:
    """A command line, read."""

    overrides: list[Override]
    plain: list[str]
    flags: dict[str, str]
    study: str | None = None

    def value(self, key: str, default: str) -> str:
        """The value of a key that a command reads for itself."""
        for override in self.overrides:
            if override.key == key:
                return str(override.values[0])
        return default

    def number(self, flag: str) -> int | None:
        """A flag's whole number of at least 1.

        Raises:
            ConfigError: if it is something else.
        """
        text = self.flags.get(flag)
        if text is None:
            return None
        refuse_misread(f"{flag} ", text)
        if not re.fullmatch("[0-9]{0,8}[1-9][0-9]{0,8}", text):
            raise ConfigError(f"{flag} {shown(text)}: expected a whole number of at least 1")
        return int(text)


@dataclass(frozen=True)
class Command:
    """A subcommand: its help page, the words that it takes, and what it does with them."""

    name: str
    summary: str
    usage: str
    prepare: Callable[[Words], Work]
    flags: tuple[Flag, ...] = ()
    # The keys that it reads; None: all keys of a run.
    keys: tuple[str, ...] | None = ()
    # Plain words that it takes, for completion.
    plain_words: tuple[str, ...] = ()
    takes_plain_words: bool = False
    takes_study: bool = False
    # Words `name=value` that are no keys of a run, each as a flag without dashes.
    settings: tuple[Flag, ...] = ()
    # (command line, what it does)
    examples: tuple[tuple[str, str], ...] = ()


def read_words(command: Command, words: list[str]) -> Words:
    """Read the words after the command's name.

    Raises:
        ConfigError: if the command does not take one of them, or a value is not of its key's type.
    """
    flags, others = _split_flags(command, words)
    if _CONFIG_DIR in flags:
        _use_config_directory(flags[_CONFIG_DIR])
    study, plain, keyed = None, [], []
    settings = {setting.name: setting for setting in command.settings}
    for word in others:
        name, equals, value = word.partition("=")
        if command.takes_study and word.startswith("study="):
            study = word.removeprefix("study=")
        elif equals and name in settings:
            _check_flag(settings[name], value, given=True)
            flags[name] = value
        elif command.takes_plain_words and "=" not in word:
            plain.append(word)
        else:
            keyed.append(word)
    overrides = read_all(keyed)
    for override in overrides:
        _check_key(command, override)
    return Words(overrides, plain, flags, study)


def use_config_directory(words: list[str]) -> None:
    """Have help list what lies in the folder that the words name, whatever else they say."""
    for word, following in zip(words, [*words[1:], ""], strict=True):
        name, equals, value = word.partition("=")
        if name == _CONFIG_DIR:
            _use_config_directory(value if equals else following)


def _use_config_directory(given: str) -> None:
    # The command's own processes must see the folder too.
    os.environ[CONFIG_DIRECTORY_VARIABLE] = str(Path(expanded(f"{_CONFIG_DIR} ", given)).absolute())


def _check_key(command: Command, override: Override) -> None:
    if command.keys is None or override.key in command.keys:
        return
    taken = f"takes only {', '.join(command.keys)}" if command.keys else "takes no keys"
    raise ConfigError(f"{shown(override)}: `bnrepro {command.name}` {taken}")


def _split_flags(command: Command, words: list[str]) -> tuple[dict[str, str], list[str]]:
    known = {flag.name: flag for flag in command.flags}
    known.update({flag.short: flag for flag in command.flags if flag.short})
    found: dict[str, str] = {}
    others: list[str] = []
    waiting = list(words)
    while waiting:
        word = waiting.pop(0)
        if not word.startswith("-"):
            others.append(word)
            continue
        name, equals, value = word.partition("=")
        if name not in known:
            raise _no_such_flag(command, name)
        flag = known[name]
        found[flag.name] = value if equals else _next_value(flag, waiting)
        _check_flag(flag, found[flag.name], given=bool(equals))
    return found, others


def _next_value(flag: Flag, waiting: list[str]) -> str:
    """The word after a flag that takes one; an optional one may be left out."""
    if not flag.metavar:
        return ""
    optional = flag.default is not None
    if waiting and not waiting[0].startswith("-") and not (optional and "=" in waiting[0]):
        return waiting.pop(0)
    if flag.default is None:
        values = f"one of {', '.join(flag.choices)}" if flag.choices else flag.metavar
        raise ConfigError(f"{flag.name}: expected a value after it, {values}")
    return flag.default


def _check_flag(flag: Flag, value: str, *, given: bool) -> None:
    if given and not flag.metavar:
        raise ConfigError(f"{flag.name}={shown(value)}: {flag.name} takes no value")
    if flag.choices and value not in flag.choices:
        raise ConfigError(
            f"{flag.name} {shown(value)}: expected one of {', '.join(flag.choices)}"
            f"{did_you_mean(value, flag.choices)}"
        )
    if flag.metavar and not value:
        raise ConfigError(f"{flag.name} '': expected {flag.metavar}")
    if not value.isprintable():
        raise ConfigError(
            f"{flag.name} {ascii(shown(value))}: expected {flag.metavar} in printable text, "
            "without control characters and undecodable bytes"
        )


def _no_such_flag(command: Command, name: str) -> ConfigError:
    known = [flag.name for flag in command.flags] + ["--help"]
    remedy = did_you_mean(name, known) or f"; it has {', '.join(known)}"
    return ConfigError(f"{shown(name)}: no such flag of `bnrepro {command.name}`{remedy}")
