"""What each part of the recipe costs: processor time of a training step with and without it.

    python scripts/recipe_cost.py --rounds 10 --results results/published/bench

The small Inception of scale=cpu on CIFAR-10, on one thread, where processor time is the time of a
step and another process on the machine matters little. The variants take turns. Writes
`recipe_cost.csv` (`variant,milliseconds,least,most`).
"""

import argparse
import csv
import statistics
import sys
import time
from pathlib import Path

from bnrepro.config import backend
from bnrepro.config.composition import compose

SEGMENT = 25  # steps of one round
BASE = ("experiment=inception", "scale=cpu", "threads=1")
VARIANTS = {
    "inception": (),
    "without lrn": ("lrn=false",),
    "without colour distortions": ("distortion=0",),
    "without crops and mirror images": ("data.flip=false", "data.crop_padding=0"),
    "without dropout": ("dropout=0",),
    "without L2": ("l2=0",),
    "bn_baseline": ("experiment=bn_baseline",),
    "bn_x30": ("experiment=bn_x30",),
}


def main() -> int:
    """Measure, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--results", type=Path, default=Path("results/published/bench"))
    options = parser.parse_args()
    backend.select(compose(list(BASE)).config)
    from bnrepro.training import build_engine

    engines = {name: build_engine(compose([*BASE, *words])) for name, words in VARIANTS.items()}
    milliseconds: dict[str, list[float]] = {name: [] for name in engines}
    for number in range(options.rounds + 1):
        for name, engine in engines.items():
            began = time.process_time()
            engine.train(number * SEGMENT, (number + 1) * SEGMENT)
            milliseconds[name].append(1000 * (time.process_time() - began) / SEGMENT)
    rows = [
        (name, *(f"{value:.1f}" for value in (statistics.median(values), min(values), max(values))))
        # The first round compiles.
        for name, values in ((name, values[1:]) for name, values in milliseconds.items())
    ]
    options.results.mkdir(parents=True, exist_ok=True)
    with (options.results / "recipe_cost.csv").open("w", newline="") as stream:
        table = [("variant", "milliseconds", "least", "most"), *rows]
        csv.writer(stream, lineterminator="\n").writerows(table)
    for row in table:
        print(",".join(row))
    return 0


if __name__ == "__main__":
    sys.exit(main())
