"""What a run sends to its device and fetches from it, part by part: printed as JSON.

python count_transfers.py KEY=VALUE ...

The network is looked at as on an accelerator, whose memory is its own. What goes up under JAX is
told by its transfer guard on standard error, between the names of the parts (`== NAME`).
"""

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from bnrepro.config import backend
from bnrepro.config.composition import compose

# Of each time that the host waits for the device, the bytes of each array that it gets.
Waits = list[list[int]]


@contextmanager
def listening(engine: Any) -> Iterator[Waits]:
    """Inside, every array that comes from the device is counted, through whatever door."""
    waits: Waits = []
    inside = False

    def came(array: Any) -> None:
        if inside:
            waits[-1].append(int(array.nbytes))
        else:
            waits.append([int(array.nbytes)])

    plain = type(engine).fetch

    def fetch(self: Any, arrays: Any) -> Any:
        nonlocal inside
        waits.append([])
        inside = True
        try:
            return plain(self, arrays)
        finally:
            inside = False

    type(engine).fetch = fetch
    watch = watch_jax if engine.config.backend == "jax" else watch_tensorflow
    watch(came)
    yield waits


def watch_jax(came: Callable[[Any], None]) -> None:
    """Call `came` with each array that is made one of NumPy's."""
    import jax
    from jax._src.array import ArrayImpl

    value: Any = ArrayImpl._value

    def get(array: Any) -> Any:
        came(array)
        return value.fget(array)

    setattr(ArrayImpl, "_value", property(get))  # noqa: B010
    # On a processor NumPy reads an array's memory without asking it.
    for name in ("asarray", "array"):
        plain = getattr(np, name)

        def converted(given: Any, *words: Any, _plain: Any = plain, **options: Any) -> Any:
            if isinstance(given, jax.Array) and not isinstance(given, jax.core.Tracer):
                came(given)
            return _plain(given, *words, **options)

        setattr(np, name, converted)
    jax.config.update("jax_transfer_guard_host_to_device", "log_explicit")


def watch_tensorflow(came: Callable[[Any], None]) -> None:
    """The same, and tell on standard error what goes up."""
    from tensorflow.python.framework import constant_op, ops

    tensor: Any = ops.EagerTensor
    value = tensor._numpy

    def get(array: Any) -> Any:
        found = value(array)
        came(found)
        return found

    tensor._numpy = get
    convert = constant_op.convert_to_eager_tensor

    def sent(given: Any, *words: Any, **options: Any) -> Any:
        made = convert(given, *words, **options)
        if not isinstance(given, ops.EagerTensor):
            tell("host-to-device transfer")
        return made

    constant_op.convert_to_eager_tensor = sent


def tell(line: str) -> None:
    """Write a line where libraries write theirs."""
    sys.stderr.flush()
    os.write(2, f"{line}\n".encode())


def main() -> None:
    """Prepare; train two segments, and look at the network after each as a run does."""
    composition = compose(sys.argv[1:])
    backend.select(composition.config)
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "0"
    from bnrepro import measures
    from bnrepro.measures.evaluation import evaluate, evaluate_population
    from bnrepro.measures.percentiles import PERCENTILES
    from bnrepro.training import build_engine

    config = composition.config
    engine = build_engine(composition)
    engine.on_accelerator = True
    watched = measures.build(config)
    layers = list(engine.network.pre_activations)

    def look(step: int) -> None:
        evaluate(engine, config)
        for one in watched:
            one.rows(engine, step)
        engine.summaries(64, layers, PERCENTILES)

    engine.compile()
    look(0)
    evaluate_population(engine, config)
    found = {}
    with listening(engine) as waits:
        for start in (0, 10):
            for name, work in (
                ("segment", lambda start=start: engine.train(start, start + 10)),
                ("evaluation", lambda start=start: look(start + 10)),
                ("population", lambda: evaluate_population(engine, config)),
            ):
                tell(f"== {name} {start}")
                work()
                found[f"{name} {start}"] = list(waits)
                waits.clear()
    tell("== end")
    print(json.dumps(found))


main()
