"""Tab completion for bash, zsh and fish.

A shell's function hands over the line up to the cursor (`bnrepro completion --query LINE`) and gets
the words that may stand there, one a line. Nothing heavier than the config's dataclasses is loaded.
"""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from bnrepro.cli.words import Command, Flag
from bnrepro.config import CHOICES, GROUPS, ConfigError
from bnrepro.config.names import DEVICES
from bnrepro.config.overrides import PATHS, choices_of, configs_directory, keys

SHELLS = ("bash", "zsh", "fish")
# Of the keys that are paths, those of files, with how these end.
_ENDINGS = {"model.weights_file": ".h5"}

_BASH = r"""_bnrepro() {
    local line="${COMP_LINE:0:COMP_POINT}" program="${COMP_WORDS[0]/#\~/$HOME}" word IFS=$'\n'
    COMPREPLY=($("$program" completion --query "$line" 2>/dev/null))
    # Bash takes '=' and ':' for the ends of words and replaces only what follows the last of them.
    word="${line##*[[:space:]]}"
    if [[ "$word" == *[=:]* && "$COMP_WORDBREAKS" == *=* ]]; then
        COMPREPLY=("${COMPREPLY[@]#"${word%"${word##*[=:]}"}"}")
    fi
    if [[ ${#COMPREPLY[@]} -eq 1 && "${COMPREPLY[0]}" == *[=./] ]]; then
        compopt -o nospace
    fi
}
complete -F _bnrepro bnrepro"""

_ZSH = r"""_bnrepro() {
    local program="${words[1]/#\~/$HOME}" line="${(j: :)words[1,CURRENT]}"
    local -a found open
    found=("${(@f)$("$program" completion --query "$line" 2>/dev/null)}")
    open=(${(M)found:#*[=./]})
    found=(${found:#*[=./]})
    compadd -Q -S '' -a open
    compadd -Q -a found
}
compdef _bnrepro bnrepro"""

_FISH = r"""function __bnrepro_words
    set -l program (string replace -r '^~' $HOME (commandline -opc)[1])
    $program completion --query (commandline -cp | string collect) 2>/dev/null
end
complete -c bnrepro -f -a '(__bnrepro_words)'"""


def script(shell: str) -> str:
    """What a shell is to evaluate."""
    return {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}[shell]


def complete(line: str, commands: Mapping[str, Command]) -> list[str]:
    """The words that may stand where `line` ends, whole."""
    *before, current = _split(line)
    if len(before) <= 1:
        candidates = [*commands, "help", "--help", "--version"]
    elif before[1:] == ["help"]:
        candidates = list(commands)
    elif before[1] in commands:
        candidates = _for_command(commands[before[1]], before[2:], current)
    else:
        candidates = []
    return [word for word in candidates if word.startswith(current)]


def _split(line: str) -> list[str]:
    """The words of a line; the last one is the one that is being typed, perhaps empty."""
    try:
        words = shlex.split(line)
    except ValueError:
        words = line.split()
    return words if line and not line[-1].isspace() else [*words, ""]


def _for_command(command: Command, before: Sequence[str], current: str) -> list[str]:
    waiting = next((flag for flag in command.flags if before and flag.name == before[-1]), None)
    if waiting is not None and waiting.metavar:
        return _flag_values(waiting, current)
    if current.startswith("-"):
        return [flag.name for flag in command.flags if flag.name not in before] + ["--help"]
    key, equals, text = current.partition("=")
    settings = {setting.name: setting for setting in command.settings}
    if equals and key in settings:
        return [f"{key}={choice}" for choice in settings[key].choices]
    if equals:
        return [f"{key}={value}" for value in _values(command, key, text)]
    words = list(command.plain_words)
    if command.takes_study:
        words.append("study=")
    words += [f"{setting.name}=" for setting in command.settings]
    return words + _key_words(command, current)


def _flag_values(flag: Flag, current: str) -> list[str]:
    return _paths(current, None) if flag.metavar == "DIR" else list(flag.choices)


def _key_words(command: Command, current: str) -> list[str]:
    """`model=`, `learning_rate=`, and inner keys once their first half stands there."""
    if command.keys is not None:
        return [f"{key}=" for key in command.keys]
    inner = [key for key in keys() if "." in key and not key.endswith(".name")]
    outer = [key for key in keys() if "." not in key]
    if "." in current:
        return [f"{key}=" for key in inner]
    halves = list(dict.fromkeys(f"{key.partition('.')[0]}." for key in inner))
    return [f"{key}=" for key in [*GROUPS, *outer]] + halves


def _values(command: Command, key: str, text: str) -> list[str]:
    """The values of a key; in a grid, those that may follow the last comma."""
    if key in PATHS:
        return _paths(text, _ENDINGS.get(key))
    if key == "study" and command.takes_study:
        return sorted(path.stem for path in (configs_directory() / "study").glob("*.yaml"))
    given = text.rpartition(",")[0]
    start = f"{given}," if given else ""
    return [start + value for value in _closed_values(key)]


def _closed_values(key: str) -> list[str]:
    if key in GROUPS:
        try:
            return choices_of(key)
        except ConfigError:
            return []
    if keys().get(key) is bool:
        return ["true", "false"]
    return list(DEVICES if key == "device" else CHOICES.get(key, ()))


def _paths(text: str, ending: str | None) -> list[str]:
    """The folders that may stand where `text` ends, and the files of that ending."""
    parent = text.rpartition("/")[0] + "/" if "/" in text else ""
    try:
        found = list(Path(parent or ".").expanduser().iterdir())
    except OSError:
        return []
    shown = [path for path in found if not path.name.startswith(".")]
    folders = [f"{parent}{path.name}/" for path in shown if path.is_dir()]
    files = [f"{parent}{path.name}" for path in shown if ending and path.name.endswith(ending)]
    return sorted([*folders, *files])
