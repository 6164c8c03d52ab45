"""What a help page takes from `conf/`: groups with their choices, keys with their defaults."""

from bnrepro.config import GROUPS, KEYS, ConfigError, to_flat
from bnrepro.config.composition import compose
from bnrepro.config.fields import TAKES_OWN
from bnrepro.config.files import main_file
from bnrepro.config.overrides import CONFIG_DIRECTORY_VARIABLE, Override, choices_of
from bnrepro.config.user_files import HEADER, checked_directories, find_file
from bnrepro.screen import beside, wrapped

# Where what a key says of itself begins: the longest key with its default stands before it.
_KEY_COLUMN = 47


def groups(columns: int) -> str:
    """Every group with its choices and what their files say of themselves."""
    lines = ["groups and their choices:"]
    for group in GROUPS:
        default = main_file().choices.get(group)
        lines.append(f"  {group}={default}" if default else f"  {group}=...")
        choices = choices_of(group)
        column = 6 + max(map(len, choices), default=0)
        lines += [
            beside(f"    {choice}", _first_comment(group, choice), column, columns)
            for choice in choices
        ]
    return "\n".join(lines)


def keys(columns: int) -> str:
    """Every key with its default and what it says of itself."""
    title = "keys and their defaults (a choice may bring others; see `bnrepro run --cfg job`):"
    lines = [wrapped(title, columns)]
    for key, value in to_flat(compose([]).config).items():
        if key.endswith(".name"):
            continue
        word = str(Override(key, (value,)))
        lines.append(beside(f"  {word}", KEYS[key].help, _KEY_COLUMN, columns))
    return "\n".join(lines)


def own_files(columns: int) -> str:
    """How parts and files of a user's own are named, written and found."""
    one = "  DIR/experiment/mine.yaml, for `experiment=mine`; files of the other groups likewise:"
    adds = f"`--config-dir DIR`, or {CONFIG_DIRECTORY_VARIABLE}=DIR, adds a folder to conf/."
    keys = ", ".join(key.removesuffix(".name") for key in TAKES_OWN)
    parts = f"{keys} also take module:Name of your own (docs/own.md), as in normalization=mine:RMS."
    return f"""\
{wrapped(f"parts of your own: {parts}", columns)}
{wrapped(f"files of your own: {adds}", columns)}
{wrapped(one, columns, 4)}
    {HEADER}
    # What it is for: this line is shown above.
    defaults:
      - override /model: inception
      - override /bn: x5
    train_steps: 500
    model:
      width: 0.5
  DIR/study/mine.yaml, for `bnrepro sweep study=mine`:
    question: Does the network train without normalization?
    runs:
      - overrides: ["bn=none,x1"]
        seeds: [0, 1]"""


def _first_comment(group: str, choice: str) -> str:
    """What a file says of itself, or why it is refused."""
    directories = checked_directories()
    try:
        file = find_file(group, choice, directories)
    except ConfigError as error:
        return f"refused: {error}"
    return next(iter(file.head), "") if file else ""
