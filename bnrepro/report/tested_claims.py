"""What `bnrepro claims` has left below `results/claims`: verdicts, and drawings of experiments."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from bnrepro import paper
from bnrepro.lab.figures import NAMES
from bnrepro.records.record import RecordError
from bnrepro.report import markup
from bnrepro.report.sections import Section
from bnrepro.verdicts.reasons import CAUTION, reason
from bnrepro.verdicts.verdict import UNTESTED, count_outcomes

_CRITERIA = (
    "The criteria were committed before the first record of a study, but where one says "
    "otherwise; those of the exact experiments came with the experiments."
)
_COMMAND, _TITLE = "bnrepro claims", "The paper's claims, tested"


def section(results_dir: str) -> Section:
    """How many claims hold, then each with its verdicts; or why it is left out.

    Raises:
        RecordError: if the verdicts cannot be read.
    """
    folder = Path(results_dir) / "claims"
    path = folder / "verdicts.csv"
    if not path.exists():
        line = f"no verdicts are there; make them with: {_COMMAND}"
        return Section("claims", _TITLE, markup.missing(line))
    verdicts = _read(path)
    counts = count_outcomes(verdicts[["claim", "group", "verdict"]].itertuples(index=False))
    finding = f"Tests of the paper's claims, by what they rest on. {'; '.join(counts)}."
    return Section("claims", _TITLE, _body(folder, verdicts, counts), findings=[finding])


def _read(path: Path) -> pd.DataFrame:
    try:
        verdicts = pd.read_csv(path, dtype=str, keep_default_na=False)
        return verdicts[["claim", "group", "measured", "criterion", "verdict"]]
    except (OSError, ValueError, KeyError) as error:
        raise RecordError(
            f"{path}: cannot be read as verdicts ({error}); make them again with: {_COMMAND}"
        ) from error


def _body(folder: Path, verdicts: pd.DataFrame, counts: Sequence[str]) -> str:
    files = [f"claims/{file.name}" for file in sorted(folder.glob("*.csv"))]
    parts = [
        f'<p class="how">{markup.code(_COMMAND)} {_CRITERIA}</p>',
        markup.findings(map(markup.escape, counts)),
        markup.paragraph(CAUTION, "note"),
        *_untested(verdicts),
        *(_claim(folder, str(name), rows) for name, rows in verdicts.groupby("claim", sort=False)),
        markup.data_files(files),
    ]
    return "\n".join(parts)


def _untested(verdicts: pd.DataFrame) -> list[str]:
    """How many of the claims have no verdict, where there are such."""
    missing = verdicts["claim"][verdicts["group"] == UNTESTED].nunique()
    every = verdicts["claim"].nunique()
    line = f"{missing} of the {every} claims have no verdict; the reason stands at each of them."
    return [markup.paragraph(line, "note")] if missing else []


def _claim(folder: Path, name: str, verdicts: pd.DataFrame) -> str:
    """A claim's verdicts, why some of them are not reproduced, and what is drawn for it."""
    stated = paper.claim(name)
    rows = verdicts.drop(columns=["claim", "group"])
    caption = f"{stated.statement} ({stated.where})"
    table = markup.table(list(rows.columns), rows.to_numpy().tolist(), caption)
    why = reason(name, list(verdicts["verdict"]))
    note = markup.paragraph(why, "note") if why else ""
    return f"<h3>{markup.escape(name)}</h3>{table}{note}{_drawing(folder, name)}"


def _drawing(folder: Path, claim: str) -> str:
    """What `bnrepro claims` has drawn for a claim, which says in itself what it shows."""
    path = folder / f"{NAMES.get(claim, '')}.svg"
    if not path.is_file():
        return ""
    words = f"{claim}: {path.stem.replace('_', ' ')}, as the table above says"
    return markup.drawing_file(path, f"claims-{path.stem}", words)
