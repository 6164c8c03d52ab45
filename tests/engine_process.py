"""A process for each backend and precision, which all test files share: Keras has one a process.

What can be asked are the functions of `engine_answers.py`, which only those processes import.
"""

from concurrent.futures import ProcessPoolExecutor
from functools import cache
from importlib import import_module
from multiprocessing import get_context
from typing import Any

import pytest

from bnrepro.config import backend
from bnrepro.config.composition import compose

BACKENDS = pytest.mark.parametrize("backend", ["jax", "tensorflow"])
# For what TensorFlow takes many seconds to trace, or what is many tests.
JAX_AND_SLOWLY_TENSORFLOW = pytest.mark.parametrize(
    "backend", ["jax", pytest.param("tensorflow", marks=pytest.mark.slow)]
)


def ask(
    question: str,
    overrides: tuple[str, ...] | list[str],
    *arguments: Any,
    backend: str,
    precision: str = "float64",
    devices: int = 1,
) -> Any:
    """The answer to `question` about a run with these overrides; `arguments` are passed on."""
    split = (f"devices={devices}",) if devices > 1 else ()
    common = (f"backend={backend}", f"precision={precision}", "threads=1", *split)
    process = _process(common)
    return process.submit(_answer, question, (*overrides, *common), arguments).result()


@cache
def _process(common: tuple[str, ...]) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(1, get_context("spawn"), _select, (common,))


def _select(common: tuple[str, ...]) -> None:
    backend.select(compose(list(common)).config)


def _answer(question: str, overrides: tuple[str, ...], arguments: tuple[Any, ...]) -> Any:
    answers = import_module("engine_answers")
    return getattr(answers, question)(overrides, *arguments)
