"""How fast the matrix products of one step of the paper's MNIST network are by themselves.

    python scripts/product_cost.py --results results/published/bench

The step (batch 60, 784-100-100-100-10) has a product forward and two backward in every layer, but
for the gradient of the images. Here XLA repeats these eleven products and nothing else, as inside
the training loop; beside them the same number of operations in large square matrices. Writes
`product_cost.csv` (`products,gflop_per_s,microseconds_per_step`).
"""

import argparse
import csv
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import tensorflow as tf

BATCH, WIDTHS = 60, (784, 100, 100, 100, 10)
REPEATS, ROUNDS = 2000, 9
SQUARE = 2048


def main() -> int:
    """Measure, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--results", type=Path, default=Path("results/published/bench"))
    options = parser.parse_args()
    operations = 2 * BATCH * (3 * sum(a * b for a, b in zip(WIDTHS, WIDTHS[1:], strict=False)))
    operations -= 2 * BATCH * WIDTHS[0] * WIDTHS[1]  # no gradient of the images
    small = seconds_of(step_products) / REPEATS
    square = tf.random.normal((SQUARE, SQUARE))
    large = seconds_of(lambda: square @ square) / (2 * SQUARE**3) * operations
    rows = [
        (words, f"{operations / seconds / 1e9:.0f}", f"{1e6 * seconds:.0f}")
        for words, seconds in (("of one step", small), ("large square matrices", large))
    ]
    table = [("products", "gflop_per_s", "microseconds_per_step"), *rows]
    with (options.results / "product_cost.csv").open("w", newline="") as stream:
        csv.writer(stream, lineterminator="\n").writerows(table)
    for row in table:
        print(",".join(row))
    return 0


@tf.function(jit_compile=True)
def step_products() -> tf.Tensor:
    """The products of `REPEATS` steps, each needing the one before: none can be left out."""
    layers = [
        (tf.random.normal((BATCH, a)), tf.random.normal((a, b)), tf.random.normal((BATCH, b)))
        for a, b in zip(WIDTHS, WIDTHS[1:], strict=False)
    ]

    def step(number: tf.Tensor, before: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        total = before
        for position, (inputs, weights, gradient) in enumerate(layers):
            inputs, gradient = inputs + 1e-6 * before, gradient + 1e-6 * before
            total += (inputs @ weights)[0, 0]
            total += tf.matmul(inputs, gradient, transpose_a=True)[0, 0]
            if position:
                total += tf.matmul(gradient, weights, transpose_b=True)[0, 0]
        return number + 1, total / 1e6

    return tf.while_loop(lambda number, _: number < REPEATS, step, (0, tf.constant(0.0)))[1]


def seconds_of(work: Callable[[], tf.Tensor]) -> float:
    """The median of some rounds after one that compiles."""
    seconds = []
    for _ in range(ROUNDS + 1):
        began = time.perf_counter()
        work().numpy()
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds[1:])


if __name__ == "__main__":
    sys.exit(main())
