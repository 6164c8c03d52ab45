"""What `bnrepro claims` has left below `results/claims`: verdicts, and drawings of experiments."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from bnrepro import paper
from bnrepro.records.record import RecordError
from bnrepro.report import markup
from bnrepro.report.sections import Section
from bnrepro.verdicts.reasons import CAUTION, reason
from bnrepro.verdicts.verdict import count_outcomes

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
    drawings = sorted(folder.glob("*.svg"))
    files = [f"claims/{file.name}" for file in sorted(folder.glob("*.csv"))]
    parts = [
        f'<p class="how">{markup.code(_COMMAND)} {_CRITERIA}</p>',
        markup.findings(map(markup.escape, counts)),
        markup.paragraph(CAUTION, "note"),
        *(_claim(str(name), rows) for name, rows in verdicts.groupby("claim", sort=False)),
        *(_drawing(path) for path in drawings),
        markup.data_files(files),
    ]
    return "\n".join(parts)


def _claim(name: str, verdicts: pd.DataFrame) -> str:
    stated = paper.claim(name)
    where = f"section {stated.section}" if stated.section else "not the paper's"
    rows = verdicts.drop(columns=["claim", "group"])
    caption = f"{stated.statement} ({where})"
    table = markup.table(list(rows.columns), rows.to_numpy().tolist(), caption)
    why = reason(name, list(verdicts["verdict"]))
    return f"<h3>{markup.escape(name)}</h3>{table}{markup.paragraph(why, 'note') if why else ''}"


def _drawing(path: Path) -> str:
    title = path.stem.replace("_", " ").capitalize()
    drawing = markup.drawing_file(path, f"claims-{path.stem}", title)
    return f"<h3>{markup.escape(title)}</h3>{drawing}"
