"""What a run does beside its steps: seconds of each part, and the most memory up to then.

    python scripts/run_cost.py --results results/published/bench

The parts in the order of a run, from the command on, for the MNIST network of figure 1 and for the
small Inception of scale=cpu on CIFAR-10, each in a process of its own; then the parts that come
again and again, the median of several. Writes `run_cost.csv`
(`run,part,seconds,peak_gigabytes`).
"""

import argparse
import csv
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

RUNS = {
    "figure_1_bn": ("experiment=figure_1_bn", "threads=1"),
    "bn_baseline": ("experiment=bn_baseline", "scale=cpu"),
}
COLUMNS = ("run", "part", "seconds", "peak_gigabytes")
REPEATS = 9


def main() -> int:
    """Measure, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--results", type=Path, default=Path("results/published/bench"))
    parser.add_argument("--run", choices=RUNS, help="measure one here, and print it only")
    options = parser.parse_args()
    if options.run:
        csv.writer(sys.stdout, lineterminator="\n").writerows(measure(options.run))
        return 0
    table = ",".join(COLUMNS) + "\n"
    for name in RUNS:
        command = [sys.executable, __file__, "--run", name]
        table += subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    print(table, end="")
    (options.results / "run_cost.csv").write_text(table)
    return 0


def measure(name: str) -> list[tuple[str, str, str, str]]:
    """Rows of the table for one run, in this process."""
    rows = []

    def part(words: str, work: Callable[[], object]) -> None:
        began = time.perf_counter()
        work()
        add(words, time.perf_counter() - began)

    def again(words: str, work: Callable[[], object]) -> None:
        seconds = []
        for _ in range(REPEATS):
            began = time.perf_counter()
            work()
            seconds.append(time.perf_counter() - began)
        add(words, statistics.median(seconds))

    def add(words: str, seconds: float) -> None:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
        rows.append((name, words, f"{seconds:.4f}", f"{peak:.2f}"))

    began = time.perf_counter()
    from bnrepro.config import backend
    from bnrepro.config.composition import compose

    composition = compose(list(RUNS[name]))
    backend.select(composition.config)
    add("compose the config", time.perf_counter() - began)
    began = time.perf_counter()
    from bnrepro import data, models
    from bnrepro.engine import build as build_engine
    from bnrepro.engine import optimizers
    from bnrepro.measures.evaluation import evaluate
    from bnrepro.measures.percentiles import Percentiles

    add("import TensorFlow and Keras", time.perf_counter() - began)
    began = time.perf_counter()
    config = composition.config.accelerated()
    dataset = data.load(config.data)
    add("read and check the data", time.perf_counter() - began)
    began = time.perf_counter()
    _, *shape = dataset.train.images.shape
    network = models.build(config, tuple(shape), dataset.num_classes)
    engine = build_engine(network, optimizers.build(config), dataset, config)
    add("build the network and the engine", time.perf_counter() - began)
    few = dataset.evaluation.images[:64]
    first = dataset.evaluation.images[: engine.evaluation_batch]
    part("compile training", engine.compile)
    part("compile scoring", lambda: engine.forward(first))
    part("compile the watched gradient", lambda: engine.gradients(0))
    part("compile the watched activations", lambda: engine.pre_activations(few))
    again("score the evaluation split", lambda: evaluate(engine, config))
    if config.percentiles.every:
        count = config.percentiles.num_examples
        percentiles = Percentiles(count)
        percentiles.prepare(engine)
        again(f"percentiles over {count} images", lambda: percentiles.rows(engine, 0))
    again("gradient of one batch", lambda: engine.gradients(0))
    again("activations of 64 images", lambda: engine.pre_activations(few))
    steps = engine.segment_steps
    again(f"{steps} steps", lambda: engine.train(0, steps))
    return rows


if __name__ == "__main__":
    sys.exit(main())
