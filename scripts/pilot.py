"""What the pilot of figure 2 in the paper's proportions decides.

    python scripts/pilot.py [results/published]

Prints a table of Markdown with one row per number of training images, the chosen one first.
"""

import sys

from bnrepro import load_curves, load_runs
from bnrepro.exhibits.figure_2.pilot import Regime, regimes
from bnrepro.records.study_records import find
from bnrepro.tables import markdown_table

COLUMNS = [
    "training images",
    "rise per 1,000 steps over the last fifth",
    "Inception after 40 % of its steps",
    "Inception at its end",
    "BN-x30 at its end",
    "base rate",
    "primary target",
]


def row(regime: Regime) -> list[str]:
    """The cells of one regime, in the order of `COLUMNS`; seeds are separated by commas."""
    return [
        f"{regime.train_examples:,}",
        f"{1e5 * regime.slope:.3f} points",
        percents(regime.target_accuracies),
        percents(regime.inception_ends),
        percents(regime.bn_x30_ends),
        f"{regime.base_rate:g}",
        f"{100 * regime.target:.0f} %",
    ]


def percents(accuracies: tuple[float, ...]) -> str:
    """Accuracies in percent."""
    return ", ".join(f"{100 * accuracy:.2f} %" for accuracy in accuracies)


if __name__ == "__main__":
    results_dir = sys.argv[1] if len(sys.argv) > 1 else "results/published"
    runs = find("pilot", load_runs(results_dir), results_dir).runs
    print(
        markdown_table(COLUMNS, [row(regime) for regime in regimes(runs, load_curves(results_dir))])
    )
