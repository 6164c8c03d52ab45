"""How far from 0 what a trained network normalizes is: its mean in standard deviations.

    python scripts/normalization_offsets.py results/published/runs/cnn-mnist-x1/seed_0 ...

From the moving averages in `model.keras` of each run: for every layer of batch normalization the
median over its features of |mean| / standard deviation, as CSV (`run,layer,offset`). Statistics
that are off by one part in so many move what is normalized by a whole standard deviation.
"""

import argparse
import csv
import sys
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np

import bnrepro


def main() -> int:
    """Print a row a layer."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+", type=Path, help="directories of runs")
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(("run", "layer", "offset"))
    for run in parser.parse_args().runs:
        writer.writerows((run, layer, f"{offset:.3g}") for layer, offset in offsets(run))
    return 0


def offsets(run: Path) -> Iterator[tuple[str, float]]:
    """Each layer of batch normalization with its offset, in the order of the network."""
    for layer in bnrepro.load_model(run).layers[2].layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            mean, variance = (
                np.asarray(values) for values in (layer.moving_mean, layer.moving_variance)
            )
            yield layer.name, float(np.median(np.abs(mean) / np.sqrt(variance + layer.epsilon)))


if __name__ == "__main__":
    sys.exit(main())
