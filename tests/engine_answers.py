"""What an engine does, answered in a process of its backend: see `engine_process.ask`.

A question is a function of a run's overrides; answers are NumPy arrays and plain values.
"""

import io
import itertools
import math
import os
import shutil
import signal
import tempfile
import time
import zipfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, redirect_stderr, suppress
from dataclasses import asdict, replace
from importlib import import_module
from pathlib import Path
from typing import Any, cast
from unittest.mock import patch

import keras
import numpy as np

from bnrepro import (
    data,
    load_curves,
    load_engine,
    load_model,
    load_runs,
    models,
    training,
)
from bnrepro.api import scoring, surface
from bnrepro.config import ConfigError, RunConfig
from bnrepro.config.composition import Composition, compose
from bnrepro.config.overrides import CONFIG_DIRECTORY_VARIABLE, read_all
from bnrepro.data import Split
from bnrepro.data.streaming import StreamedImages
from bnrepro.engine import Engine, build_probe
from bnrepro.engine.batch import Assembler, read_images
from bnrepro.engine.loss import kernel_positions
from bnrepro.engine.probe import Batch, Probe
from bnrepro.engine.segment import locate_divergence
from bnrepro.engine.surface import Surroundings, scores_between, solution
from bnrepro.lab.exact import law_verdicts
from bnrepro.measures import landscape
from bnrepro.measures.evaluation import evaluate, evaluate_population
from bnrepro.measures.geometric import next_batch
from bnrepro.measures.measure import Measure
from bnrepro.models.unit import Units
from bnrepro.normalization import batch, layer
from bnrepro.records.lock import run_lock
from bnrepro.records.record import CURVE_COLUMNS, RunRecord, read_record, read_rows
from bnrepro.records.run_directory import open_directory
from bnrepro.screen.foot import Foot
from bnrepro.training import build_engine
from bnrepro.training.outputs import write_model
from bnrepro.training.precision import set_precision
from bnrepro.training.progress import Progress
from bnrepro.training.run import Run
from bnrepro.verdicts.verdict import Verdict

Arrays = dict[str, np.ndarray]
Answer = dict[str, Any]


def with_own_parts(
    overrides: Sequence[str], folder: str, question: str, *arguments: Any
) -> Answer | str:
    """The answer to another question where `folder` holds modules of one's own; or the refusal."""
    with patch.dict(os.environ, {CONFIG_DIRECTORY_VARIABLE: folder}):
        try:
            answer: Answer = globals()[question](overrides, *arguments)
        except ConfigError as error:
            return str(error)
        return answer


def built(overrides: Sequence[str]) -> Answer:
    """What is watched in a run's network before it trains."""
    network = _engine(overrides).network
    return {
        "pre_activations": list(network.pre_activations),
        "batch_normalizations": [layer.name for layer in network.batch_normalizations],
        "is_dense": network.is_dense,
    }


def trained(overrides: Sequence[str], steps: int) -> Answer:
    """A training's beginning: what it started from, each step's loss and hits, how it stands."""
    engine = _engine(overrides)
    before = _weights(engine)
    segment = engine.train(0, steps)
    return {
        "before": before,
        "loss": segment.loss,
        "num_correct": segment.num_correct,
        "after": _weights(engine),
        "scores": engine.logits(engine.dataset.evaluation),
        "variables": _sums(engine.variables()),
    }


def inferences(overrides: Sequence[str], steps: int) -> Answer:
    """After a training's beginning, (loss, accuracy) by moving averages and by Algorithm 2."""
    engine = _engine(overrides)
    before = _weights(engine)
    for start in range(0, steps, engine.segment_steps):
        engine.train(start, min(start + engine.segment_steps, steps))
    after = engine.variables()
    return {
        "before": before,
        "moving_average": evaluate(engine, engine.config),
        "population": evaluate_population(engine, engine.config),
        "statistics": engine.population_statistics(
            engine.config.batch_normalization.population_batches
        ),
        "unchanged": _same(after, engine.variables()),
        "after": _weights(engine),
    }


def gradients(overrides: Sequence[str]) -> Answer:
    """The gradients of the first step, by path, and the weights that they are taken at."""
    engine = _engine(overrides)
    return {"weights": _weights(engine), "gradients": engine.gradients(0)}


def around(overrides: Sequence[str]) -> Answer:
    """Loss and gradient on a mini-batch at weights that no distribution drew, and directions."""
    engine = _engine(overrides)
    probe = build_probe(engine)
    random = np.random.default_rng(0)
    point = probe.point + 0.1 * random.normal(size=probe.layout.size)
    batch = next_batch(engine, 0)
    losses, gradients = probe.gradients(point[None], batch, "batch")
    return {
        "loss": losses[0],
        "weights": probe.layout.arrays(point),
        "gradients": probe.layout.arrays(gradients[0]),
        "directions": probe.layout.arrays(random.normal(size=len(point))),
        "images": batch.images,
        "labels": batch.labels,
    }


def around_trained(overrides: Sequence[str]) -> Answer:
    """The loss around a trained network with frozen statistics, and what Keras says there.

    `as_is` and `scaled`: a line by mode, and with the first kernel and nothing else times 10.
    """
    engine = _engine(overrides)
    engine.train(0, 5)
    probe = build_probe(engine)
    around = Surroundings(engine, probe, 30)
    directions = np.stack([around.direction(0), around.direction(1)])
    lengths = np.array([-1.0, -0.5, 0.0, 0.5, 1.0])
    plane = around.plane(directions, lengths, "frozen")
    as_is = {mode: around.line(directions[0], lengths, mode) for mode in ("batch", "frozen")}
    curvature, steepest = around.curvature("batch")
    near = 1e-4 * np.array([-1.0, 0.0, 1.0])
    random = directions[0] / np.linalg.norm(directions[0])
    near_losses = [around.line(each, near, "batch") for each in (steepest, random)]
    point, state = probe.point, engine.variables()
    larger = probe.layout.arrays(point.copy())
    larger["convolution_1/kernel"] = 10 * larger["convolution_1/kernel"]
    engine.assign({**state, **{f"model/{path}": value for path, value in larger.items()}})
    beside = Surroundings(engine, probe, 30)
    scaled = {mode: beside.line(beside.direction(0), lengths, mode) for mode in as_is}
    model = engine.network.model

    def by_keras(steps: Sequence[float]) -> float:
        moved = probe.layout.arrays(point + np.array(steps) @ directions)
        for variable in model.variables:
            variable.assign(moved.get(variable.path, state[f"model/{variable.path}"]))
        logits = np.asarray(model(around.batch.images / 255, training=False))
        largest = logits.max(axis=1)
        chosen = logits[np.arange(len(logits)), around.batch.labels] - largest
        return float((np.log(np.exp(logits - largest[:, None]).sum(axis=1)) - chosen).mean())

    return {
        "line": as_is["frozen"],
        "line_by_keras": [by_keras((length, 0)) for length in lengths],
        "plane": plane,
        "plane_by_keras": [[by_keras((one, other)) for other in lengths] for one in lengths],
        "as_is": as_is,
        "curvature": curvature,
        "curvatures_by_differences": [np.diff(each, 2)[0] / 1e-8 for each in near_losses],
        "scaled": scaled,
        "weights": probe.layout.arrays(point),
        "direction": probe.layout.arrays(directions[0]),
    }


def between_trained(overrides: Sequence[str], shares: Sequence[float]) -> Answer:
    """Scores between a network after 5 steps and after 25, and what Keras says there.

    `moving` with moving averages on the line, `anew` with statistics of two mini-batches at each
    point; `by_keras` is the former. `own` are the engine's own scores at both ends, of both kinds.
    """
    engine = _engine(overrides)
    split = engine.dataset.evaluation
    ends, own = [], []
    for start, stop in ((0, 5), (5, 25)):
        engine.train(start, stop)
        ends.append(solution(engine))
        own.append((engine.score(split), engine.population_score(2)))
    (first, second), model = ends, engine.network.model
    before = engine.variables()
    moving, constant = (
        scores_between(engine, first, other, shares, split) for other in (second, first)
    )
    anew = scores_between(engine, first, second, shares, split, statistics_batches=2)
    after = engine.variables()

    def by_keras(share: float) -> tuple[float, float]:
        for variable in model.variables:
            path = f"model/{variable.path}"
            variable.assign(first[path] + share * (second[path] - first[path]))
        logits = np.asarray(model(read_images(split, np.arange(len(split.labels))) / 255))
        largest = logits.max(axis=1)
        chosen = logits[np.arange(len(logits)), split.labels] - largest
        loss = (np.log(np.exp(logits - largest[:, None]).sum(axis=1)) - chosen).mean()
        return float(loss), float((logits.argmax(axis=1) == split.labels).mean())

    return {
        "own": np.array(own),
        "moving": moving,
        "anew": anew,
        "constant": constant,
        "by_keras": np.array([by_keras(share) for share in shares]),
        "undisturbed": all(np.array_equal(before[path], after[path]) for path in before),
    }


def surfaces_of_a_run(overrides: Sequence[str]) -> Answer:
    """The loss around a finished run: coarse, finer, the same again, and after training again."""
    computed: list[int] = []
    lines = []
    own = Surroundings.losses

    def counting(self: Surroundings, steps: np.ndarray, *others: Any, **named: Any) -> Any:
        computed[-1] += len(steps)
        return own(self, steps, *others, **named)

    with tempfile.TemporaryDirectory() as results, patch.object(Surroundings, "losses", counting):
        composition = compose([*overrides, f"results_dir={results}", "tensorboard=false"])
        folder = Path(results) / "surface"
        for points, plane, force in ((5, 3, False), (9, 5, False), (9, 5, False), (9, 5, True)):
            if force or not folder.exists():
                again = replace(composition.config, force=force)
                training.run(replace(composition, config=again))
            asked = surface.Asked(points, plane, directions=1, examples=50)
            computed.append(0)
            files = surface.surface(composition.directory, asked, folder)
            lines.append((folder / "lines.csv").read_text().splitlines()[1:])
    return {"computed": computed, "lines": lines[:2], "files": [path.name for path in files]}


def probed(overrides: Sequence[str], steps: int, modes: Sequence[str]) -> Answer:
    """What a probe says at a trained engine's weights and 1 % beside them, and all that it needs.

    The direction of the Hessian's product is the point itself, with the sign of every other entry
    turned. `undisturbed`: whether the training goes on as if nobody had looked.
    """
    alone, engine = _engine(overrides), _engine(overrides)
    for each in (alone, engine):
        each.train(0, steps)
    probe = build_probe(engine, population_batches=3)
    split, rows = engine.dataset.train, np.arange(20)
    batch = Batch(read_images(split, rows), split.labels[rows])
    points = np.stack([probe.point, 1.01 * probe.point])
    directions = points * np.resize([1.0, -1.0], points.shape[1])
    answer = {
        "layout": [
            (each.path, each.kind, each.start, each.stop) for each in probe.layout.parameters
        ],
        "points": points,
        "directions": directions,
        "modes": {mode: _looked(probe, points, directions, batch, mode) for mode in modes},
        "images": batch.images,
        "labels": batch.labels,
        "population_images": read_images(split, engine.order.indices(0, 3)),
        "variables": engine.variables(),
    }
    for each in (alone, engine):
        each.train(steps, 2 * steps)
    return {**answer, "undisturbed": _same(alone.variables(), engine.variables())}


def watched(
    overrides: Sequence[str], steps: Sequence[int], names: Sequence[str], interrupt_at: int | None
) -> Answer:
    """The rows of measures at `steps`, asked of an engine, and all that they need.

    And what a run leaves that takes them, stopped and resumed at a step where one is named, beside
    one without them.
    """
    config = compose([*overrides, f"measures=[{','.join(names)}]"]).config
    built = {name: import_module(f"bnrepro.measures.{name}").build(config) for name in names}
    engine = _engine(overrides)
    probe = build_probe(engine)
    answer: Answer = {"layout": [], "at": {}, "runs": {}}
    answer["layout"] = [(e.path, e.kind, e.start, e.stop) for e in probe.layout.parameters]
    for begin, step in itertools.pairwise([0, *steps]):
        engine.train(begin, step)
        split, (rows,) = engine.dataset.train, engine.order.indices(step, step + 1)
        answer["at"][step] = {
            "rows": {name: one.rows(engine, step) for name, one in built.items()},
            "point": probe.point,
            "images": read_images(split, rows),
            "labels": split.labels[rows],
        }
    measures = {"with": f"measures=[{','.join(names)}]", "without": "measures=[]"}
    for kind, word in measures.items():
        with tempfile.TemporaryDirectory() as results:
            words = [*overrides, word, f"results_dir={results}", "tensorboard=false"]
            composition = compose(words)
            if kind == "with" and interrupt_at is not None:
                _interrupt(composition, interrupt_at)
            end = _end_of(training.run(composition), composition)
            files = {path.name: path.read_text() for path in composition.directory.glob("*.csv")}
            answer["runs"][kind] = {"end": end, "files": files}
    return answer


def begun(overrides: Sequence[str]) -> Answer:
    """An engine's weights before its first step, and the inputs of its activations on the batch of
    that step, as it is distorted."""
    engine = _engine(overrides)
    ((rows,), inputs) = engine.order.indices(0, 1), engine.inputs(0, 1)
    distortions = {name: values[0] for name, values in inputs.distortions.items()}
    split = engine.dataset.train
    batch = engine.assembler.assemble(read_images(split, rows), np.arange(len(rows)), distortions)
    model, pre_activations = engine.model(), engine.network.pre_activations
    graph = keras.Model(model.inputs, list(pre_activations.values()))
    weights = _weights(engine)
    seen = [np.asarray(each) for each in graph(batch, training=True)]
    return {"weights": weights, "seen": dict(zip(pre_activations, seen, strict=True))}


def curved(overrides: Sequence[str], mode: str) -> Answer:
    """A Hessian's product at a trained engine's weights, and the slope of its gradients."""
    engine = _engine(overrides)
    engine.train(0, 3)
    before = engine.variables()
    probe = build_probe(engine)
    split, rows = engine.dataset.train, np.arange(20)
    batch = Batch(read_images(split, rows), split.labels[rows])
    point = probe.point
    direction = point * np.resize([1.0, -1.0], len(point))
    product = probe.hessian_products(point[None], direction[None], batch, mode)[0]
    points = np.stack([point + 1e-4 * direction, point - 1e-4 * direction])
    _, (ahead, behind) = probe.gradients(points, batch, mode)
    return {
        "product": product,
        "slope": (ahead - behind) / 2e-4,
        "undisturbed": _same(before, engine.variables()),
    }


def rescaled(overrides: Sequence[str], factor: float, lengths: Sequence[float]) -> Answer:
    """What moves of the kernels before batch normalization say, at the weights and far from them.

    `as they are`; `larger`: kernels multiplied by `factor`; `larger and farther`: and lengths by
    its square.
    """
    engine = _engine(overrides)
    around = landscape.Surroundings(build_probe(engine), next_batch(engine, 0))
    moves = list(around.moves(0.1, landscape.normalized_kernels(engine)))
    here = next(move for move in moves if move.name == "kernels")
    larger = here._replace(point=np.where(here.moved, factor * here.point, here.point))
    asked = [
        here._replace(name="as they are", lengths=np.array(lengths)),
        larger._replace(name="larger", lengths=np.array(lengths)),
        larger._replace(name="larger and farther", lengths=factor**2 * np.array(lengths)),
    ]
    values = landscape.Landscape.columns[2:]
    return {move.name: dict(zip(values, row, strict=True)) for move, row in around.looked(asked)}


def _looked(
    probe: Probe, points: np.ndarray, directions: np.ndarray, batch: Batch, mode: str
) -> Answer:
    losses, gradients = probe.gradients(points, batch, mode)
    return {
        "losses": probe.losses(points, batch, mode),
        "losses_beside_gradients": losses,
        "gradients": gradients,
        "hessian_products": probe.hessian_products(points, directions, batch, mode),
        "logits": probe.logits(points, batch, mode),
        "pre_activations": probe.pre_activations(points, batch, mode),
    }


def scored(overrides: Sequence[str]) -> Answer:
    """Class scores of the evaluation split before the first step."""
    engine = _engine(overrides)
    return {"weights": _weights(engine), "scores": engine.logits(engine.dataset.evaluation)}


def recorded(overrides: Sequence[str], interrupt_at: int | None = None) -> Answer:
    """The record and the curve of a whole run, resumed once if it is interrupted at a step."""
    with tempfile.TemporaryDirectory() as results:
        composition = compose([*overrides, f"results_dir={results}", "tensorboard=false"])
        before = _weights(build_engine(composition))
        if interrupt_at is not None:
            _interrupt(composition, interrupt_at)
        record = training.run(composition)
        (directory,) = Path(results).glob("runs/*/seed_*")
        rows = read_rows(directory / "curve.csv", CURVE_COLUMNS)
        model = load_model(directory).layers[2]
        return {
            "before": before,
            "record": asdict(record),
            "curve": [dict(zip(CURVE_COLUMNS, row, strict=True)) for row in rows],
            "after": {v.path: np.asarray(keras.ops.convert_to_tensor(v)) for v in model.variables},
        }


def recorded_after_signals(overrides: Sequence[str], batches: Sequence[int]) -> list[Answer]:
    """A run to which a signal comes at these numbers of batches, counted anew at every start.

    The status, steps and curve that each start leaves; the last one meets no signal.
    """
    with tempfile.TemporaryDirectory() as results:
        composition = compose([*overrides, f"results_dir={results}", "tensorboard=false"])
        answers = []
        for number in [*batches, 0]:
            with _signal_at_batch(number):
                record = training.run(composition)
            rows = read_rows(composition.directory / "curve.csv", CURVE_COLUMNS)
            answers.append({"record": asdict(record), "curve": [row[:-1] for row in rows]})
        return answers


@contextmanager
def _signal_at_batch(number: int) -> Iterator[None]:
    left = itertools.count(number - 1, -1)

    def reached(foot: Foot, done: int, total: int) -> None:
        if next(left) == 0:
            os.kill(os.getpid(), signal.SIGTERM)

    with patch.object(Foot, "reached", reached):
        yield


class _Left(Exception):
    """The main thread does nothing more."""


def rescued(overrides: Sequence[str], step: int) -> Answer:
    """A run whose work another thread saves in the evaluation at `step`, and which then goes on.

    The record that is left, the step of the checkpoint, and the end of both this run and one that
    nothing happens to.
    """
    with tempfile.TemporaryDirectory() as folder:
        alone, left = (
            compose([*overrides, f"results_dir={folder}/{name}", "tensorboard=false"])
            for name in ("alone", "left")
        )
        directory = open_directory(left)
        saved = _rescue_in_evaluation(
            Run(left, directory, build_engine(left), rescuable=True), step
        )
        answer = {"saved": saved, "record": asdict(read_record(directory))}
        return {**answer, "ends": [_end_of(training.run(one), one) for one in (alone, left)]}


def _rescue_in_evaluation(run: Run, step: int) -> int | None:
    found: list[int | None] = []

    def leave(done: int, total: int) -> None:
        if run.progress.step == step:
            with ThreadPoolExecutor(1) as another:
                found.append(another.submit(run.rescue, "SIGUSR1").result())
            raise _Left

    run.engine.on_batch = leave
    # Marks at every segment, however short.
    with (
        patch("bnrepro.training.kept._SECONDS_BETWEEN_MARKS", 0.0),
        patch("bnrepro.training.kept._SHARE_OF_MARKS", math.inf),
        suppress(_Left),
    ):
        run.begin()
        while not run.is_done:
            run.mark()
            stop = run.next_stop()
            run.advance(run.engine.train(run.progress.step, stop), stop)
    return found[0]


def _end_of(record: RunRecord, composition: Composition) -> Answer:
    rows = read_rows(composition.directory / "curve.csv", CURVE_COLUMNS)
    facts = record.weights_digest, record.final_accuracy_population
    return {"facts": facts, "curve": repr([row[:-1] for row in rows])}


def modelled_in_1970(overrides: Sequence[str]) -> list[tuple[int, ...]]:
    """The dates of the members of a model that is saved on a machine without a clock."""
    beginning = time.gmtime(1000.0)
    with tempfile.TemporaryDirectory() as folder:
        with patch.object(time, "localtime", lambda *_: beginning):
            write_model(Path(folder), _engine(overrides))
        with zipfile.ZipFile(Path(folder) / "model.keras") as archive:
            return [member.date_time for member in archive.infolist()]


def measured(overrides: Sequence[str], program: str, interrupt_at: int | None) -> Answer:
    """What a run leaves that also takes a measure defined by `program`, and is loaded again."""
    namespace: dict[str, Any] = {}
    exec(program, namespace)
    with tempfile.TemporaryDirectory() as results:
        composition = compose([*overrides, f"results_dir={results}", "tensorboard=false"])
        directory = composition.directory
        answer: Answer = {}
        if interrupt_at is not None:
            _go_to(composition, interrupt_at, [namespace["GradientCosine"](20)])
            killed = load_curves(results)
            answer["killed"] = list(killed["status"].unique()), list(killed["step"])
            with run_lock(directory):
                answer["going on"] = list(load_runs(results)["status"])
        record = training.run(composition, [namespace["GradientCosine"](20)])
        engine = load_engine(directory)
        snapshot = load_engine(directory, step=100)
        return answer | {
            "record": asdict(record),
            "files": {path.name: path.read_text() for path in directory.glob("*.csv")},
            "snapshots": {path.name: path.read_bytes() for path in directory.glob("snapshots/*")},
            "loaded": evaluate(engine, engine.config),
            "at snapshot": evaluate(snapshot, snapshot.config),
            "gradient": {step: _at(directory, step).gradients(step) for step in (80, 100)},
        }


def _at(directory: Path, step: int) -> Engine:
    return load_engine(directory, step=step)


def law(_: Sequence[str], name: str) -> list[Verdict]:
    """The verdicts on a law."""
    return law_verdicts(name)


def progress_kept(_: Sequence[str], values: dict[str, Any]) -> Answer:
    """What a run goes on with whose checkpoint keeps these values."""
    return asdict(Progress.kept(values))


def recorded_under_another_name(overrides: Sequence[str]) -> Answer:
    """`recorded`, where `normalization=layer` makes batch normalizations."""
    with patch.object(layer, "choose", batch.choose):
        return recorded(overrides)


def as_one_program(
    overrides: Sequence[str], members: Sequence[Sequence[str]]
) -> list[tuple[Arrays, Arrays]]:
    """Per member, all variables after three steps among the others, and of the member alone.

    The second time in their places, with the program of the first.
    """
    # Only a process of the JAX backend can import it.
    from bnrepro.engine.group import Group

    engines = [_engine([*overrides, *own]) for own in members]
    first = cast(Any, _engine([*overrides, *members[0]]))
    group = Group(first, [one.config for one in engines])
    for engine in engines:
        engine.train(0, 3)
    group.train(0, 3, range(len(members)))
    together = [engine.variables() for engine in group.engines]
    group.begin([one.config for one in reversed(engines)])
    group.train(0, 3, range(len(members)))
    together += [engine.variables() for engine in group.engines]
    alone = [engine.variables() for engine in engines]
    return list(zip(together, (*alone, *reversed(alone)), strict=True))


def asked_together(
    overrides: Sequence[str], members: Sequence[Sequence[str]], on_accelerator: bool
) -> Answer:
    """What members of a group say after three steps, all asked and one by one, and how often the
    host waited for the device; then of the first alone with another's variables."""
    from bnrepro.engine import together
    from bnrepro.engine.group import Group

    first = cast(Any, _engine([*overrides, *members[0]]))
    first.on_accelerator = on_accelerator
    composed = [compose([*overrides, *own]).config.accelerated() for own in members]
    group = Group(first, composed)
    group.train(0, 3, range(len(members)))
    fetched: list[Any] = []

    def fetch(arrays: Any) -> Any:
        fetched.append(arrays)
        return keras.tree.map_structure(np.asarray, arrays)

    with (
        patch.object(together.jax, "device_get", fetch),
        patch.object(type(first), "fetch", lambda _, arrays: fetch(arrays)),
    ):
        all_at_once = [_said(engine, step) for step in (3, 4) for engine in group.engines]
        at_once = len(fetched)
        group._together.show([])
        one_by_one = [_said(engine, step) for step in (3, 4) for engine in group.engines]
    one, other, *_ = group.engines
    group._together.show(group.engines)
    before = one.score(one.dataset.evaluation)
    one.assign(other.variables())
    return {
        "together": all_at_once,
        "alone": one_by_one,
        "fetches": (at_once, len(fetched) - at_once),
        "changed": (before, one.score(one.dataset.evaluation)),
        "other": other.score(other.dataset.evaluation),
    }


def tallied_of_members(_: Sequence[str], labels: Any, logits: Any) -> Any:
    """The sums of the losses of several members with the same labels, (members, sums)."""
    import jax

    from bnrepro.engine.member import tally_in_turn

    every = jax.vmap(tally_in_turn, in_axes=(None, 0, None))
    return np.asarray(jax.jit(every)(labels, logits, np.ones(len(labels), bool))[0])


def _said(engine: Engine, step: int) -> Answer:
    layers = list(engine.network.pre_activations)
    return {
        "score": engine.score(engine.dataset.evaluation),
        "population": engine.population_score(3),
        "summaries": engine.summaries(50, layers, PERCENTS),
        "weights": engine.weight_norms(),
        "gradients": engine.gradient_norms(step),
    }


def streamed(overrides: Sequence[str]) -> Answer:
    """Two segments of unequal length and an evaluation, of images in memory and of streamed ones.

    Under the backend's loop of steps, and step by step.
    """
    engines = [_engine(overrides), _engine(overrides)]
    engines[1]._table = None
    ends = []
    for engine in engines:
        engine.compile()
        losses = [engine.train(0, 3).loss, engine.train(3, 5).loss]
        ends.append((np.concatenate(losses), engine.variables(), engine.gradients(5)))
    return {"in_memory": ends[0], "streamed": ends[1]}


def group_of_streamed(overrides: Sequence[str]) -> str:
    """What is said to runs that would stream their images as one program."""
    from bnrepro.config import ConfigError
    from bnrepro.engine.group import Group

    engine = cast(Any, _engine(overrides))
    images = StreamedImages(np.array([]), np.array([]), 8)
    train = replace(engine.dataset.train, images=images)
    engine.dataset = replace(engine.dataset, train=train)
    try:
        Group(engine, [engine.config, engine.config])
    except ConfigError as error:
        return str(error)
    return ""


def assembled(
    overrides: Sequence[str], images: np.ndarray, indices: np.ndarray, distortions: Arrays
) -> np.ndarray:
    """The batch that the network would see if `images` were the training images."""
    assembler = _assembler(overrides, images)
    batch = assembler.assemble(keras.ops.convert_to_tensor(images), indices, distortions)
    return np.asarray(batch)


def read(_: Sequence[str], images: np.ndarray | StreamedImages, indices: np.ndarray) -> np.ndarray:
    """The images at `indices` of a split."""
    return read_images(Split(images, np.zeros(len(images), np.int32)), indices)


def scaling(overrides: Sequence[str], images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mean and the deviation per channel that scale training images."""
    assembler = _assembler(overrides, images)
    return assembler.mean, assembler.deviation


def kernels(_: Sequence[str]) -> list[str]:
    """Which variables of a separable convolution and a dense layer are kernels."""
    images = keras.Input((4, 4, 2))
    maps = keras.layers.SeparableConv2D(4, 3, name="separable")(images)
    normalized = keras.layers.BatchNormalization(name="normalization")(maps)
    scores = keras.layers.Dense(2, name="dense")(keras.layers.Flatten()(normalized))
    model = keras.Model(images, scores)
    return [model.trainable_variables[position].path for position in kernel_positions(model)]


def kinds_of_own_models(overrides: Sequence[str]) -> list[str]:
    """How models that the project does not know are trained: one dense, one with a convolution."""

    def dense(images: Any, units: Units, _: RunConfig) -> Any:
        return units.dense(keras.layers.Flatten()(images), 4, "hidden")

    def convolving(images: Any, units: Units, config: RunConfig) -> Any:
        return dense(units.convolution(images, 2, 3, "convolution"), units, config)

    composition = compose(list(overrides))
    model = replace(composition.config.model, name="own")
    own = replace(composition, config=replace(composition.config, model=model))
    kinds = []
    for features in (dense, convolving):
        with patch.dict(models._FEATURES, own=features):
            kinds.append(build_engine(own).kind)
    return kinds


def cuts(overrides: Sequence[str]) -> Answer:
    """Whether three segments end where one does."""
    engine = _engine(overrides)
    before = engine.variables()
    whole = engine.train(0, 12).loss
    end = engine.variables()
    engine.assign(before)
    parts = [engine.train(start, stop).loss for start, stop in ((0, 5), (5, 6), (6, 12))]
    return {
        "losses": bool(np.array_equal(whole, np.concatenate(parts))),
        "variables": _same(end, engine.variables()),
    }


PERCENTS = (15, 50, 85)


def looked_at(overrides: Sequence[str]) -> Answer:
    """What is said of a trained network: on the host, and reduced as on an accelerator."""
    engine = _engine(overrides)
    engine.train(0, 5)
    evaluation = engine.dataset.evaluation
    images = read_images(evaluation, np.arange(50))
    layers = list(engine.network.pre_activations)[-2:]
    engine.on_accelerator = False
    answer: Answer = {
        "logits": engine.logits(evaluation),
        "labels": evaluation.labels,
        "score": engine.score(evaluation),
        "values": {name: engine.pre_activations(images)[name] for name in layers},
        "gradients": engine.gradients(5),
        "weights": {v.path: np.asarray(v.value) for v in engine.model().trainable_variables},
        "norms": (engine.gradient_norms(5), engine.weight_norms()),
        "on_the_host": engine.summaries(50, layers, PERCENTS),
        "moments": engine.population_statistics(3),
    }
    engine.on_accelerator = True
    return {
        **answer,
        "score_at_once": engine.score(evaluation),
        "reduced": engine.summaries(50, layers, PERCENTS),
        "reduced_moments": engine.population_statistics(3),
    }


def fetched(overrides: Sequence[str], examples: int) -> Answer:
    """The bytes that an evaluation on an accelerator fetches, by what is looked at."""
    import jax

    engine = _engine(overrides)
    images = read_images(engine.dataset.evaluation, np.arange(64))
    layers = tuple(engine.network.pre_activations)
    state, step = cast(Any, engine).state, engine.loss_gradients
    scores = np.zeros((examples, 10), np.float32)
    told = {
        "score": (engine._tally, scores[:, 0].astype(np.int32), scores, scores[:, 0] == 0),
        "summaries": (engine._watch_summaries(layers, PERCENTS), state, images),
        "weights": (engine._norms, engine.weights()),
        "gradients": (lambda: engine._norms(step(0)),),
    }
    shapes = {name: jax.eval_shape(program, *given) for name, (program, *given) in told.items()}
    return {
        name: sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(shape))
        for name, shape in shapes.items()
    }


def summarized(_: Sequence[str], values: np.ndarray) -> Answer:
    """The summary of values on the host, and as an accelerator reduces them."""
    from bnrepro.engine.summary import finish, reduce, summarize

    count = values.size // values.shape[-1]
    reduced = finish(reduce(values, PERCENTS), count, PERCENTS)
    return {"on_the_host": summarize(values, PERCENTS), "reduced": reduced}


def tallied(_: Sequence[str], labels: Any, logits: Any, counted: Any) -> Answer:
    """What a tally says of class scores, and the sum of the losses that it added."""
    from bnrepro.engine.loss import losses_of
    from bnrepro.engine.tally import tally

    sums, hits, finite = tally(labels, logits, counted)
    return {
        "sums": np.asarray(sums),
        "hits": int(hits),
        "finite": int(finite),
        "losses": np.asarray(losses_of(labels, logits)),
    }


def watching(overrides: Sequence[str]) -> Answer:
    """Whether watching leaves all variables alone; the shapes of what is watched."""
    engine = _engine(overrides)
    engine.train(0, 3)
    before = engine.variables()
    watched = engine.pre_activations(read_images(engine.dataset.evaluation, np.arange(50)))
    engine.gradients(3)
    engine.population_statistics(3)
    engine.logits(engine.dataset.evaluation)
    shapes = {name: values.shape for name, values in watched.items()}
    return {"unchanged": _same(before, engine.variables()), "shapes": shapes}


def divergence(overrides: Sequence[str]) -> Answer:
    """The step that is found, whether weights are finite before and at it, and the losses."""
    engine = _engine(overrides)
    start = engine.variables()
    segment = engine.train(0, 10)
    assert segment.diverged_at_step is not None
    finite = []
    for steps in (segment.diverged_at_step - 1, segment.diverged_at_step):
        engine.assign(start)
        if steps:
            engine.train(0, steps)
        finite.append(all(bool(np.isfinite(value).all()) for value in _weights(engine).values()))
    return {
        "found": segment.diverged_at_step,
        "finite": finite,
        "length": len(segment.loss),
    }


def located(_: Sequence[str], steps: int) -> list[int]:
    """The steps that are found where the weights are finite up to step 0, 1, ... `steps - 1`."""
    return [locate_divergence(last.__ge__, steps) for last in range(steps)]


def next_gradient(overrides: Sequence[str]) -> Answer:
    """The change of the first kernel in a step, and the gradient that was watched before it."""
    engine = _engine(overrides)
    engine.train(0, 2)
    path = engine.network.model.trainable_variables[0].path
    before = _weights(engine)[path]
    gradient = engine.gradients(2)[path]
    engine.train(2, 3)
    change = before - _weights(engine)[path]
    return {"change": change, "expected": engine.config.peak_learning_rate * gradient}


def logits(overrides: Sequence[str]) -> Answer:
    """The scores of a whole split, and of its first image alone."""
    engine = _engine(overrides)
    evaluation = engine.dataset.evaluation
    alone = engine.forward(read_images(evaluation, np.arange(1)))
    return {"all": engine.logits(evaluation), "alone": alone}


def scored_as_on_an_accelerator(overrides: Sequence[str]) -> Answer:
    """The scores of a split, batch by batch and by the one program that an accelerator has."""
    engine = _engine(overrides)
    evaluation = engine.dataset.evaluation
    by_batches = engine.logits(evaluation)
    engine.on_accelerator = True
    engine.compile_scoring()
    return {
        "by_batches": by_batches,
        "at_once": engine.logits(evaluation),
        # Another split does not lie on the device.
        "train": engine.logits(engine.dataset.train)[:10],
        "train_alone": engine.forward(read_images(engine.dataset.train, np.arange(10))),
        "batches": engine.inference_batches(len(evaluation.labels)),
    }


def compiled(overrides: Sequence[str]) -> Answer:
    """Scores by the compiled program and by the model, with moving averages that have moved."""
    engine = _engine(overrides)
    random = np.random.default_rng(0)
    layers = engine.network.batch_normalizations
    moving = [v for layer in layers for v in (layer.moving_mean, layer.moving_variance)]
    engine.assign({f"model/{v.path}": random.uniform(0.2, 2, v.shape) for v in moving})
    images = read_images(engine.dataset.evaluation, np.arange(8))
    batch = engine.assembler.assemble(images, np.arange(8), {})
    plain = np.asarray(engine.model()(batch, training=False))
    return {"compiled": engine.forward(images), "plain": plain}


def _engine(overrides: Sequence[str]) -> Engine:
    return build_engine(compose(list(overrides)))


def _assembler(overrides: Sequence[str], images: np.ndarray) -> Assembler:
    labels = np.zeros(len(images), np.int32)
    recipe = compose(list(overrides)).config.accelerated()
    return Assembler.from_config(recipe, Split(images, labels))


def _interrupt(composition: Composition, step: int) -> None:
    """Begin the run and stop it at the end of the segment that reaches `step`."""
    _go_to(composition, step).interrupt("SIGTERM")


def _go_to(composition: Composition, step: int, measures: Sequence[Measure] = ()) -> Run:
    """Begin the run and leave it at the end of the segment that reaches `step`."""
    run = Run(composition, open_directory(composition), build_engine(composition), measures)
    run.begin()
    while run.progress.step < step:
        stop = run.next_stop()
        run.advance(run.engine.train(run.progress.step, stop), stop)
    return run


def _weights(engine: Engine) -> Arrays:
    """The network's variables by their path."""
    values = engine.variables()
    return {v.path: values[f"model/{v.path}"] for v in engine.network.model.variables}


def _sums(arrays: Arrays) -> dict[str, float]:
    return {name: float(np.abs(array.astype("float64")).sum()) for name, array in arrays.items()}


def _same(first: Arrays, second: Arrays) -> bool:
    return all(np.array_equal(first[name], second[name]) for name in first)


def evaluated(
    overrides: Sequence[str], asked: Sequence[tuple[Sequence[str], str | None, str | None]]
) -> Answer:
    """What `scoring.evaluate` says of a run for each (words, split, inference), or its error.

    With them the images' digests, and what the network gives for the training images, called by
    itself.
    """
    with tempfile.TemporaryDirectory() as results:
        composition = compose([*overrides, f"results_dir={results}", "tensorboard=false"])
        record = training.run(composition)
        directory = composition.directory
        answer: Answer = {"record": asdict(record), "scores": []}
        for words, split, inference in asked:
            given = read_all(words)
            try:
                (found,) = scoring.evaluate([directory], given, split=split, inference=inference)
                answer["scores"].append(asdict(found) | {"directory": found.directory.name})
            except ConfigError as error:
                answer["scores"].append(str(error).replace(str(directory), "RUN"))
        engine = load_engine(directory)
        train = engine.dataset.train
        images = np.asarray(train.images) / 255
        logits = keras.ops.convert_to_numpy(engine.network.model(images, training=False))
        answer["train"] = (logits, train.labels)
        answer["last row"] = read_rows(directory / "curve.csv", CURVE_COLUMNS)[-1]
        answer["beside bad ones"] = _scored_beside_bad_ones(composition)
        (directory / "model.keras").unlink()
        try:
            next(scoring.evaluate([directory]))
        except ConfigError as error:
            answer["without a model"] = str(error)
        return answer


def _scored_beside_bad_ones(composition: Composition) -> tuple[list[str], str]:
    """Which of three runs are scored and what is said: one is damaged, one has other weights."""
    directory = composition.directory
    damaged, foreign = (directory.with_name(f"seed_{seed}") for seed in (8, 9))
    for copy in (damaged, foreign):
        shutil.copytree(directory, copy)
    os.truncate(damaged / "model.keras", 1000)
    dataset = data.load(composition.config.data)
    config = replace(composition.config, model=replace(composition.config.model, width=0.5))
    network = models.build(config.accelerated(), dataset.train.images.shape[1:], 10)
    network.model.save(foreign / "model.keras")
    with redirect_stderr(io.StringIO()) as said:
        found = [score.directory.name for score in scoring.evaluate([damaged, directory, foreign])]
    return found, said.getvalue()


def continued(
    overrides: Sequence[str], shorter: Sequence[str], longer: Sequence[str]
) -> tuple[Answer, Answer, Answer]:
    """What three runs leave: a shorter one, a longer one below the same folder, and the longer one
    alone; each as `_left`."""
    with tempfile.TemporaryDirectory() as together, tempfile.TemporaryDirectory() as alone:
        first = _left([*overrides, *shorter, f"results_dir={together}"])
        second = _left([*overrides, *longer, f"results_dir={together}"])
        return first, second, _left([*overrides, *longer, f"results_dir={alone}"])


def _left(words: Sequence[str]) -> Answer:
    composition = compose([*words, "tensorboard=false"])
    record = training.run(composition)
    directory = composition.directory
    return {
        "record": asdict(record),
        "files": {path.name: path.read_text() for path in directory.glob("*.csv")},
        "snapshots": {path.name: path.read_bytes() for path in directory.glob("snapshots/*")},
        "checkpoints": [path.name for path in directory.glob("checkpoint/*")],
    }


def step_program(overrides: Sequence[str]) -> Answer:
    """What XLA made of a JAX engine's training program for one of its devices."""
    engine = cast(Any, _engine(overrides))
    program = engine._train_segment if engine.loops else engine._train_step
    return {"text": program.as_text(), "flops": program.cost_analysis()["flops"]}


def found_devices(overrides: Sequence[str], count: int) -> None:
    """Ask for `count` devices in a process that has those of `overrides`."""
    from bnrepro.engine.placement import place

    place(replace(compose(list(overrides)).config.accelerated(), devices=count))


def in_a_grid(
    overrides: Sequence[str], members: Sequence[Sequence[str]], block: int
) -> list[tuple[Answer, Answer]]:
    """Per member, what a grid of the laboratory tells of it, and what its own engine does."""
    from bnrepro.lab import grid

    engines = [cast(Any, _engine([*overrides, *own])) for own in members]
    steps = engines[0].config.train_steps
    configs = [engine.config for engine in engines]
    answers = []
    for one, engine in zip(
        grid.train(configs, block, grid.kernel_norm, (0, steps)), engines, strict=True
    ):
        before = grid.kernel_norm(engine)
        segment = engine.train(0, steps)
        together = {
            "diverged_at": one.diverged_at,
            "losses": one.losses,
            "seen": one.seen,
            "last_loss": one.last_loss,
        }
        alone = {
            "diverged_at": segment.diverged_at_step,
            "losses": segment.loss,
            "before": before,
            "after": grid.kernel_norm(engine),
        }
        answers.append((together, alone))
    return answers


def at_initialization(overrides: Sequence[str], factor: float = 1.0) -> dict[str, list[float]]:
    """By hidden layer before the first step: lengths of values, and of gradients by its weights.

    Of the first mini-batch, with hidden kernels that are `factor` times as large as drawn.
    """
    engine = _engine(overrides)
    layers = list(engine.network.pre_activations)
    kernels = {f"model/{layer}/kernel": value for layer, value in _kernels(engine, layers).items()}
    engine.assign({path: factor * value for path, value in kernels.items()})
    images = read_images(engine.dataset.train, engine.order.indices(0, 1)[0])
    values, gradients = engine.pre_activations(images), engine.gradients(0)
    lengths = {
        "values": [np.linalg.norm(values[layer]) for layer in layers],
        "kernels": [np.linalg.norm(gradients[f"{layer}/kernel"]) for layer in layers],
        "biases": [np.linalg.norm(gradients.get(f"{layer}/bias", np.nan)) for layer in layers],
    }
    return {name: [float(each) for each in found] for name, found in lengths.items()}


def _kernels(engine: Engine, layers: Sequence[str]) -> Arrays:
    variables = engine.variables()
    return {layer: variables[f"model/{layer}/kernel"] for layer in layers}


def lstm_of_keras(overrides: Sequence[str]) -> tuple[float, float]:
    """The largest difference of states from Keras's own layer of these weights, and the largest."""
    network = _engine(overrides).network
    for variable in network.model.trainable_variables:
        drawn = np.random.default_rng(len(variable.path)).standard_normal(variable.shape)
        variable.assign(drawn / 2)
    kernel, bias, recurrent, *_ = (np.asarray(each) for each in network.model.get_weights())
    units = recurrent.shape[0]
    bias[units : 2 * units] += 1.0  # ours adds it to the forget gates
    theirs = keras.layers.LSTM(units, dtype="float64")
    images = np.random.default_rng(0).random((6, 8, 8))
    theirs.build(images.shape)
    theirs.set_weights([kernel, recurrent, bias])
    ours = keras.Model(network.model.input, network.model.get_layer("logits").input)
    states, expected = (
        np.asarray(keras.ops.convert_to_numpy(each))
        for each in (ours(images[..., None]), theirs(images))
    )
    return float(np.abs(states - expected).max()), float(np.abs(expected).max())


def with_last_layer(overrides: Sequence[str], name: str, penalty: float) -> Answer:
    """An engine whose last layer is that of a variant, and the loss of its first step."""
    from bnrepro.lab import last_layer
    from bnrepro.records.laboratory import SMOKE

    variant = last_layer.VARIANTS[name]
    composition = compose([*overrides, *variant.words])
    set_precision(composition.config.precision)
    engine = last_layer.build(variant, penalty, composition, last_layer.SETTINGS[SMOKE])
    before = _weights(engine)
    variant.begin(engine)
    ((rows,), train) = engine.order.indices(0, 1), engine.dataset.train
    images = read_images(train, rows)
    answer = {
        "before": before,
        "weights": _weights(engine),
        "images": np.asarray(engine.assembler.assemble(images, np.arange(len(rows)), {})),
        "labels": train.labels[rows],
        "seen": engine.pre_activations(images),
        "gradients": engine.gradients(0),
        "inferred": np.asarray(engine.forward(images)),
    }
    return {**answer, "loss": engine.train(0, 1).loss[0]}
