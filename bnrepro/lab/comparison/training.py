"""The trainings of one normalization: those that are one program share an engine.

Under JAX fully connected networks that differ in numbers alone train as one program; elsewhere they
take turns on one engine, which compiles once.
"""

import math
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import cast

import keras
import numpy as np

from bnrepro import data, models
from bnrepro.config import Recipe, with_values
from bnrepro.engine import Engine, Segment, optimizers
from bnrepro.engine import build as build_engine
from bnrepro.lab.comparison.plan import Candidate, Plan, Training
from bnrepro.lab.comparison.rows import Point, Refusal, said_by
from bnrepro.measures.evaluation import evaluate
from bnrepro.models import initial_weights

# What the networks of one program may differ in.
_NUMBERS = {
    "seed": 0,
    "learning_rate": 1.0,
    "learning_rate_multiplier": 1.0,
    "initializer.scale": 1.0,
}


def train(candidate: Candidate, plan: Plan, backend: str) -> Iterator[list[Point | Refusal]]:
    """The course of each network, in any order; one answer a network."""
    waiting: list[tuple[Training, Recipe]] = []
    for training in plan.trainings():
        try:
            config = training.composition(candidate, backend).config
            waiting.append((training, config.accelerated()))
        except ValueError as error:
            yield [_refused(candidate, training, error)]
    waiting.sort(key=lambda each: repr(_program(each[1])))
    for _, group in groupby(waiting, key=lambda each: _program(each[1])):
        members = list(group)
        courses = _courses([recipe for _, recipe in members])
        for training, _ in members:
            try:
                yield [
                    Point(candidate.word, training.measure, training.setting, training.seed, *each)
                    for each in next(courses)
                ]
            except Exception as error:  # somebody's layer: whatever it raises is an answer
                courses = _again(error)
                yield [_refused(candidate, training, error)]


def _refused(candidate: Candidate, training: Training, error: Exception) -> Refusal:
    return Refusal(candidate.word, training.measure, training.setting, said_by(error))


def _again(error: Exception) -> Iterator[list[tuple[int, float]]]:
    """Fails at each network of a program as it failed at the first."""

    class Failing(Iterator[list[tuple[int, float]]]):
        def __next__(self) -> list[tuple[int, float]]:
            raise error

    return Failing()


def _program(recipe: Recipe) -> Recipe:
    return Recipe(with_values(recipe, dict(_NUMBERS)))


def _courses(recipes: list[Recipe]) -> Iterator[list[tuple[int, float]]]:
    """(step, accuracy) at each evaluation of each network; diverged ones end early."""
    keras.utils.clear_session(free_memory=False)
    engine = build(recipes[0])
    if engine.config.backend == "jax" and engine.loops and len(recipes) > 1:
        yield from _together(engine, recipes)
        return
    engine.compile()
    start = engine.variables()
    for recipe in recipes:
        _begin(engine, recipe, start)
        yield _course(engine, recipe)


def build(recipe: Recipe) -> Engine:
    """Data, network, optimizer and engine of a recipe."""
    dataset = data.load(recipe.data)
    _, *shape = dataset.train.images.shape
    network = models.build(recipe, (shape[0], shape[1], shape[2]), dataset.num_classes)
    return build_engine(network, optimizers.build(recipe), dataset, recipe)


def _begin(engine: Engine, recipe: Recipe, start: dict[str, np.ndarray]) -> None:
    """Put the engine where a new one of `recipe` would stand."""
    engine.config = recipe
    engine.order = engine.build_order(recipe)
    model = engine.network.model
    drawn = zip(model.trainable_variables, initial_weights(model, recipe), strict=True)
    weights = {f"model/{variable.path}": value for variable, value in drawn}
    random = {
        f"model/{state.path}": np.asarray([recipe.seed, 0], start[f"model/{state.path}"].dtype)
        for state in engine.network.random_states
    }
    engine.assign({**start, **weights, **random})


def _course(engine: Engine, recipe: Recipe) -> list[tuple[int, float]]:
    step, diverged = 0, False
    seen = [(0, evaluate(engine, recipe)[1])]
    while step < recipe.train_steps and not diverged:
        due = recipe.next_evaluation(step)
        while step < due and not diverged:
            stop = min(step + engine.segment_steps, due)
            diverged = engine.train(step, stop).diverged_at_step is not None
            step = stop
        seen.append((step, math.nan if diverged else evaluate(engine, recipe)[1]))
    return seen


def _together(engine: Engine, recipes: list[Recipe]) -> Iterator[list[tuple[int, float]]]:
    """All as one program, step by step."""
    from bnrepro.engine.group import Group
    from bnrepro.engine.jax import JaxEngine

    group = Group(cast(JaxEngine, engine), recipes)
    engines = group.engines
    seen = [[(0, evaluate(one, recipes[0])[1])] for one in engines]
    active, step = list(range(len(engines))), 0
    while step < recipes[0].train_steps and active:
        due = recipes[0].next_evaluation(step)
        diverged: set[int] = set()
        while step < due:
            stop = min(step + engine.segment_steps, due)
            segments = group.train(step, stop, active)
            diverged |= _diverged(active, segments)
            active, step = [place for place in active if place not in diverged], stop
        for place in (*active, *diverged):
            score = math.nan if place in diverged else evaluate(engines[place], recipes[place])[1]
            seen[place].append((step, score))
    yield from seen


def _diverged(places: Iterable[int], segments: Iterable[Segment]) -> set[int]:
    return {
        place
        for place, segment in zip(places, segments, strict=True)
        if segment.diverged_at_step is not None
    }
