"""How many programs a run compiles (JAX) or traces (TensorFlow), and when: printed as JSON.

python count_programs.py KEY=VALUE ...
"""

import json
import sys
from collections import Counter
from collections.abc import Callable
from typing import Any

from bnrepro.config import backend
from bnrepro.config.composition import compose


def compiled_by_jax() -> Callable[[], dict[str, int]]:
    """What gives the programs compiled since it was last asked, by name."""
    import jax

    compiled: list[str] = []

    def count(event: str, seconds: float, **facts: object) -> None:
        if event == "/jax/core/compile/backend_compile_duration":
            compiled.append(str(facts.get("fun_name")))

    jax.monitoring.register_event_duration_secs_listener(count)

    def done() -> dict[str, int]:
        names = Counter(compiled)
        compiled.clear()
        return dict(names)

    return done


def traced_by_tensorflow() -> Callable[[], dict[str, int]]:
    """The same of the functions that are traced."""
    import tensorflow as tf

    functions: list[Any] = []
    told: Counter[str] = Counter()
    plain = tf.function

    def kept(function: Callable[..., Any], **options: Any) -> Any:
        made = plain(function, **options)
        functions.append((function.__name__, made))
        return made

    tf.function = kept

    def done() -> dict[str, int]:
        before = told.copy()
        told.clear()
        for name, made in functions:
            told[name] += made.experimental_get_tracing_count()
        return dict(told - before)

    return done


def main() -> None:
    """Build, prepare, train two segments with their evaluations, and a third; count each part."""
    composition = compose(sys.argv[1:])
    backend.select(composition.config)
    from bnrepro import measures
    from bnrepro.measures.evaluation import evaluate
    from bnrepro.training import build_engine

    config = composition.config
    done = compiled_by_jax() if config.backend == "jax" else traced_by_tensorflow()
    engine = build_engine(composition)
    built = done()
    watched = measures.build(config)
    preparations = [lambda one=one: one.prepare(engine) for one in watched]
    engine.prepare([engine.compile, engine.compile_scoring, *preparations])
    prepared = done()
    later = []
    for start in (0, 10, 13):
        engine.train(start, start + (10 if start == 0 else 3))
        evaluate(engine, config)
        for one in watched:
            one.rows(engine, start)
        later.append(done())
    print(json.dumps({"built": built, "prepared": prepared, "later": later}))


main()
