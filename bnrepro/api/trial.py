"""A few steps of a run, timed, and what they say of the whole: `bnrepro plan` has it made.

    python -m bnrepro.api.trial results_dir=FOLDER [KEY=VALUE ...]

What a run does is done as a run does it, each thing at least once; how often the whole run does it
is counted from the config. `FOLDER` gets the outcome, beside a run's files, which are nobody's.
"""

import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bnrepro import seconds_since_import
from bnrepro.config import ConfigError, backend
from bnrepro.config.composition import Composition, compose
from bnrepro.records.trial import Trial

if TYPE_CHECKING:
    from bnrepro.engine import Engine
    from bnrepro.training.run import Run

# Enough for a speed that stays; so long at most where much is looked at between the steps.
_TRAINING_SECONDS, _MOST_SECONDS = 10.0, 40.0
# Segments are as long as in the run, unless there would be fewer than these in that time.
_SEGMENTS = 4
# Of an evaluation split that is larger, so many bytes of images are scored, and all are counted.
_SCORED_BYTES = 2**25
# For the speed of decoding alone, and of the device alone.
_SECONDS_ALONE = 2.0
# What has more with each row of the curve.
_GROWING = ("*.csv", "tensorboard/*")


def trial(composition: Composition) -> Trial:
    """Begin the run, train it for some seconds, end it, and say what all of it would take.

    `backend.select` must have been called with the same config before. A folder of photographs
    whose files are not known yet is read once before the clock runs: later starts know them.

    Raises:
        ConfigError: on bad input or bad data.
        OutOfMemory: where memory does not suffice.
    """
    config, folder = composition.config, composition.directory
    run, share, start = _begin(composition)
    seconds_per_step = _train(run)
    run.save_checkpoint()
    checkpoint_bytes = _size(folder, "checkpoint/*")
    seconds, looks = dict(run.progress.seconds), len(run.progress.curve)
    evaluations, checkpoints = _evaluations(run), config.train_steps // config.checkpoint_every
    score = seconds["score"] / looks / share
    end = _seconds_of(run.end)
    if run.engine.network.batch_normalizations:
        end += score * (1 - share)
    growing = sum(_size(folder, pattern) for pattern in _GROWING)
    trained = run.engine.order.batch_size / seconds_per_step
    decoded, computed = _alone(run.engine, run.progress.step) or (None, trained)
    return Trial(
        device=f"{run.engine.device()}, {run.engine.kind}",
        seconds={
            "start": start,
            "training": config.train_steps * seconds_per_step,
            "evaluations": evaluations * score + _watching(run, seconds, evaluations),
            "checkpoints": checkpoints * seconds["checkpoint"],
            "end": end,
        },
        trained=trained,
        computed=computed,
        decoded=decoded,
        size_bytes=_size(folder, "**/*") + round(growing * (evaluations / looks - 1)),
        checkpoint_bytes=checkpoint_bytes * min(2, checkpoints),
    )


def _begin(composition: Composition) -> tuple["Run", float, float]:
    """The run before its first step, the share of its evaluation split that it scores, seconds."""
    from bnrepro import data
    from bnrepro.training import build_engine
    from bnrepro.training.run import Run

    before = 0.0
    if composition.config.data.name == "image_folder":
        before = _seconds_of(lambda: data.load(composition.config.data))
    engine = build_engine(composition)
    share = _score_less(engine)
    composition.directory.mkdir(parents=True)
    run = Run(composition, composition.directory, engine)
    run.begin()
    return run, share, seconds_since_import() - before - run.progress.seconds["evaluate"]


def _score_less(engine: "Engine") -> float:
    """Leave the engine a part of a large evaluation split, and give its share."""
    split = engine.dataset.evaluation
    count = len(split.labels)
    bytes_each = int(np.prod(split.images.shape[1:]))
    kept = min(count, max(engine.evaluation_batch, _SCORED_BYTES // bytes_each))
    engine.dataset = replace(engine.dataset, evaluation=split.take(np.arange(kept)))
    return kept / count


def _train(run: "Run") -> float:
    """Seconds of a step, over the later half of the segments that some seconds have room for."""
    progress, began = run.progress, time.perf_counter()
    lengths: list[tuple[int, float]] = []
    most, stop = 1, 1
    while not run.is_done:
        first, before = progress.step, progress.seconds["train"]
        following = min(run.end_of_segment(stop), stop + most)
        run.engine.read_ahead(stop, following)
        with progress.clock("train"):
            segment = run.engine.train(first, stop)
        run.advance(segment, stop)
        lengths.append((stop - first, progress.seconds["train"] - before))
        trained = sum(seconds for _, seconds in lengths)
        enough = trained >= _TRAINING_SECONDS or time.perf_counter() - began >= _MOST_SECONDS
        if enough and len(lengths) > 1:
            break
        most = max(1, int(_TRAINING_SECONDS / _SEGMENTS * lengths[-1][0] / lengths[-1][1]))
        stop = following
    later = lengths[len(lengths) // 2 :]
    return sum(seconds for _, seconds in later) / sum(steps for steps, _ in later)


def _evaluations(run: "Run") -> int:
    config = run.engine.config
    return _times(config.next_evaluation, config.train_steps)


def _times(following: Callable[[int], int], last: int) -> int:
    """How often something is due up to the step `last`: at 0, and then at the `following` one."""
    times, step = 1, following(0)
    while step <= last:
        times += 1
        step = following(step) if step < last else last + 1
    return times


def _watching(run: "Run", seconds: dict[str, float], evaluations: int) -> float:
    """Seconds of what the whole run looks at, the scores apart.

    What is due whenever the curve has a row was timed together; the rest is timed by itself.
    """
    from bnrepro import measures

    engine, config, step = run.engine, run.engine.config, run.progress.step
    together, own = seconds["evaluate"] - seconds["score"], 0.0
    for measure in measures.build(config):
        following = partial(measure.next_due, config=config)
        if following(0) == config.next_evaluation(0):
            continue
        measure.prepare(engine)
        each = _seconds_of(partial(measure.rows, engine, step))
        together -= each * _times(following, step)
        own += each * _times(following, config.train_steps)
    return own + max(0.0, together) / len(run.progress.curve) * evaluations


def _alone(engine: "Engine", step: int) -> tuple[float, float] | None:
    """Images a second by decoding alone and by the device alone; None where none are decoded."""
    from bnrepro.engine.batch import read_images

    if isinstance(engine.dataset.train.images, np.ndarray):
        return None

    def read(steps: int) -> float:
        rows = engine.order.indices(step, step + steps).ravel()
        return _seconds_of(lambda: read_images(engine.dataset.train, rows))

    def update(steps: int) -> float:
        inputs = engine.segment_inputs(step, step + steps)
        return _seconds_of(lambda: engine.update(inputs, steps))

    decoded, computed = (_steps_per_second(work, engine) for work in (read, update))
    return decoded * engine.order.batch_size, computed * engine.order.batch_size


def _steps_per_second(work: Callable[[int], float], engine: "Engine") -> float:
    """The speed of `work`, which is given a number of steps and says its seconds."""
    work(1)
    steps = min(engine.segment_steps, max(1, int(_SECONDS_ALONE / work(1))))
    return steps / work(steps)


def _seconds_of(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _size(folder: Path, pattern: str) -> int:
    return sum(path.stat().st_size for path in folder.glob(pattern) if path.is_file())


def main(words: list[str]) -> int:
    """Make the trial of the run that the words are of; gives the exit code."""
    try:
        composition = compose(words)
        threads = composition.config.threads or backend.available_threads()
        composition = replace(composition, config=replace(composition.config, threads=threads))
        backend.select(composition.config)
        trial(composition).write(Path(composition.config.results_dir))
    except ConfigError as error:
        print(f"bnrepro: {error}", file=sys.stderr)
        return 2
    except (MemoryError, OSError) as error:
        print(f"bnrepro: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
