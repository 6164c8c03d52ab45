"""The measurements as JSON, for programs, and as Markdown, for people."""

import datetime
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bnrepro.bench import figures_to_reach, plan
from bnrepro.bench.figures_to_reach import Figure
from bnrepro.bench.measure import Member
from bnrepro.bench.plan import Plan
from bnrepro.bench.workloads import PLAIN_RECIPE, Workload
from bnrepro.records.record import write_atomically
from bnrepro.tables import markdown_table

SCHEMA_VERSION = 1
_CONDITIONS = (
    "The contenders of a workload train the same network from the same initial weights on the same "
    "made-up images in the same batches, by plain gradient descent or with momentum as the recipe "
    f"has it, and with {' '.join(PLAIN_RECIPE)}. The losses of the first steps were compared "
    "first; all multiply float32 with all of its bits, on a GPU, too. "
    "Rounds take turns (A B C A B C ...), one process at work at a time. The engine is "
    "timed by seconds.train of a real run with all its observers; the others by the clock around "
    "their loops. Keras `fit` shuffles by itself, draws no progress bar, and is timed from its "
    "first epoch on."
)


@dataclass
class Measured:
    """All that one call found out."""

    plan: Plan
    threads: int
    device: str
    accelerator: str | None
    versions: dict[str, str]
    commit: str | None
    dirty: bool | None  # whether files differ from the commit
    cuda_mps: bool = False  # whether processes share a GPU through CUDA's multi-process service
    num_devices: int = 1  # that one program can use
    workloads: list[tuple[Workload, list[Member]]] = field(default_factory=list)
    peaks: dict[str, float] = field(default_factory=dict)
    commands: dict[str, float] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)  # what could not be measured, and why

    @property
    def figures(self) -> tuple[Figure, ...]:
        """What is to be reached on such a machine."""
        if self.accelerator is None:
            return figures_to_reach.ON_TWO_CORES
        return figures_to_reach.ON_ONE_GPU

    def facts(self) -> dict[str, float]:
        """Every measured number by its name, as `figures_to_reach` calls them."""
        facts = {**self.commands, **{f"peak/{name}": value for name, value in self.peaks.items()}}
        for workload, members in self.workloads:
            for member in members:
                if member.seconds:
                    name = f"{workload.name}/{member.label}"
                    facts[name] = member.steps_per_second["median"]
                    share = self.share_of_peak(workload, member)
                    if share is not None:
                        facts[f"{name}/share_of_peak"] = share
        return facts

    def share_of_peak(self, workload: Workload, member: Member) -> float | None:
        """The share of the matrix-product peak, for dense networks: convolutions can beat it."""
        peak = max((v for name, v in self.peaks.items() if name.endswith("float32")), default=None)
        if peak is None or not workload.is_dense:
            return None
        return member.flops_per_step * member.steps_per_second["median"] / peak

    @property
    def is_whole(self) -> bool:
        """Whether every contender was measured."""
        return all(member.refused is None for _, members in self.workloads for member in members)


def write(measured: Measured, results_dir: str, today: datetime.date) -> Path:
    """Write both files; returns the Markdown's path.

    Raises:
        OSError: if the results folder cannot be written.
    """
    folder = Path(results_dir) / "bench"
    # A call that measures a part does not write over another's file.
    words = [slug(measured.device), today.isoformat(), *measured.plan.parts]
    stem = "-".join([*words, "quick"] if measured.plan.quick else words)
    text = json.dumps(to_json(measured, today), indent=2, allow_nan=False)
    write_atomically(folder / f"{stem}.json", text + "\n")
    path = folder / f"{stem}.md"
    write_atomically(path, to_markdown(measured, today))
    return path


def slug(device: str) -> str:
    """A device's name as a file name."""
    return re.sub(r"[^a-z0-9]+", "-", re.sub(r"\((r|tm)\)", "", device.lower())).strip("-")


def to_json(measured: Measured, today: datetime.date) -> dict[str, Any]:
    """Everything, the single rounds included."""
    facts = measured.facts()
    return {
        "schema_version": SCHEMA_VERSION,
        "date": today.isoformat(),
        "quick": measured.plan.quick,
        "device": measured.device,
        "num_devices": measured.num_devices,
        "threads": measured.threads,
        "versions": measured.versions,
        "commit": measured.commit,
        "dirty": measured.dirty,
        "cuda_mps": measured.cuda_mps,
        "conditions": _CONDITIONS,
        "rounds": measured.plan.rounds,
        "peaks": measured.peaks,
        "figures": [_figure_to_json(figure, facts) for figure in measured.figures],
        "facts": facts,
        "failures": measured.failures,
        "workloads": [
            {
                "name": workload.name,
                "words": workload.words,
                "overrides": list(workload.overrides),
                "agreement_steps": workload.agreement_steps,
                "tolerance": workload.tolerance,
                "contenders": [_member_to_json(member) for member in members],
            }
            for workload, members in measured.workloads
        ],
    }


def _figure_to_json(figure: Figure, facts: dict[str, float]) -> dict[str, Any]:
    value = figure.measure(facts)
    bounded = figure.at_least is not None or figure.at_most is not None
    return {
        "what": figure.what,
        "measured": value,
        "unit": figure.unit,
        "at_least": figure.at_least,
        "at_most": figure.at_most,
        "reached": figure.is_reached(value) if bounded and value is not None else None,
    }


def _member_to_json(member: Member) -> dict[str, Any]:
    speed = member.steps_per_second if member.seconds else None
    return {
        "contender": member.contender,
        "framework": member.framework,
        "batch_normalization": member.normalized,
        "batch_size": member.batch_size,
        "flops_per_step": member.flops_per_step,
        "runs": member.runs,
        "losses": member.losses,
        "refused": member.refused,
        "build_seconds": member.build_seconds,
        "first_steps_seconds": member.first_steps_seconds,
        "warm_up": [{"steps": steps, "seconds": seconds} for steps, seconds in member.warm_up],
        "steps_per_round": member.steps_per_round,
        "seconds": member.seconds,
        "steps_per_second": speed,
        "images_per_second": speed and {k: v * member.batch_size for k, v in speed.items()},
    }


def to_markdown(measured: Measured, today: datetime.date) -> str:
    """The report for people: figures, then each workload, then what failed."""
    versions = ", ".join(f"{name} {version}" for name, version in measured.versions.items())
    lines = [
        f"# {measured.device}, {today.isoformat()}",
        "",
        f"{measured.threads} threads;{_devices(measured)} {versions}; {measured.plan.rounds} "
        f"rounds of about {measured.plan.seconds_per_round:g} s. {_CONDITIONS}"
        + (" CUDA's multi-process service runs." if measured.cuda_mps else ""),
        "",
        _figures_table(measured),
    ]
    for workload, members in measured.workloads:
        lines += ["", *_workload_table(measured, workload, members)]
    if measured.peaks:
        lines += [
            "",
            "## Peaks",
            "",
            markdown_table(("what", "measured"), _peak_rows(measured.peaks)),
        ]
    if measured.failures:
        rows = [[what, why] for what, why in measured.failures.items()]
        lines += ["", "## Not measured", "", markdown_table(("what", "why"), rows)]
    return "\n".join(lines) + "\n"


def _devices(measured: Measured) -> str:
    return f" {measured.num_devices} devices;" if measured.num_devices > 1 else ""


def _figures_table(measured: Measured) -> str:
    rows = []
    for row in (_figure_to_json(figure, measured.facts()) for figure in measured.figures):
        unit = f" {row['unit']}" if row["unit"] else ""
        wanted = ""
        if row["at_least"] is not None:
            wanted = f"at least {row['at_least']:g}{unit}"
        if row["at_most"] is not None:
            wanted = f"at most {row['at_most']:g}{unit}"
        value = "not measured" if row["measured"] is None else f"{row['measured']:.3g}{unit}"
        reached = {True: "yes", False: "no", None: ""}[row["reached"]]
        rows.append([row["what"], value, wanted, reached])
    return markdown_table(("what", "measured", "at least/at most", "reached"), rows)


def _workload_table(measured: Measured, workload: Workload, members: list[Member]) -> list[str]:
    header = (
        "contender", "framework", "BN", "steps/s", "least to most", "images/s", "of peak",
        "build, first steps (s)",
    )  # fmt: skip
    agreed = (
        f"Losses of the first {workload.agreement_steps} steps agree to {workload.tolerance:g} of "
        "their size, but for who is refused."
    )
    rows = [_member_row(measured, workload, member) for member in members]
    return [f"## {workload.words}", "", agreed, "", markdown_table(header, rows)]


def _member_row(measured: Measured, workload: Workload, member: Member) -> list[str]:
    words = {choice.name: choice.words for choice in plan.CONTENDERS}[member.contender]
    row = [words, member.framework, "with" if member.normalized else "without"]
    if member.refused is not None or not member.seconds:
        return [*row, f"refused: {member.refused}", "", "", "", ""]
    speed = member.steps_per_second
    share = measured.share_of_peak(workload, member)
    return [
        *row,
        f"{speed['median']:,.4g}",
        f"{speed['least']:,.4g} to {speed['most']:,.4g}",
        f"{speed['median'] * member.batch_size:,.0f}",
        "" if share is None else f"{share:.0%}",
        f"{member.build_seconds:.1f}, {member.first_steps_seconds:.1f}",
    ]


def _peak_rows(peaks: dict[str, float]) -> list[list[str]]:
    return [
        [name, f"{value / 1e9:,.0f} {'GB/s' if name.endswith('copy') else 'GFLOP/s'}"]
        for name, value in peaks.items()
    ]
