"""How many photographs a second are decoded: by a bare decoder, by the reader, by `grain`.

    python scripts/decoding_cost.py --results results/published/bench

Photographs of ImageNet's usual size, 500 x 375 in about 110,000 bytes, are made of CIFAR-10's, 16
by 12 of them in one, and decoded to 224 x 224 on all cores. The contenders take turns, a round
each, in processes of their own; what a loader has decoded ahead is taken from it before its clock
runs. `grain` calls the same decoder as the reader; where it is not installed (`pip install grain`),
it is left out. Writes
`decoding_cost.csv` (`decoder,images_per_second,least,most,share_of_bare_decoder`): medians over the
rounds, and the median of the rounds' shares.
"""

import argparse
import csv
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from importlib.util import find_spec
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from PIL import Image

from bnrepro import data
from bnrepro.config.composition import compose
from bnrepro.config.randomness import generator
from bnrepro.data.streaming import StreamedImages, decode

SIZE, BATCH = 224, 32
ROWS, COLUMNS_OF_IMAGES, HEIGHT, WIDTH = 12, 16, 375, 500
# With it a file is as large as ImageNet's are on average.
JPEG_QUALITY = 93
NUM_PHOTOGRAPHS, ROUNDS = 960, 9
CORES = len(os.sched_getaffinity(0))
COLUMNS = ("decoder", "images_per_second", "least", "most", "share_of_bare_decoder")
BARE = "decode and resize, a process a core"

# What a process of grain's keeps between two rounds: its pipeline, which goes on.
_PIPELINE: list[Iterator[np.ndarray]] = []


def main() -> int:
    """Measure, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--results", type=Path, default=Path("results/published/bench"))
    options = parser.parse_args()
    speeds: dict[str, list[float]] = {name: [] for name in contenders()}
    with TemporaryDirectory() as folder, ExitStack() as stack:
        paths = make_photographs(Path(folder))
        pools = {
            name: stack.enter_context(ProcessPoolExecutor(count, get_context("spawn")))
            for name, (_, count) in contenders().items()
        }
        for number in range(ROUNDS + 1):
            for name, (work, count) in contenders().items():
                speed = len(paths) / play(pools[name], work, paths, count)
                if number:  # the first one warms up
                    speeds[name].append(speed)
    table = [COLUMNS, *(row(name, speeds) for name in speeds)]
    with (options.results / "decoding_cost.csv").open("w", newline="") as stream:
        csv.writer(stream, lineterminator="\n").writerows(table)
    csv.writer(sys.stdout, lineterminator="\n").writerows(table)
    return 0


def contenders() -> dict[str, tuple[Callable[[list[Path]], float], int]]:
    """Who decodes the photographs, and in how many processes."""
    here = {
        "JPEG decoding alone, a process a core": (unfold, CORES),
        BARE: (decode_each, CORES),
        "reader": (read, 1),
    }
    if find_spec("grain") is None:
        print("grain is not installed: it is left out", file=sys.stderr)
        return here
    return here | {
        "grain, threads": (grain_threads, 1),
        "grain, a process a core": (grain_processes, 1),
    }


def play(
    pool: ProcessPoolExecutor, work: Callable[[list[Path]], float], paths: list[Path], count: int
) -> float:
    """Seconds of one round."""
    return max(pool.map(work, [paths[number::count] for number in range(count)]))


def row(name: str, speeds: dict[str, list[float]]) -> tuple[str, ...]:
    """One contender's row of the table."""
    shares = [one / bare for one, bare in zip(speeds[name], speeds[BARE], strict=True)]
    values = statistics.median(speeds[name]), min(speeds[name]), max(speeds[name])
    return name, *(f"{value:.0f}" for value in values), f"{statistics.median(shares):.2f}"


def make_photographs(folder: Path) -> list[Path]:
    """JPEGs of ImageNet's size, each of another choice of CIFAR-10's test images."""
    images = data.load(compose(["data=cifar10"]).config.data).evaluation.images
    chosen = generator(0, "photographs").integers(
        len(images), size=(NUM_PHOTOGRAPHS, ROWS, COLUMNS_OF_IMAGES)
    )
    paths = [folder / f"{number}.jpg" for number in range(NUM_PHOTOGRAPHS)]
    for path, rows in zip(paths, chosen, strict=True):
        mosaic = np.concatenate([np.concatenate(list(images[part]), axis=1) for part in rows])
        Image.fromarray(mosaic[:HEIGHT, :WIDTH]).save(path, quality=JPEG_QUALITY)
    return paths


def clocked(results: Iterable[object]) -> float:
    """Seconds until there are all of them."""
    began = time.perf_counter()
    for _ in results:
        pass
    return time.perf_counter() - began


def unfold(paths: list[Path]) -> float:
    """Decode JPEGs to their own pixels."""

    def pixels(path: Path) -> None:
        with Image.open(path) as image:
            image.load()

    return clocked(map(pixels, paths))


def decode_each(paths: list[Path]) -> float:
    """Decode JPEGs as a training needs them."""
    return clocked(map(decode_one, paths))


def decode_one(path: Path) -> np.ndarray:
    """What `grain` calls for each photograph, too."""
    return decode(path, SIZE)


def read(paths: list[Path]) -> float:
    """As a training reads them."""
    images, batches = StreamedImages.listed(paths, SIZE), [np.arange(len(paths))]
    return clocked(map(images.read, batches))


def grain_threads(paths: list[Path]) -> float:
    """Batches that grain has made by threads."""
    import grain

    options = grain.ReadOptions(num_threads=CORES, prefetch_buffer_size=CORES)
    return grain_seconds(paths, lambda batches: batches.to_iter_dataset(options), CORES)


def grain_processes(paths: list[Path]) -> float:
    """Batches that grain has made by processes."""
    import grain
    from absl import flags

    flags.FLAGS.mark_as_parsed()  # grain reads some, and this is no program of absl's
    each = grain.ReadOptions(num_threads=1, prefetch_buffer_size=1)
    workers = grain.MultiprocessingOptions(CORES, per_worker_buffer_size=1)
    return grain_seconds(
        paths, lambda batches: batches.to_iter_dataset(each).mp_prefetch(workers), 3 * CORES
    )


def grain_seconds(paths: list[Path], ahead: Callable[[Any], Any], num_ahead: int) -> float:
    """Seconds of a round of a pipeline that may have `num_ahead` batches ready before."""
    import grain

    if not _PIPELINE:
        batches = grain.MapDataset.source(paths).repeat().map(decode_one).batch(BATCH)
        _PIPELINE.append(iter(ahead(batches)))
    (pipeline,) = _PIPELINE
    clocked(islice(pipeline, num_ahead))
    return clocked(islice(pipeline, len(paths) // BATCH))


if __name__ == "__main__":
    sys.exit(main())
