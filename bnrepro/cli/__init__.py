"""The command `bnrepro`: words in, an exit code out.

`words`: what stands on a command line. `commands`: the commands there are; `training`, `exhibits`
and `data_sets`: what each does with its words. `explain`: help pages. `completion`: tab completion.
`summary`: what is printed before a run. Nothing here decides what a run is, and every room is
imported inside the function that needs it, so that help and completion stay quick.
"""

import sys
from collections.abc import Callable
from pathlib import Path

from bnrepro.config import ConfigError, did_you_mean, shown
from bnrepro.records.record import RecordError
from bnrepro.screen import printed
from bnrepro.screen.signals import Stopped
from bnrepro.screen.streams import mend_standard_streams

_LONGEST_MESSAGE = 2_000
_OUT_OF_MEMORY = "out of memory"


def main(argv: list[str] | None = None) -> int:
    """Run the command line and give the exit code: 0, 1 (a run or the machine failed), 2 (bad
    input: one line on standard error), 128 + the number of the signal that has stopped it."""
    mend_standard_streams()
    try:
        code = parse(sys.argv[1:] if argv is None else argv)()
        sys.stdout.flush()
        return code
    except (ConfigError, RecordError) as error:
        return _say(error, 2)
    except KeyboardInterrupt:
        return 130
    except Stopped as stop:
        return stop.code
    except MemoryError as error:
        # A library's says how many bytes; ours what can be done.
        says = str(error).startswith(_OUT_OF_MEMORY)
        return _say(error if says else MemoryError(_OUT_OF_MEMORY), 1)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return _say(OSError(f"{where}{error.strerror or error}"), 1)


def parse(argv: list[str]) -> Callable[[], int]:
    """Check a command line as far as that goes without doing anything; gives what does it.

    Raises:
        ConfigError: on bad input.
    """
    from bnrepro.cli import explain
    from bnrepro.cli.commands import COMMANDS
    from bnrepro.cli.words import read_words, use_config_directory

    name, *words = argv or ["--help"]
    if name == "help":
        # `bnrepro help run` is `bnrepro run --help`.
        name, words = (words or ["--help"])[0], ["--help"]
    if name in ("-h", "--help"):
        return lambda: explain.show(explain.overview(COMMANDS))
    if name == "--version":
        return explain.show_version
    if name not in COMMANDS:
        raise _no_such_command(name, list(COMMANDS))
    if name == "run" and not {"-m", "--multirun"}.isdisjoint(words):
        name, words = "sweep", [word for word in words if word not in ("-m", "--multirun")]
    command = COMMANDS[name]
    if not {"-h", "--help"}.isdisjoint(words):
        use_config_directory(words)
        return lambda: explain.show(explain.page(command))
    _check_current_folder()
    return command.prepare(read_words(command, words))


def _check_current_folder() -> None:
    try:
        Path.cwd()
    except FileNotFoundError as error:
        raise ConfigError(
            "the current folder has been deleted; change to another with `cd`"
        ) from error


def _no_such_command(name: str, known: list[str]) -> ConfigError:
    if "=" in name:
        return ConfigError(
            f"{shown(name)}: expected a command first; try `bnrepro run {shown(name)}`"
        )
    near = did_you_mean(name, known)
    return ConfigError(
        f"{shown(name)}: expected a command, one of {', '.join(known)}{near or '; try --help'}"
    )


def line_of(error: Exception) -> str:
    """An error as one printable line, whatever its message holds."""
    message = " ".join(str(error).split()) or type(error).__name__
    letters = (letter if letter.isprintable() else ascii(letter)[1:-1] for letter in message)
    line = "bnrepro: " + "".join(letters)
    if len(line) <= _LONGEST_MESSAGE:
        return line
    # A last word that is cut would be read as a whole one; a path may be all there is.
    whole_words, _, cut = line[:_LONGEST_MESSAGE].rpartition(" ")
    return (whole_words if len(cut) < len(whole_words) else line[:_LONGEST_MESSAGE]) + " ..."


def _say(error: Exception, code: int) -> int:
    print(printed(line_of(error), sys.stderr), file=sys.stderr)
    return code
