"""A process of one job: cards, the trainings of one normalization, or costs.

    python -m bnrepro.lab.comparison.worker JOB BACKEND PLAN NORMALIZATION ...

Answers are lines of JSON, each of them the rows of one step of the work: `{"CardRow": [...], ...}`.
"""

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from bnrepro.config import backend as backends
from bnrepro.config.composition import compose
from bnrepro.lab.comparison.plan import PLANS, Candidate, Plan

Rows = Iterable[Any]
# Cards are of double precision, trainings and times of single precision.
_PRECISIONS = {"card": "float64", "training": "float32", "cost": "float32"}


def _card(candidates: list[Candidate], _: Plan, backend: str) -> Iterator[Rows]:
    from bnrepro.lab.comparison.card import card
    from bnrepro.lab.comparison.making import maker

    for candidate in candidates:
        yield list(card(candidate.word, maker(candidate, backend)))


def _training(candidates: list[Candidate], plan: Plan, backend: str) -> Iterator[Rows]:
    from bnrepro.lab.comparison.training import train

    for candidate in candidates:
        yield from train(candidate, plan, backend)


def _cost(candidates: list[Candidate], plan: Plan, backend: str) -> Iterator[Rows]:
    from bnrepro.lab.comparison.cost import measure

    yield from measure(candidates, plan, backend)


_JOBS: dict[str, Callable[[list[Candidate], Plan, str], Iterator[Rows]]] = {
    "card": _card,
    "training": _training,
    "cost": _cost,
}


def main(arguments: list[str]) -> None:
    """Do one job and write its rows."""
    job, backend, plan, *words = arguments
    # What a framework prints must not be taken for an answer.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    precision = _PRECISIONS[job]
    given = [f"backend={backend}", f"precision={precision}", "threads=1", "device=cpu"]
    backends.select(compose(given).config)
    from bnrepro.training.precision import set_precision

    set_precision(precision)
    candidates = [Candidate(word) for word in words]
    for rows in _JOBS[job](candidates, PLANS[plan], backend):
        answers.write(json.dumps([[type(row).__name__, *row] for row in rows]) + "\n")
        answers.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
