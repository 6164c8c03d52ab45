"""Kill runs with SIGKILL at random moments and see that they end as if nothing had happened.

    python scripts/kill_hunt.py --kills 50 --results results/published/resilience

For each backend and optimizer one run goes through undisturbed; the same run is then started,
killed and started again, until it has been killed as often as planned, and finished. Dropout,
distortions and percentiles are on, and a checkpoint is written every few hundred steps, so that
moments within a checkpoint and within the last writing are among those hit. Compared are
`curve.csv` but for its times, `weights_digest`, percentiles and TensorBoard's steps, exactly.
Writes `kills.csv` (a row a kill) and `summary.csv` (a row a run); exit code 1 on any difference.
"""

import argparse
import csv
import shutil
import signal
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from runs import essence, finish, only_directory, start

from bnrepro.config import BACKENDS, OPTIMIZERS
from bnrepro.config.randomness import generator

CHECKPOINT_EVERY = 250
RUN = (
    "model=mlp",
    "train_steps=8000",
    "learning_rate=0.01",
    "dropout=0.2",
    "distortion=0.5",
    "data.crop_padding=1",
    "data.flip=true",
    "percentiles.every=1000",
    "percentiles.num_examples=50",
    f"checkpoint_every={CHECKPOINT_EVERY}",
    "threads=1",
)
KILL_COLUMNS = ("backend", "optimizer", "kill", "seconds_after_first_step", "found")
SUMMARY_COLUMNS = ("backend", "optimizer", "kills", "identical")


def main() -> int:
    """Hunt, write the two tables, and say how it went."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--results", type=Path, default=Path("results/published/resilience"))
    options = parser.parse_args()
    variants = list(product(BACKENDS, OPTIMIZERS))
    planned = [len(range(n, options.kills, len(variants))) for n in range(len(variants))]
    options.results.mkdir(parents=True, exist_ok=True)
    kills, summary = [], []
    with ThreadPoolExecutor(options.workers) as pool:
        hunts = pool.map(lambda variant, number: hunt(*variant, number), variants, planned)
        for (backend, optimizer), (rows, identical) in zip(variants, hunts, strict=True):
            kills += rows
            summary.append((backend, optimizer, len(rows), identical))
            print(f"{backend} {optimizer}: {len(rows)} kills, identical: {identical}", flush=True)
            write(options.results / "kills.csv", KILL_COLUMNS, kills)
            write(options.results / "summary.csv", SUMMARY_COLUMNS, summary)
    good = all(identical for *_, identical in summary)
    print(f"{len(kills)} kills; {'every run ended as if undisturbed' if good else 'DIFFERENCES'}")
    return 0 if good else 1


def hunt(backend: str, optimizer: str, planned: int) -> tuple[list[tuple], bool]:
    """Kill one run `planned` times; (rows of kills, whether it ended as the undisturbed one)."""
    words = (*RUN, f"backend={backend}", f"optimizer={optimizer}")
    random = generator(0, f"kills/{backend}/{optimizer}")
    with tempfile.TemporaryDirectory() as folder:
        undisturbed, disturbed = Path(folder) / "undisturbed", Path(folder) / "disturbed"
        finish(undisturbed, *words)
        length = training_seconds(undisturbed)
        rows: list[tuple] = []
        while len(rows) < planned:
            wait = float(random.uniform(0, 1.1 * length))
            found = kill_once(disturbed, words, wait)
            if found is not None:
                rows.append((backend, optimizer, len(rows) + 1, round(wait, 3), found))
                continue
            # It was done before the kill came: what comes next is a new run.
            if essence(only_directory(disturbed)) != essence(only_directory(undisturbed)):
                return rows, False
            shutil.rmtree(disturbed)
        finish(disturbed, *words)
        same = essence(only_directory(disturbed)) == essence(only_directory(undisturbed))
    return rows, same


def training_seconds(results: Path) -> float:
    """How long the undisturbed run took from its first step to its record."""
    import json

    record = json.loads((only_directory(results) / "record.json").read_text())
    seconds = record["seconds"]
    return sum(seconds[name] for name in ("train", "evaluate", "checkpoint", "population"))


def kill_once(results: Path, words: tuple[str, ...], wait: float) -> str | None:
    """Start the run, kill it `wait` seconds after training began; what was found on disk.

    None if it had ended by itself before.
    """
    process = start(results, *words)
    while process.poll() is None and not training_has_begun(results, process.pid):
        time.sleep(0.005)
    time.sleep(wait)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    if process.returncode == 0:
        return None
    directory = only_directory(results)
    if any(path.name.startswith(".") for path in directory.rglob("*")):
        return "killed while writing a file"
    newest = sorted(path.stem for path in directory.glob("checkpoint/*.ckpt"))
    return f"killed after the checkpoint of step {int(newest[-1])}" if newest else "killed"


def training_has_begun(results: Path, process: int) -> bool:
    """Whether this process has written event files: it does so at its first evaluation."""
    return any(f".{process}." in path.name for path in results.rglob("events.out.tfevents.*"))


def write(path: Path, columns: tuple[str, ...], rows: list[tuple]) -> None:
    """Write a CSV file."""
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)


if __name__ == "__main__":
    sys.exit(main())
