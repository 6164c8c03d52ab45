"""A few steps of a run, to learn how fast it is where no record tells."""

from tempfile import TemporaryDirectory
from typing import Any

from bnrepro.config import study
from bnrepro.config.overrides import Override
from bnrepro.config.study import PlannedRun
from bnrepro.screen.signals import raised
from bnrepro.sweep.estimate import Speeds
from bnrepro.sweep.launcher import Launcher, finish
from bnrepro.sweep.outcome import LOG
from bnrepro.sweep.slots import Slot

_STEPS = 50


def probe(run: PlannedRun, speeds: Speeds, launcher: Launcher, slot: Slot, threads: int) -> None:
    """Add to `speeds` what `run` does in a few steps, in a folder that is thrown away."""
    with raised(), TemporaryDirectory(prefix="bnrepro-probe-") as folder:
        threads = run.composition.config.threads or threads
        changes: dict[str, Any] = {"train_steps": _STEPS, "evaluate_every": _STEPS}
        changes |= {"results_dir": folder, "force": False, "threads": threads}
        overrides = [Override(key, (value,)) for key, value in changes.items()]
        (short,) = study.plan([*run.overrides, *overrides])
        short.directory.mkdir(parents=True)
        finish(launcher(list(map(str, short.overrides)), short.directory / LOG, slot.environment))
        speeds.add(short.directory, "measured now")
