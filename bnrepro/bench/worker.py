"""A process that trains contenders of one framework and answers how long they took.

    python -m bnrepro.bench.worker FRAMEWORK WORKLOAD [KEY=VALUE ...]

Requests come in as lines of JSON and each is answered by one. It ends with its input.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

from bnrepro.bench import workloads
from bnrepro.bench.workloads import Workload
from bnrepro.config import BACKENDS, backend, one_line


class Server:
    """The contenders of this process, by the name under which they were built."""

    def __init__(self, framework: str, workload: Workload, overrides: list[str]) -> None:
        self._framework = framework
        self._workload = workload
        self._overrides = overrides
        self._contenders: dict[str, Any] = {}

    def device(self) -> dict[str, Any]:
        """The accelerator's name, if there is one, and how many devices there are."""
        from bnrepro.bench import peaks

        name, accelerated = peaks.device()
        return {"accelerator": name if accelerated else None, "count": peaks.num_devices()}

    def build(self, member: str, contender: str, normalized: bool) -> dict[str, Any]:
        """Make a contender, its data on the device and its weights drawn."""
        from bnrepro.bench import contenders, flops

        started = time.perf_counter()
        task = self._task(normalized, ["devices=all"] if contender == "engine_all" else [])
        self._contenders[member] = contenders.build(contender, self._framework, task)
        seconds = time.perf_counter() - started
        layers = flops.products(task.network().model)
        return {
            "seconds": seconds,
            "batch_size": task.batch_size,
            "flops_per_step": flops.flops_per_step(layers, task.batch_size),
            "runs": self._contenders[member].runs,
        }

    def losses(self, member: str, steps: int) -> dict[str, Any]:
        """The first steps: compilation is in the seconds."""
        started = time.perf_counter()
        losses = self._contenders[member].losses(steps)
        return {"losses": losses, "seconds": time.perf_counter() - started}

    def train(self, member: str, steps: int) -> dict[str, Any]:
        """Further steps."""
        return {"seconds": self._contenders[member].train(steps)}

    def whole(self, member: str, steps: int) -> dict[str, Any]:
        """The number of steps near `steps` that suits the contender."""
        return {"steps": self._contenders[member].whole(steps)}

    def peak(self, quantity: str) -> dict[str, Any]:
        """`float32` or `bfloat16` operations per second, or bytes of a `copy`."""
        from bnrepro.bench import peaks

        copied = quantity == "copy"
        return {"value": peaks.copy_bytes() if copied else peaks.matrix_product_flops(quantity)}

    @cached_property
    def _dataset(self) -> Any:
        return workloads.make_dataset(self._workload)

    @cached_property
    def _scaled(self) -> Any:
        from bnrepro.bench.contenders.task import scale

        return scale(self._composition(True).config, self._dataset)

    def _task(self, normalized: bool, further: Sequence[str]) -> Any:
        from bnrepro.bench.contenders import Task

        return Task(self._composition(normalized, further), self._dataset, self._scaled)

    def _composition(self, normalized: bool, further: Sequence[str] = ()) -> Any:
        chosen = [f"backend={self._framework}"] if self._framework in BACKENDS else []
        return self._workload.compose(normalized, [*self._overrides, *chosen, *further])

    def load(self) -> None:
        """Import the framework, its threads chosen before."""
        config = self._composition(True).config
        backend.select(replace(config, threads=config.threads or backend.available_threads()))
        if self._framework == "torch":
            os.environ["KERAS_BACKEND"] = "torch"
        # Now, while the other processes load theirs, and not when the first answer is waited for.
        import bnrepro.bench.contenders  # noqa: F401


def main(arguments: list[str]) -> None:
    """Answer requests until there are no more."""
    framework, workload, *overrides = arguments
    # What a framework prints must not be taken for an answer.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    server = Server(framework, workloads.find(workload), overrides)
    server.load()
    for line in sys.stdin:
        answers.write(json.dumps(_answer(server, json.loads(line))) + "\n")
        answers.flush()


def _answer(server: Server, request: dict[str, Any]) -> dict[str, Any]:
    try:
        method: Callable[..., dict[str, Any]] = getattr(server, request.pop("do"))
        return method(**request)
    except Exception as error:  # one contender's failure must not take the others along
        return {"error": f"{type(error).__name__}: {one_line(error)[:300]}"}


if __name__ == "__main__":
    main(sys.argv[1:])
