"""What a normalization costs: time a step beside no normalization, parameters, state."""

import time
from collections.abc import Iterator
from statistics import median
from typing import Any

import numpy as np

from bnrepro.engine import Engine
from bnrepro.lab.comparison.plan import ROWS, Candidate, Plan, Training
from bnrepro.lab.comparison.rows import CostRow, Refusal, said_by
from bnrepro.lab.comparison.training import build

NONE = Candidate("none")
_NETWORKS = {
    "inception": Training("cost", "inception", (f"experiment={ROWS[0]}", "scale=smoke"), 0),
    "mlp": Training("cost", "mlp", ("model=mlp", "activation=relu", "train_steps=400"), 0),
}
# So many calls of an engine are one measurement: a third of a second and more.
_SECONDS = 0.3


def measure(
    candidates: list[Candidate], plan: Plan, backend: str
) -> Iterator[list[CostRow | Refusal]]:
    """The cost of each candidate in each network; in a round all take turns."""
    words = dict.fromkeys([*candidates, NONE])
    for network, training in _NETWORKS.items():
        engines: dict[Candidate, Engine] = {}
        refused: list[CostRow | Refusal] = []
        for candidate in words:
            try:
                config = training.composition(candidate, backend).config.accelerated()
                engines[candidate] = build(config)
                engines[candidate].compile()
            except Exception as error:  # somebody's layer: whatever it raises is an answer
                refused.append(Refusal(candidate.word, "cost", network, said_by(error)))
        seconds = _rounds(engines, plan.timed_rounds)
        yield [
            *refused,
            *(
                _row(candidate, network, engines[candidate], times, seconds[NONE])
                for candidate, times in seconds.items()
                if candidate in candidates
            ),
        ]


def _rounds(engines: dict[Candidate, Engine], rounds: int) -> dict[Candidate, list[float]]:
    """Seconds a step of each engine, round by round."""
    segments = max(1, round(_SECONDS / _segment(engines[NONE])))
    taken: dict[Candidate, list[float]] = {candidate: [] for candidate in engines}
    for engine in engines.values():
        _segment(engine)
    for _ in range(rounds):
        for candidate, engine in engines.items():
            times = [_segment(engine) for _ in range(segments)]
            taken[candidate].append(sum(times) / len(times) / engine.segment_steps)
    return taken


def _segment(engine: Engine) -> float:
    """Processor seconds of one call; what it trains does not matter."""
    state = engine.copy_state()
    inputs = engine.inputs(0, engine.segment_steps)
    # Of the processor: other programs on it take their time, not this one's.
    began = time.process_time()
    engine.update(inputs, engine.segment_steps)
    taken = time.process_time() - began
    engine.restore_state(state)
    return taken


def _row(
    candidate: Candidate, network: str, engine: Engine, times: list[float], without: list[float]
) -> CostRow:
    ratios = [own / none for own, none in zip(times, without, strict=True)]
    layers = [
        layer for layer in engine.network.model.layers if layer.name.endswith("_normalization")
    ]
    trained = [weight for layer in layers for weight in layer.trainable_weights]
    kept = [weight for layer in layers for weight in layer.non_trainable_weights]
    return CostRow(
        candidate.word,
        network,
        1000 * median(times),
        median(ratios),
        min(ratios),
        max(ratios),
        _size(trained),
        _size(kept),
        _size(engine.network.model.trainable_weights),
    )


def _size(weights: list[Any]) -> int:
    return sum(int(np.prod(weight.shape)) for weight in weights)
