"""Feature normalization and the error surface: E1 to E3 of the laboratory, all in closed form too.

`quadratic`: the surface and descent on it. `features`: samples and their normalizations. `steps`:
what is foretold and counted on a surface. `scales`, `mini_batches`: E1. `correlation`, `images`:
E2. `paths`, `optimizers`, `noise`: E3.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from bnrepro.lab.error_surface import (
    correlation,
    images,
    mini_batches,
    noise,
    optimizers,
    paths,
    scales,
    steps,
)
from bnrepro.lab.tables import write_table
from bnrepro.records.laboratory import PUBLISHED_SCALE, SMOKE

QUESTION = (
    "What do scale, mean and correlation of the features make of the error surface, and how much "
    "of it does normalization mend?"
)
_SEEDS = {PUBLISHED_SCALE: tuple(range(6)), SMOKE: (0, 1)}


def compute(folder: Path, scale: str = PUBLISHED_SCALE) -> None:
    """Leave the tables in `folder`; images have no seed."""
    seeds = _SEEDS[scale]
    tables: dict[str, tuple[Sequence[str], Iterable[Sequence[Any]]]] = {
        "scales": (steps.COLUMNS, scales.scales(seeds)),
        "means": (steps.COLUMNS, scales.means(seeds)),
        "mini_batches": (mini_batches.COLUMNS, mini_batches.rows(seeds)),
        "correlation": (steps.COLUMNS, correlation.steps(seeds)),
        "distances": (correlation.DISTANCE_COLUMNS, correlation.distances(seeds)),
        "images": (images.COLUMNS, images.rows()),
        "surfaces": (paths.SURFACE_COLUMNS, paths.surfaces(seeds)),
        "paths": (paths.PATH_COLUMNS, paths.paths(seeds)),
        "optimizers": (optimizers.COLUMNS, optimizers.rows(seeds)),
        "noise": (noise.COLUMNS, noise.rows(seeds)),
    }
    for name, (columns, rows) in tables.items():
        write_table(folder / f"{name}.csv", columns, rows)
