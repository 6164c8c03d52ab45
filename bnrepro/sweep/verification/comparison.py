"""Whether a run that was trained again is what its record says.

On the same versions and processor, with the same variables, the same weights are expected, to the
bit. Elsewhere rounding differs: there its accuracies are held against the band of the seeds of the
same run.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bnrepro.config.backend import own_variables
from bnrepro.records.record import RunRecord

ACCURACIES = ("best_accuracy", "final_accuracy", "final_accuracy_population")
# What a run computes with, by backend.
_PACKAGES = {"tensorflow": "tensorflow", "jax": "jax"}
_FEWEST_SEEDS = 3

SAME, OTHER = "same weights", "other weights"
WITHIN, OUTSIDE = "within the band", "outside the band"
NOT_COMPARED, NOT_TRAINED = "not compared", "not trained"
OUTCOMES = (SAME, WITHIN, OTHER, OUTSIDE, NOT_TRAINED, NOT_COMPARED)
GOOD = (SAME, WITHIN)


@dataclass(frozen=True)
class Comparison:
    """An outcome (one of `OUTCOMES`), and in words what it rests on."""

    outcome: str
    reason: str


def compare(recorded: RunRecord, again: RunRecord, seeds: Sequence[RunRecord]) -> Comparison:
    """Hold a run that was trained again against its record and those of all seeds of its name."""
    if again.data.get("sha256") != recorded.data.get("sha256"):
        return Comparison(NOT_COMPARED, "the data is not what the record was made of")
    if again.status != recorded.status:
        return Comparison(OUTSIDE, f"recorded as {recorded.status}, now {again.status}")
    others = surroundings(recorded, again)
    if recorded.weights_digest is not None and again.weights_digest == recorded.weights_digest:
        return Comparison(SAME, "also on " + others if others else "same versions and processor")
    bands = {name: band([getattr(seed, name) for seed in seeds]) for name in ACCURACIES}
    outside = [name for name in ACCURACIES if not _lies_in(getattr(again, name), bands[name])]
    if not any(bands.values()):
        said = f"fewer than {_FEWEST_SEEDS} seeds give no band"
    elif outside:
        said = f"{', '.join(outside)} outside the band of the seeds"
    else:
        said = "accuracies within the band of the seeds"
    if not others:
        return Comparison(OTHER, f"same versions and processor; {said}")
    if not any(bands.values()):
        return Comparison(NOT_COMPARED, f"{others}; {said}")
    return Comparison(OUTSIDE if outside else WITHIN, f"{others}; {said}")


def surroundings(recorded: RunRecord, again: RunRecord) -> str:
    """Which versions, processor and variables were others, in words; empty where none was."""
    before, now = recorded.environment, again.environment
    packages = ("python", "keras", "numpy", _PACKAGES.get(str(before.get("backend")), "backend"))
    old, new = ({name: each.get("versions", {}).get(name) for name in packages}
                for each in (before, now))  # fmt: skip
    for name in ("device", "engine", "threads"):
        old[name], new[name] = before.get(name), now.get(name)
    set_then, set_now = _variables(recorded), _variables(again)
    old |= dict.fromkeys(set_now) | set_then
    new |= dict.fromkeys(set_then) | set_now
    return ", ".join(
        f"{name} {_shown(new[name])} (recorded {_shown(old[name])})"
        for name in old
        if old[name] != new[name]
    )


def _shown(value: Any) -> str:
    return "none" if value is None else str(value)


def _variables(record: RunRecord) -> dict[str, str]:
    """The environment variables that a run was trained with beside those that it set itself."""
    environment = record.environment
    own = own_variables(
        environment.get("backend", ""), environment.get("threads", 0), record.config["precision"]
    )
    recorded = environment.get("variables", {})
    return {name: value for name, value in recorded.items() if own.get(name) != value}


def band(accuracies: Sequence[float | None]) -> tuple[float, float] | None:
    """From the lowest to the highest, widened by that length on either side; None of too few."""
    known = [accuracy for accuracy in accuracies if accuracy is not None]
    if len(known) < _FEWEST_SEEDS:
        return None
    low, high = min(known), max(known)
    # To a millionth, which no evaluation split resolves: no digits of rounding.
    return round(max(0.0, 2 * low - high), 6), round(min(1.0, 2 * high - low), 6)


def _lies_in(accuracy: float | None, band: tuple[float, float] | None) -> bool:
    return accuracy is None or band is None or band[0] <= accuracy <= band[1]
