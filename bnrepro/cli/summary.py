"""What is printed before a run, what it trains on what, and after it, how it has ended."""

from bnrepro.config import GROUPS, RunConfig, difference, with_values
from bnrepro.config.backend import available_threads
from bnrepro.config.composition import Composition
from bnrepro.config.merging import merge
from bnrepro.config.own import shortened
from bnrepro.records.record import RunRecord
from bnrepro.screen import count, percent, wrapped

_INDENT = 12


def summary(composition: Composition, columns: int) -> str:
    """A few lines, at most so wide, about a run that is about to start."""
    config = composition.config.accelerated()
    lines = {
        "data": _data(config),
        "model": _model(config),
        "training": _training(config),
        "differs": " ".join(differences(composition)),
        "engine": f"{config.backend}, {config.precision}",
    }
    head = wrapped(f"{composition.name}  seed {config.seed}", columns, indent=2)
    return "\n".join([head, *(_line(name, text, columns) for name, text in lines.items() if text)])


def device_line(accelerator: str | None, config: RunConfig, columns: int) -> str:
    """The summary's last line, known once the backend is loaded: what the run will use."""
    threads = config.threads or available_threads()
    return _line("device", accelerator or f"CPU, {count(threads, 'thread')}", columns)


def differences(composition: Composition) -> list[str]:
    """The words of the command line that change something of the run that it chooses.

    Chosen is an experiment at its scale or, without one, a model with its data and its variant of
    normalization: their names stand above. Any other choice is a difference if it changes what
    these mean by themselves, a value if the run without it would have another one. What is no part
    of a run's identity (seed, folders, threads) is none.
    """
    given = {override.key: override for override in composition.given}
    choices = {key: override.values[0] for key, override in given.items() if key in GROUPS}
    names = ("experiment", "scale") if "experiment" in choices else ("model", "data", "bn", "scale")
    chosen = {key: choice for key, choice in choices.items() if key in names}
    meant, whole = merge(chosen), merge(choices)

    def changes(key: str) -> bool:
        if key in GROUPS:
            return bool(difference(merge({**chosen, key: choices[key]}), meant))
        changed = with_values(whole, {key: given[key].values[0]}).resolved()
        return bool(difference(changed, whole.resolved()))

    return [override.brief for key, override in given.items() if key not in names and changes(key)]


def result_row(record: RunRecord) -> str:
    """One line about a run that has ended: how, how far, how well, how fast."""
    parts = [record.name, f"seed {record.seed}", _ending(record)]
    if record.best_accuracy is not None:
        before = " before that" if record.status == "diverged" else ""
        best = f"best accuracy {percent(record.best_accuracy)}"
        parts.append(f"{best} at step {record.best_accuracy_step or 0:,}{before}")
    # Of a diverged run the last evaluation is not the end: its network is lost.
    if record.final_accuracy is not None and record.status == "completed":
        parts.append(f"final {percent(record.final_accuracy)}")
    if record.final_accuracy_population is not None:
        parts.append(f"with population statistics {percent(record.final_accuracy_population)}")
    seconds = record.seconds.get("train", 0.0)
    if seconds > 0:
        parts.append(f"{record.train_steps / seconds:,.0f} steps/s, {seconds:,.1f} s of training")
    return " · ".join(parts)


def _ending(record: RunRecord) -> str:
    if record.status == "diverged":
        return f"diverged at step {record.diverged_at_step:,}"
    steps = count(record.train_steps, "step")
    if record.status == "completed":
        return f"completed {steps}"
    return f"{record.status} after {steps}" + (f" ({record.error})" if record.error else "")


def _line(name: str, text: str, columns: int) -> str:
    return wrapped(f"  {name:<9} {text}", columns, _INDENT)


def _data(config: RunConfig) -> str:
    data = config.data
    parts = [data.name]
    if data.name == "image_folder":
        parts.append(f"{data.image_size} x {data.image_size}")
    if data.binary:
        parts.append("binary")
    if data.evaluation_split != "test":
        parts.append(f"scored on its {data.evaluation_split} split")
    return ", ".join(parts)


def _model(config: RunConfig) -> str:
    network, activation = shortened(config.model.name), shortened(config.activation)
    network = f"{network}, width {config.model.width:g}, {activation}"
    if config.placement == "none":
        return f"{network}, no normalization"
    normalization = shortened(config.normalization or "batch")
    return f"{network}, {normalization} normalization {config.placement} the activation"


def _training(config: RunConfig) -> str:
    rate = f"{config.learning_rate:g}"
    if config.learning_rate_multiplier != 1:
        rate += f" x {config.learning_rate_multiplier:g}"
    rule = shortened(config.optimizer.name)
    return (
        f"{config.train_steps:,} steps of {config.batch_size} examples, {rule}, "
        f"rate {rate}, {config.schedule.name}"
    )
