"""`bnrepro surface RUN`: the loss around a finished network, in tables, a figure and a page."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from bnrepro.api.trained_model import MODEL, load_engine
from bnrepro.config.names import PROBE_MODES
from bnrepro.drawing import style, surfaces
from bnrepro.drawing.style import Panel
from bnrepro.drawing.surfaces import Plane
from bnrepro.engine import build_probe
from bnrepro.engine.surface import Surroundings
from bnrepro.records.record import read_record, write_atomically, write_rows
from bnrepro.screen.foot import foot

LINE = ("mode", "direction", "examples", "length", "loss")
PLANE = ("mode", "examples", "first", "second", "loss")
# Over so many training mini-batches go the statistics of mode `population`.
_STATISTICS_BATCHES = 4


@dataclass(frozen=True)
class Asked:
    """What is computed: odd numbers of points, from -1 to 1 along each direction."""

    points: int = 21
    plane_points: int = 11
    directions: int = 2
    examples: int = 512
    modes: tuple[str, ...] = PROBE_MODES


def surface(run: str | Path, asked: Asked, folder: str | Path) -> list[Path]:
    """Leave `lines.csv`, `plane.csv`, `surface.png`, `surface.svg` and `interactive.html`.

    What those tables say already of the same weights is not computed again, so that a finer grid
    costs its new points alone. The framework of the run must have been loaded.

    Args:
        run: the directory of a finished run.
        asked: how many points, directions and images, and what is normalized by.
        folder: where the files lie afterwards.

    Raises:
        ConfigError: if config, data or weights cannot be read.
        FileNotFoundError: if the weights are not there.
    """
    directory, folder = Path(run), Path(folder)
    engine = load_engine(directory)
    around = Surroundings(engine, build_probe(engine, _STATISTICS_BATCHES), asked.examples)
    modes = asked.modes if engine.network.batch_normalizations else asked.modes[:1]
    made = _Tables(folder, (directory / MODEL).stat().st_mtime)
    count = len(around.batch.labels)
    with foot().doing("computing the loss along lines"):
        for mode in modes:
            for number in range(asked.directions):
                compute = partial(
                    around.losses, directions=around.direction(number)[None], mode=mode
                )
                made.add("lines", LINE, (mode, number, count), _line(asked.points), compute)
    with foot().doing("computing the loss over a plane"):
        both = np.stack([around.direction(0), around.direction(1)])
        for mode in modes:
            compute = partial(around.losses, directions=both, mode=mode)
            made.add("plane", PLANE, (mode, count), _grid(asked.plane_points), compute)
    record = read_record(directory)
    files = made.write()
    return files + _drawn(f"{record.name}, seed {record.seed}", made, asked, modes, count, folder)


class _Tables:
    """What is known of the loss by table, and what was asked for this time."""

    def __init__(self, folder: Path, since: float) -> None:
        """Tables in `folder` that are older than `since`, the weights' time, are of other ones."""
        self._folder, self._since = folder, since
        self._columns: dict[str, tuple[str, ...]] = {}
        self._known: dict[str, dict[tuple[object, ...], float]] = {}

    def add(
        self,
        name: str,
        columns: tuple[str, ...],
        beginning: tuple[object, ...],
        steps: np.ndarray,
        compute: Callable[[np.ndarray], np.ndarray],
    ) -> None:
        """Compute the loss at those of `steps`, (points, k), that no row has."""
        if name not in self._known:
            self._columns[name] = columns
            self._known[name] = dict(self._read(self._folder / f"{name}.csv", columns))
        known = self._known[name]
        missing = [step for step in steps if (*beginning, *map(_rounded, step)) not in known]
        if missing:
            for step, loss in zip(missing, compute(np.stack(missing)), strict=True):
                known[*beginning, *map(_rounded, step)] = float(loss)

    def frame(self, name: str) -> pd.DataFrame:
        """All rows of a table."""
        rows = ([*key, loss] for key, loss in self._known[name].items())
        return pd.DataFrame(rows, columns=list(self._columns[name]))

    def write(self) -> list[Path]:
        """Write the tables; their paths."""
        self._folder.mkdir(parents=True, exist_ok=True)
        files = []
        for name in self._known:
            rows = self.frame(name).sort_values(list(self._columns[name][:-1]), kind="stable")
            files.append(self._folder / f"{name}.csv")
            write_rows(files[-1], self._columns[name], rows.to_numpy().tolist())
        return files

    def _read(
        self, path: Path, columns: tuple[str, ...]
    ) -> Iterator[tuple[tuple[object, ...], float]]:
        if path.is_file() and path.stat().st_mtime > self._since:
            for *key, loss in pd.read_csv(path)[list(columns)].itertuples(index=False):
                yield tuple(key), float(loss)


def _rounded(length: float) -> float:
    """Lengths of two grids that are the same but for rounding, as a table has them."""
    return round(float(length), 6) + 0.0


def _line(points: int) -> np.ndarray:
    return np.linspace(-1, 1, points)[:, None]


def _grid(points: int) -> np.ndarray:
    lengths = np.linspace(-1, 1, points)
    return np.stack(np.meshgrid(lengths, lengths, indexing="ij"), axis=-1).reshape(-1, 2)


def _drawn(
    name: str, made: _Tables, asked: Asked, modes: Iterable[str], examples: int, folder: Path
) -> list[Path]:
    """The figure and the page of what was asked for."""
    lines, plane = (_of(made.frame(each), modes, examples) for each in ("lines", "plane"))
    grid = {_rounded(length) for length in np.linspace(-1, 1, asked.plane_points)}
    plane = plane[plane["first"].isin(grid) & plane["second"].isin(grid)]
    planes = [Plane.of(str(mode), rows) for mode, rows in plane.groupby("mode", sort=False)]
    shared = surfaces.levels(planes)
    panels = [
        Panel(each.name, f"{each.name}: {each.center:.3g} at the weights", "",
              partial(surfaces.contours, plane=each, shared=shared, bar=each is planes[-1]))
        for each in planes
    ]  # fmt: skip
    panels.append(Panel("lines", "Along lines", "", partial(surfaces.lines, rows=lines)))
    caption = (
        f"Loss on {examples} training images along random filter-normalized directions, from -1 to "
        "1. Lines: median over the directions, band: least and greatest."
    )
    layout = [[panel.name for panel in panels]]
    figure = style.build(panels, layout, f"The loss around {name}", caption)
    page = folder / "interactive.html"
    write_atomically(page, surfaces.page(f"The loss around {name}", caption, planes))
    return [*style.write(figure, folder / "surface"), page]


def _of(rows: pd.DataFrame, modes: Iterable[str], examples: int) -> pd.DataFrame:
    return rows[rows["mode"].isin(list(modes)) & (rows["examples"] == examples)]
