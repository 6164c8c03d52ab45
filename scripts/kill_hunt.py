"""Kill runs and ask them to stop at random moments; see that they end as if nothing had happened.

    python scripts/kill_hunt.py --kills 50 --signals 40 --results results/published/resilience

For each backend and optimizer one run goes through undisturbed; the same run is then started,
killed and started again, until it has been killed as often as planned, and finished. Dropout,
distortions and percentiles are on, and a checkpoint is written every few hundred steps, so that
moments within a checkpoint and within the last writing are among those hit. Compared are
`curve.csv` but for its times, `weights_digest`, percentiles and TensorBoard's steps, exactly.
Writes `kills.csv` (a row a kill) and `summary.csv` (a row a run).

Of each backend another run, with an evaluation, a population pass and percentiles that take their
time, is sent the signals that ask to stop, in turn, from its first moment on: before Python has
begun, while it loads, compiles, trains, evaluates. It must have the signal's exit code and go on to
the same bits. Writes `signals.csv` (a row a signal). Exit code 1 on any difference.
"""

import argparse
import json
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle, islice, product
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from runs import START_SECONDS, essence, finish, only_directory, start

from bnrepro.config import BACKENDS, OPTIMIZERS
from bnrepro.config.randomness import generator
from bnrepro.records.record import write_rows
from bnrepro.screen.signals import heeded

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
# Every phase takes its time: convolutions, statistics from many batches, each evaluation.
SLOW_RUN = (
    "model=inception",
    "bn=x1",
    "batch_size=8",
    "train_steps=120",
    "evaluate_every=40",
    "batch_normalization.inference=population",
    "batch_normalization.population_batches=400",
    "percentiles.every=40",
    "percentiles.num_examples=50",
    "threads=1",
)
KILL_COLUMNS = ("backend", "optimizer", "kill", "seconds_after_first_step", "found")
SUMMARY_COLUMNS = ("backend", "optimizer", "kills", "identical")
SIGNAL_COLUMNS = ("backend", "signal", "seconds_after_start", "seconds_to_end", "exit_code",
                  "goes_on_from_step", "identical")  # fmt: skip


def main() -> int:
    """Hunt, write the tables, and say how it went."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--signals", type=int, default=40)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--results", type=Path, default=Path("results/published/resilience"))
    options = parser.parse_args()
    options.results.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(options.workers) as pool:
        good = [
            kill_all(pool, options.kills, options.results) if options.kills else True,
            signal_all(pool, options.signals, options.results) if options.signals else True,
        ]
    return 0 if all(good) else 1


def kill_all(pool: ThreadPoolExecutor, number: int, results: Path) -> bool:
    """Whether runs of every backend and optimizer end as if nothing had happened."""
    variants = list(product(BACKENDS, OPTIMIZERS))
    hunts = pool.map(lambda pair, share: hunt(*pair, share), variants, shares(number, variants))
    kills, summary = [], []
    for (backend, optimizer), (rows, identical) in zip(variants, hunts, strict=True):
        kills += rows
        summary.append((backend, optimizer, len(rows), identical))
        print(f"{backend} {optimizer}: {len(rows)} kills, identical: {identical}", flush=True)
        write_rows(results / "kills.csv", KILL_COLUMNS, kills)
        write_rows(results / "summary.csv", SUMMARY_COLUMNS, summary)
    return all(identical for *_, identical in summary)


def signal_all(pool: ThreadPoolExecutor, number: int, results: Path) -> bool:
    """Whether runs of both backends leave with the signals' codes and go on to the same bits."""
    signals: list[tuple] = []
    for rows in pool.map(hunt_with_signals, BACKENDS, shares(number, BACKENDS)):
        signals += rows
        print(f"{rows[0][0]}: {len(rows)} signals", flush=True)
        write_rows(results / "signals.csv", SIGNAL_COLUMNS, signals)
    return all(identical and code == 128 + signal.Signals[name]
               for _, name, _, _, code, _, identical in signals)  # fmt: skip


def shares(number: int, parts: Sequence) -> list[int]:
    """How many of `number` fall to each of the parts, as equally as can be."""
    return [len(range(n, number, len(parts))) for n in range(len(parts))]


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


def hunt_with_signals(backend: str, planned: int) -> list[tuple]:
    """Send one run signals at random moments, `planned` times; the rows of the table."""
    words = (*SLOW_RUN, f"backend={backend}")
    random = generator(0, f"signals/{backend}")
    rows: list[tuple] = []
    with tempfile.TemporaryDirectory() as folder:
        undisturbed, disturbed = Path(folder) / "undisturbed", Path(folder) / "disturbed"
        finish(undisturbed, *words)
        length = record_of(undisturbed)["seconds"]["total"]
        of_this_run: list[tuple] = []
        for number in islice(cycle(heeded()), planned):
            while (left := ask_once(disturbed, words, number, random.uniform(0, length))) is None:
                rows += judged(of_this_run, disturbed, undisturbed)
                of_this_run = []
                shutil.rmtree(disturbed)
            of_this_run.append((backend, number.name, *left))
        finish(disturbed, *words)
        return rows + judged(of_this_run, disturbed, undisturbed)


def ask_once(
    results: Path, words: tuple[str, ...], number: signal.Signals, wait: float
) -> tuple | None:
    """Start the run and signal it `wait` seconds later: what the table says of it.

    None if it had ended by itself before.
    """
    process = start(results, *words)
    time.sleep(wait)
    if process.poll() is not None:
        process.communicate()
        return None
    process.send_signal(number)
    sent = time.monotonic()
    process.communicate(timeout=START_SECONDS)
    seconds = time.monotonic() - sent
    if process.returncode == 0:
        return None
    # A process that a signal ends before it can listen has that code, too, as a shell tells it.
    code = 128 - process.returncode if process.returncode < 0 else process.returncode
    begun = any(results.glob("runs/*/seed_*/record.json"))
    step = record_of(results)["train_steps"] if begun else 0
    return round(wait, 3), round(seconds, 3), code, step


def judged(rows: list[tuple], disturbed: Path, undisturbed: Path) -> list[tuple]:
    """The rows of a run that has finished, with whether it ended as the undisturbed one."""
    same = essence(only_directory(disturbed)) == essence(only_directory(undisturbed))
    return [(*row, same) for row in rows]


def training_seconds(results: Path) -> float:
    """How long the undisturbed run took from its first step to its record."""
    seconds = record_of(results)["seconds"]
    return sum(seconds[name] for name in ("train", "evaluate", "checkpoint", "population"))


def record_of(results: Path) -> dict:
    """The record of the only run there."""
    return json.loads((only_directory(results) / "record.json").read_text())


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


if __name__ == "__main__":
    sys.exit(main())
