"""Changes that happen to folders of results, made up by number, and what commands then say.

Everything is read in this process, by the commands as a person gives them.
"""

import contextlib
import io
import json
import shutil
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from bnrepro import cli, load_curves, load_runs
from bnrepro.config.randomness import generator
from bnrepro.records import checksums
from bnrepro.records.record import RecordError

Random = np.random.Generator

# Of each study a part, small enough to be read in a moment.
RUNS = (
    "figure_1_plain/seed_0",
    "figure_1_plain/seed_1",
    "figure_1_bn/seed_0",
    "figure_1_bn/seed_1",
    "inception-cpu/seed_0",
    "bn_x5-cpu/seed_0",
    "bn_x30-cpu-predictions/seed_0",
    "bn_x30-cpu-predictions/seed_1",
)
# What is odd where JSON or a cell has something plain.
VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 1, 0.5, 1.5, 10**400, float("nan"), float("inf"), "", "text", "1", [], {},
    [1], {"a": 1}, "x" * 200_000, "\u202e", [[[[]]]],
)  # fmt: skip
CELLS = ("", "nan", "inf", "-inf", "-1", "1e999", "text", "0.5", "7", "x" * 200_000, '"', "١")


def copy_of_published(published: Path, folder: Path, runs: Iterable[str] = RUNS) -> Path:
    """A small folder of results, with the checksums that runs leave now."""
    for run in runs:
        directory = folder / "runs" / run
        shutil.copytree(published / "runs" / run, directory)
        (directory / checksums.FILE).write_text(checksums.contents(directory))
    return folder


def cut(path: Path, random: Random) -> None:
    raw = path.read_bytes()
    path.write_bytes(raw[: random.integers(len(raw))])


def flip_bits(path: Path, random: Random) -> None:
    raw = bytearray(path.read_bytes())
    for place in random.integers(len(raw), size=random.integers(1, 9)):
        raw[place] ^= 1 << int(random.integers(8))
    path.write_bytes(raw)


def empty(path: Path, random: Random) -> None:
    path.write_bytes(b"\0" * (path.stat().st_size if random.integers(2) else 0))


def change_ends_of_lines(path: Path, random: Random) -> None:
    mark = b"\xef\xbb\xbf" if random.integers(2) else b""
    path.write_bytes(mark + path.read_bytes().replace(b"\n", b"\r\n"))


def become_a_folder(path: Path, random: Random) -> None:
    path.unlink()
    if random.integers(2):
        path.mkdir()
    else:
        path.symlink_to(path.with_name("nowhere"))


def lose_lines(path: Path, random: Random) -> None:
    lines = path.read_bytes().split(b"\n")
    order = random.permutation(len(lines))[: random.integers(1, len(lines) + 1)]
    path.write_bytes(b"\n".join(lines[place] for place in order))


def change_a_value(path: Path, random: Random) -> None:
    """A field of a record, at any depth, becomes something odd or goes; or there is one more."""
    if path.name != "record.json":
        (change_a_cell if path.suffix == ".csv" else cut)(path, random)
        return
    fields = json.loads(path.read_text())
    at = fields
    while inner := [key for key, value in at.items() if isinstance(value, dict) and value]:
        if random.integers(2):
            break
        at = at[inner[random.integers(len(inner))]]
    key = list(at)[random.integers(len(at))]
    match random.integers(6):
        case 0:
            del at[key]
        case 1:
            at["later"] = 1
        case _:
            at[key] = VALUES[random.integers(len(VALUES))]
    path.write_text(json.dumps(fields))


def change_version(path: Path, random: Random) -> None:
    if path.name != "record.json":
        flip_bits(path, random)
        return
    versions = (0, 2, 99, "1", None, -1, [1])
    fields = {**json.loads(path.read_text()), "schema_version": versions[random.integers(7)]}
    path.write_text(json.dumps(fields))


def nest_deeply(path: Path, random: Random) -> None:
    depth = int(random.integers(1_000, 200_000))
    path.write_text("[" * depth + "]" * depth)


def change_a_cell(path: Path, random: Random) -> None:
    lines = path.read_bytes().split(b"\n")
    line = int(random.integers(len(lines)))
    cells = lines[line].split(b",")
    cells[random.integers(len(cells))] = CELLS[random.integers(len(CELLS))].encode()
    lines[line] = b",".join(cells)
    path.write_bytes(b"\n".join(lines))


def become_other_arrays(path: Path, random: Random) -> None:
    if path.suffix != ".npz":
        change_a_cell(path, random)
        return
    odd = (
        {"probabilities": np.array(["a", "b"]), "labels": np.zeros(2)},
        {"probabilities": np.zeros((3, 2, 2)), "labels": np.zeros(3)},
        {"probabilities": np.full((3, 10), np.nan), "labels": np.zeros(3)},
        {"probabilities": np.zeros((3, 10)), "labels": np.full(3, np.inf)},
        {"probabilities": np.zeros((0, 10)), "labels": np.zeros(0)},
        {"probabilities": np.zeros((3, 10), dtype=complex), "labels": np.zeros(3)},
        {"labels": np.zeros(3)},
    )
    np.savez(path, allow_pickle=False, **odd[random.integers(len(odd))])


ON_A_FILE = (cut, flip_bits, empty, change_ends_of_lines, become_a_folder, lose_lines,
             change_a_value, change_version, nest_deeply, change_a_cell, become_other_arrays,
             lambda path, random: path.unlink())  # fmt: skip


def on_a_file(change: Callable[[Path, Random], None], folder: Path, random: Random) -> list[Path]:
    """Change one file of a run; the folder of that run."""
    directory = pick(sorted(folder.glob("runs/*/*")), random)
    change(pick(sorted(path for path in directory.iterdir() if path.is_file()), random), random)
    return [directory]


def swap(folder: Path, random: Random) -> list[Path]:
    """The same file of two runs."""
    name = ("record.json", "curve.csv", "config.yaml", checksums.FILE)[random.integers(4)]
    holders = sorted(path.parent for path in folder.glob(f"runs/*/*/{name}")) or [folder]
    one, other = (pick(holders, random) / name for _ in range(2))
    if one != other and one.exists():
        kept = one.read_bytes()
        one.write_bytes(other.read_bytes())
        other.write_bytes(kept)
    return [one.parent, other.parent]


def new_name(directory: Path, random: Random) -> Path:
    """A name that a run's folder may be given, by hand or by a program that copies."""
    seed = directory.parent / f"seed_{random.integers(4, 99)}"
    names = [seed, directory.with_name(f"{directory.name} copy"), directory.with_name("seed_007")]
    names += [directory.with_name(f"{directory.name}.bak"), directory.parent / "seed_"]
    names += [directory.parent.with_name(f"{directory.parent.name} (1)") / directory.name]
    return names[random.integers(len(names))]


def rename(folder: Path, random: Random) -> list[Path]:
    directory = pick(sorted(folder.glob("runs/*/*")), random)
    target = new_name(directory, random)
    target.parent.mkdir(exist_ok=True)
    directory.rename(target)
    return [target]


def duplicate(folder: Path, random: Random) -> list[Path]:
    directory = pick(sorted(folder.glob("runs/*/*")), random)
    target = new_name(directory, random)
    shutil.copytree(directory, target)
    return [target]


def synchronize_half(folder: Path, random: Random) -> list[Path]:
    """Files that have not arrived yet, or only under a name for the time being."""
    directory = pick(sorted(folder.glob("runs/*/*")), random)
    for path in sorted(directory.iterdir()):
        if random.integers(2):
            target = path.with_name(f".{path.name}.Xa81f")
            path.rename(target) if random.integers(2) else path.unlink()
    return [directory]


KINDS: dict[str, Callable[[Path, Random], list[Path]]] = {
    "a file cut short": partial(on_a_file, cut),
    "bits flipped": partial(on_a_file, flip_bits),
    "a file emptied": partial(on_a_file, empty),
    "other ends of lines": partial(on_a_file, change_ends_of_lines),
    "a folder or a dead link in a file's place": partial(on_a_file, become_a_folder),
    "lines lost or in another order": partial(on_a_file, lose_lines),
    "a value of another kind": partial(on_a_file, change_a_value),
    "another schema version": partial(on_a_file, change_version),
    "nested very deep": partial(on_a_file, nest_deeply),
    "another cell": partial(on_a_file, change_a_cell),
    "other arrays": partial(on_a_file, become_other_arrays),
    "a file deleted": partial(on_a_file, lambda path, random: path.unlink()),
    "files of two runs swapped": swap,
    "a run renamed": rename,
    "a run copied": duplicate,
    "half synchronized": synchronize_half,
}
# The commands that read results, those that are soon done more often than the others.
_TURNS = ["table"] * 10 + ["ensemble"] * 10 + ["status"] * 8 + ["claims"] * 2 + ["figure", "report"]
COMMANDS: dict[str, tuple[str, ...]] = {
    "table": ("table",),
    "ensemble": ("ensemble", "bn_x30-cpu*"),
    "claims": ("claims", "C11", "C12"),
    "figure": ("figure", "1"),
    "report": ("report",),
    "status": ("sweep", "--status"),
}


def command_of(number: int) -> str:
    """The command that is asked after the change of that number."""
    return str(generator(number, "commands").choice(_TURNS))


@dataclass(frozen=True)
class Said:
    """What a command has left behind: its exit code, or what escaped from it, and its output."""

    code: int | None
    output: str
    error: str
    escaped: str = ""

    @property
    def is_sound(self) -> bool:
        """Whether it ended as a command may, without a traceback."""
        return self.code in (0, 2) and "Traceback" not in self.error and self.escaped == ""


def pick(paths: list[Path], random: Random) -> Path:
    return paths[random.integers(len(paths))]


def ask(command: str, folder: Path) -> Said:
    """What a command says of a folder of results."""
    output, error = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(error):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                code = cli.main([*COMMANDS[command], f"results_dir={folder}"])
        except Exception as escaped:
            return Said(None, output.getvalue(), error.getvalue(), repr(escaped))
    return Said(code, output.getvalue(), error.getvalue())


def shown(folder: Path) -> tuple[dict[tuple[str, int], tuple[str, str]], str]:
    """Each run's row and curve as text, and what was said about the others."""
    error = io.StringIO()
    with contextlib.redirect_stderr(error):
        runs = load_runs(folder).drop(columns="directory")
        curves = load_curves(folder)
    of_curve = dict(list(curves.groupby(["name", "seed"])))
    return {
        (row["name"], row["seed"]): (
            # A column's type, and what stands where there is nothing, depend on the other runs.
            repr({key: _plain(value) for key, value in row.items() if not _is_missing(value)}),
            of_curve[row["name"], row["seed"]].to_csv(index=False),
        )
        for row in runs.to_dict("records")
    }, error.getvalue()


def _is_missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and value != value)


def _plain(value: Any) -> Any:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number else value


@cache
def shown_whole(folder: Path) -> dict[tuple[str, int], tuple[str, str]]:
    return shown(folder)[0]


def faults(
    whole: Path, folder: Path, number: int, commands: Iterable[str]
) -> tuple[str, list[str]]:
    """Copy `whole` to `folder`, change it in the way of that number, ask; the kind and the faults.

    A run is shown as it was, or it is not shown and its folder is named.
    """
    random = generator(number, "mutations")
    kind = list(KINDS)[number % len(KINDS)]
    shutil.copytree(whole, folder)
    changed = KINDS[kind](folder, random)
    before = shown_whole(whole)
    found = []
    try:
        now, said = shown(folder)
    except RecordError as refused:  # no run is whole
        now, said = {}, str(refused)
    except Exception as escaped:
        return kind, [f"load_runs: {escaped!r}"]
    wrong = [run for run, facts in now.items() if facts != before.get(run)]
    if wrong:
        found.append(f"shown otherwise than measured: {wrong}")
    for name, seed in before.keys() - now.keys():
        directory = folder / "runs" / name / f"seed_{seed}"
        renamed = any(str(path) in said for path in changed)
        is_named = str(directory) in said or renamed or not now
        if (directory / "record.json").exists() and not is_named:
            found.append(f"{directory} is neither shown nor named")
    for command in commands:
        answer = ask(command, folder)
        if not answer.is_sound:
            found.append(f"{command}: {answer.code} {answer.escaped} {answer.error[-300:]}")
    return kind, found
