"""What is printed before a run: what it trains on what, and how it differs from the defaults."""

from typing import Any

from bnrepro.config import RunConfig
from bnrepro.config.backend import available_threads
from bnrepro.config.composition import Composition
from bnrepro.config.device import expected

_WIDTH = 98


def summary(composition: Composition) -> str:
    """A few lines about a run that is about to start."""
    config = composition.config.accelerated()
    lines = {
        "data": _data(config),
        "model": _model(config),
        "training": _training(config),
        "engine": _engine(config),
    }
    if composition.differences:
        lines["differs"] = _wrapped(
            [f"{key}={_value(value)}" for key, value in composition.differences.items()]
        )
    head = f"{composition.name}  seed {config.seed}"
    return "\n".join([head, *(f"  {name:<9} {text}" for name, text in lines.items())])


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
    parts = [f"{config.model.name}, width {config.model.width:g}, {config.activation}"]
    if config.placement == "none":
        return f"{parts[0]}, no normalization"
    return f"{parts[0]}, {config.normalization} normalization {config.placement} the activation"


def _training(config: RunConfig) -> str:
    rate = f"{config.learning_rate:g}"
    if config.learning_rate_multiplier != 1:
        rate += f" x {config.learning_rate_multiplier:g}"
    return (
        f"{config.train_steps:,} steps of {config.batch_size} examples, {config.optimizer.name}, "
        f"rate {rate}, {config.schedule.name}"
    )


def _engine(config: RunConfig) -> str:
    threads = config.threads or available_threads()
    plural = "" if threads == 1 else "s"
    return f"{config.backend}, {config.precision}, {threads} thread{plural}, {expected(config)}"


def _value(value: Any) -> str:
    if isinstance(value, list):
        return f"[{','.join(value)}]"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else "null" if value is None else str(value)


def _wrapped(words: list[str]) -> str:
    lines, indent = [""], " " * 12
    for word in words:
        if len(lines[-1]) + len(word) + len(indent) > _WIDTH:
            lines.append("")
        lines[-1] += f" {word}" if lines[-1] else word
    return f"\n{indent}".join(lines)
