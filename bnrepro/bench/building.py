"""Seconds that building a network takes, as it is built and as Keras would: `drawn`.

    python -m bnrepro.bench.building plain|drawn [KEY=VALUE ...]

Each in a process of its own without compiled programs at hand; prints the seconds.
"""

import sys
import time

from bnrepro.bench import workloads
from bnrepro.config import backend

HOW = ("plain", "drawn")


def main(arguments: list[str]) -> None:
    """Build the small Inception once."""
    how, *overrides = arguments
    workload = workloads.find("inception_025_32")
    config = workload.compose(True, overrides).config
    backend.select(config)
    from bnrepro import engine, models
    from bnrepro.engine import optimizers

    dataset = workloads.make_dataset(workload)
    _, *shape = dataset.train.images.shape
    if how == "drawn":
        # What Keras draws where nothing is said, only to be overwritten.
        models.UNDRAWN = models.unit.UNDRAWN = "glorot_uniform"
    started = time.perf_counter()
    recipe = config.accelerated()
    network = models.build(recipe, (shape[0], shape[1], shape[2]), dataset.num_classes)
    engine.build(network, optimizers.build(recipe), dataset, recipe)
    print(time.perf_counter() - started)


if __name__ == "__main__":
    main(sys.argv[1:])
