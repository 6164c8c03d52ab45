"""Feature normalization and the error surface: E1 to E3 of the laboratory, all in closed form too.

`quadratic`: the surface and descent on it. `features`: samples and their normalizations. `steps`:
what is foretold and counted on a surface. `scales`, `mini_batches`: E1.
"""

from pathlib import Path

from bnrepro.lab.error_surface import mini_batches, scales, steps
from bnrepro.lab.tables import write_table

SEEDS = tuple(range(6))
QUESTION = (
    "What do scale, mean and correlation of the features make of the error surface, and how much "
    "of it does normalization mend?"
)


def compute(folder: Path) -> None:
    """Leave the tables of E1 in `folder`."""
    write_table(folder / "scales.csv", steps.COLUMNS, scales.scales(SEEDS))
    write_table(folder / "means.csv", steps.COLUMNS, scales.means(SEEDS))
    write_table(folder / "mini_batches.csv", mini_batches.COLUMNS, mini_batches.rows(SEEDS))
