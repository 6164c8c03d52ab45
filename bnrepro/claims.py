"""`bnrepro claims`: run the experiments, read the records, print and write the verdicts."""

import csv
import io
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import astuple
from importlib.util import find_spec
from pathlib import Path

from bnrepro.config import ConfigError, did_you_mean, first_few
from bnrepro.exhibits import claims as studies
from bnrepro.lab import exact
from bnrepro.paper import CLAIMS, LABORATORY, LAWS, claim
from bnrepro.records.loading import reading_once
from bnrepro.records.record import write_atomically
from bnrepro.tables import markdown_table
from bnrepro.verdicts.reasons import CAUTION, reason
from bnrepro.verdicts.untested import without_verdict
from bnrepro.verdicts.verdict import COLUMNS, Verdict, count_outcomes

# In the paper's order.
_ALL = tuple(each.identifier for each in CLAIMS)
_LAWS = tuple(law.identifier for law in LAWS)
# The word that asks for all of them, and the folder of their verdicts.
_LABORATORY, _LABORATORY_FOLDER = "lab", "laboratory"
# Asked for by name: they are not the paper's.
_FURTHER = tuple(each.identifier for each in LABORATORY)
TESTED = tuple(
    name
    for name in (*_ALL, *_FURTHER)
    if name in exact.EXACT_CLAIMS or name in studies.STUDIES or name in studies.LABORATORY
)
# What leaves verdicts, and their folder; those of the laboratory's studies stand in its exhibits.
_PARTS = ((_ALL, "claims"), (_LAWS, _LABORATORY_FOLDER))


@reading_once()
def main(
    names: Sequence[str] = (), results_dir: str | Path | None = None, format: str = "text"
) -> int:
    """Test the claims called `names` and print the verdicts.

    Names are `C1` and so on, all of the paper's without any; what the laboratory tests of later
    reasons, `E1` and so on; and its laws, `X1` and so on or all of them as `lab`. A claim that is
    not tested has a line with the reason. Tables and figures go into `<results_dir>/claims/`, with
    `verdicts.csv` where all claims are asked for; of all laws it goes into
    `<results_dir>/laboratory/`. `format` is `text`, `csv` or `markdown`. Without `results_dir` it
    is `studies.folder_to_read`.

    Raises:
        ConfigError: if there is no such claim or format, or an exact experiment is asked for where
            TensorFlow is not installed.
        RecordError: if a record cannot be read.
        OSError: if the results folder cannot be written.
    """
    chosen = _choose(names)
    if format not in _FORMATS:
        raise ConfigError(
            f"format {format}: expected one of {', '.join(_FORMATS)}"
            f"{did_you_mean(format, list(_FORMATS))}"
        )
    _check_tensorflow(chosen)
    if results_dir is None:
        results_dir = studies.folder_to_read(chosen)
    verdicts: list[Verdict] = []
    for every, part in _PARTS:
        verdicts += _test([name for name in every if name in chosen], every, results_dir, part)
    for name in chosen:
        verdicts += studies.run(name, str(results_dir)) if name in _FURTHER else []
    print(_FORMATS[format](verdicts), end="")
    return 0


def _test(
    names: list[str], every: Sequence[str], results_dir: str | Path, part: str
) -> list[Verdict]:
    """The verdicts on `names`, written below the folder `part` where they are on `every` one."""
    if not names:
        return []
    folder = Path(results_dir) / part
    folder.mkdir(parents=True, exist_ok=True)
    verdicts: list[Verdict] = []
    for name in names:
        if name in (*TESTED, *_LAWS):
            print(f"testing {name}", file=sys.stderr, flush=True)
        verdicts += verdicts_on(name, folder, str(results_dir))
    if len(names) == len(every):
        write_atomically(folder / "verdicts.csv", to_csv(verdicts))
    return verdicts


def verdicts_on(name: str, folder: Path, results_dir: str) -> list[Verdict]:
    """The verdicts on one claim; the tables and figures of its experiment go into `folder`."""
    if name in _LAWS:
        return exact.run_law(name)
    if name not in TESTED:
        return [without_verdict(name)]
    if name in studies.STUDIES or name in studies.LABORATORY:
        return studies.run(name, results_dir)
    verdicts = exact.run(name, folder)
    from bnrepro.lab.figures import draw

    draw(name, folder)
    return verdicts


def to_csv(verdicts: Iterable[Verdict]) -> str:
    """One row per verdict, columns `COLUMNS`."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerows([COLUMNS, *map(astuple, verdicts)])
    return buffer.getvalue()


def to_markdown(verdicts: Iterable[Verdict]) -> str:
    """A Markdown table."""
    return markdown_table(COLUMNS, [astuple(verdict) for verdict in verdicts]) + "\n"


def to_text(verdicts: Sequence[Verdict]) -> str:
    """Lines for a terminal: each claim, its section, its verdicts with measure and criterion."""
    lines = []
    for identifier in dict.fromkeys(verdict.claim for verdict in verdicts):
        stated = claim(identifier)
        lines.append(f"{identifier} ({stated.where}): {stated.statement}")
        own = [verdict for verdict in verdicts if verdict.claim == identifier]
        for verdict in own:
            lines.append(f"  {verdict.verdict.upper():19}  {verdict.measured}")
            if verdict.criterion:
                lines.append(f"  {'':19}  criterion: {verdict.criterion}")
        why = reason(identifier, [verdict.verdict for verdict in own])
        lines += [f"  why: {why}", ""] if why else [""]
    counts = count_outcomes((verdict.claim, verdict.group, verdict.verdict) for verdict in verdicts)
    caution = [] if {verdict.claim for verdict in verdicts} <= {*_LAWS} else ["", CAUTION]
    return "\n".join([*lines, *counts, *caution]) + "\n"


def _choose(names: Sequence[str]) -> list[str]:
    known = (*_ALL, *_FURTHER, *_LAWS, _LABORATORY)
    for name in names:
        if name not in known:
            raise ConfigError(
                f"{name}: expected claims among {first_few(_ALL)}, {first_few(_FURTHER)}, or "
                f"{_LABORATORY}{did_you_mean(name, known)}"
            )
    laws = _LAWS if _LABORATORY in names else ()
    return [name for name in known if name in (*(names or _ALL), *laws) and name != _LABORATORY]


def _check_tensorflow(chosen: Sequence[str]) -> None:
    asked = [name for name in chosen if name in exact.EXACT_CLAIMS]
    if asked and find_spec("tensorflow") is None:
        raise ConfigError(
            f"{', '.join(asked)}: exact experiments are computed with TensorFlow, which is not "
            "installed; run `pip install bnrepro`, or test what rests on records: "
            f"`bnrepro claims {' '.join(studies.STUDIES)}`"
        )


_FORMATS: dict[str, Callable[[Sequence[Verdict]], str]] = {
    "text": to_text,
    "csv": to_csv,
    "markdown": to_markdown,
}
