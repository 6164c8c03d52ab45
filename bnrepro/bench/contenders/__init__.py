"""The ways to train one network that are timed against each other, one family per file.

Each is built in a process that has chosen its framework; `plan.CONTENDERS` says which there are.
"""

from bnrepro.bench.contenders.task import Contender, Task

__all__ = ["Contender", "Task", "build"]


def build(name: str, framework: str, task: Task) -> Contender:
    """The contender of that name, its weights the task's initial weights."""
    if name in ("engine", "engine_all"):
        from bnrepro.bench.contenders.engine import EngineRun

        return EngineRun(task)
    if name == "keras_loop" and framework == "jax":
        from bnrepro.bench.contenders.jax_loop import JaxLoop

        return JaxLoop(task)
    if name == "keras_loop":
        from bnrepro.bench.contenders.tensorflow_loop import TensorFlowLoop

        return TensorFlowLoop(task)
    if name == "group_16":
        from bnrepro.bench.contenders.group import SeedsTogether

        return SeedsTogether(task, 16)
    if name == "torch_eager":
        from bnrepro.bench.contenders.torch_eager import TorchEager

        return TorchEager(task)
    if name == "torch_compile":
        from bnrepro.bench.contenders.torch_eager import TorchCompiled

        return TorchCompiled(task)
    from bnrepro.bench.contenders.keras_fit import KerasFit

    return KerasFit(task, steps_per_execution=50 if name == "keras_fit_50" else 1)
