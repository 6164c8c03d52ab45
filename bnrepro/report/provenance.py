"""Which runs an exhibit is made of, on what they were made, and how long that took."""

from typing import Any

import pandas as pd

from bnrepro.records.laboratory import LaboratoryRecord

COLUMNS = (
    "exhibit",
    "runs",
    "computing time",
    "per run",
    "machine",
    "threads",
    "backend",
    "versions",
    "commit",
)
RUN_COLUMNS = (
    "run",
    "seed",
    "status",
    "steps",
    "best_accuracy",
    "final_accuracy",
    "seconds",
    "parameters",
    "data_sha256",
    "weights_digest",
)
_VERSIONS = "environment.versions."


def row(exhibit: str, runs: pd.DataFrame) -> list[Any]:
    """One exhibit's runs together, in the order of `COLUMNS`."""
    return [
        exhibit,
        len(runs),
        _rounded(runs["seconds.total"].sum()),
        _rounded(runs["seconds.total"].median()),
        _each(runs["environment.device"]),
        _each(runs["environment.threads"]),
        ", ".join(_each(runs[f"environment.{key}"]) for key in ("backend", "engine")),
        _versions(runs),
        _each(_commit(run) for run in runs.to_dict("records")),
    ]


def run_rows(runs: pd.DataFrame) -> list[list[Any]]:
    """Every run by itself, in the order of `RUN_COLUMNS`."""
    return [
        [
            *(run["name"], run["seed"], _status(run), run["train_steps"]),
            *(_absent(run["best_accuracy"], float), _absent(run["final_accuracy"], float)),
            *(_rounded(run["seconds.total"]), _absent(run["num_parameters"], int)),
            *(_short(run["data.sha256"]), _short(run["weights_digest"])),
        ]
        for run in runs.sort_values(["name", "seed"]).to_dict("records")
    ]


def cost(runs: pd.DataFrame) -> str:
    """The runs' number, time and machine in one sentence."""
    threads = _each(runs["environment.threads"])
    return (
        f"{len(runs)} runs, {_rounded(runs['seconds.total'].sum())} of computing in all, "
        f"{_rounded(runs['seconds.total'].median())} a run, on {_each(runs['environment.device'])} "
        f"({threads} {'thread' if threads == '1' else 'threads'} a run)."
    )


def cost_of(record: LaboratoryRecord) -> str:
    """What the laboratory computed without a run: its time and machine, versions and commit."""
    run = record.environment
    threads = f"{run['threads']} {'thread' if run['threads'] == 1 else 'threads'}"
    versions = ", ".join(f"{name} {version}" for name, version in run["versions"].items())
    commit = _commit({f"environment.{key}": value for key, value in run.items()})
    return (
        f"Computed in {_rounded(record.seconds)} of a core, on {run['device']} ({threads}), with "
        f"{versions}, at commit {commit}."
    )


def _rounded(seconds: float) -> str:
    """A computing time in its largest unit: `45 s`, `12 min`, `3.4 h`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _versions(runs: pd.DataFrame) -> str:
    names = sorted(column for column in runs.columns if column.startswith(_VERSIONS))
    named = ((name.removeprefix(_VERSIONS), runs[name].dropna()) for name in names)
    return ", ".join(f"{name} {_each(found)}" for name, found in named if len(found))


def _commit(run: dict[Any, Any]) -> str:
    if not isinstance(run["environment.commit"], str):
        return "not a checkout"
    return _short(run["environment.commit"]) + (" (changed)" if run["environment.dirty"] else "")


def _status(run: dict[Any, Any]) -> str:
    others = len(run["earlier_environments"])
    mark = f", in {others + 1} environments" if others else ""
    if run["status"] != "diverged":
        return f"{run['status']}{mark}"
    return f"diverged at step {run['diverged_at_step']:,.0f}{mark}"


def _short(digest: Any) -> str:
    return digest[:10] if isinstance(digest, str) else ""


def _absent(number: Any, kind: type) -> Any:
    return None if pd.isna(number) else kind(number)


def _each(values: Any) -> str:
    return " or ".join(sorted({str(value) for value in values}))
