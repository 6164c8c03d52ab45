"""Figure 1 (section 4.1, MNIST): test accuracy, and percentiles of a sigmoid's input."""

import sys
from functools import partial
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes

from bnrepro import paper, statistics
from bnrepro.config import one_line
from bnrepro.drawing.curves import (
    Label,
    draw_mean,
    draw_paper,
    label_ends,
    percent_axis,
    step_axis,
    thin_and_thick,
)
from bnrepro.drawing.style import Panel
from bnrepro.exhibits.exhibit import Drawing, Exhibit, Table, rows_of
from bnrepro.exhibits.figure_1 import sensitivity as figure_1_sensitivity
from bnrepro.exhibits.figure_1.summary import (
    NORMALIZED,
    PERCENTILE_CURVES,
    PLAIN,
    findings,
    summary,
    title_of,
)
from bnrepro.exhibits.selection import select
from bnrepro.exhibits.sensitivity import with_sensitivity
from bnrepro.exhibits.wording import percent, setting
from bnrepro.experiments import EXPERIMENTS
from bnrepro.experiments.line import INK
from bnrepro.records import checksums
from bnrepro.records.checking import AGAIN
from bnrepro.records.loading import left_out
from bnrepro.records.record import PERCENTILE_COLUMNS, RecordError

_CAPTION = (
    "(a) Line: mean over the seeds; band: from the lowest to the highest seed; the tables have "
    "medians. (b, c) The solid line is the median of the sigmoid's input over "
    "images, the dashed ones, with a band between them, are its 15th and 85th percentile: of one "
    "unit and one seed, or averaged over all units and seeds. Thin lines are the paper's, of one "
    "run and one unit."
)
_LEVELS = ("p15", "p50", "p85")
_LEVEL_NAMES = {"p15": "15th", "p50": "median", "p85": "85th"}


def exhibit(results_dir: str) -> Exhibit:
    """Figure 1 from the records of the studies `figure_1` and `figure_1_sensitivity`.

    Raises:
        ConfigError: if none of the runs of `figure_1` is there.
        RecordError: if a record, a curve or percentiles cannot be read.
    """
    chosen = select("figure_1", results_dir)
    mean = statistics.mean_curves(chosen.curves, chosen.num_classes)
    percentiles = load_percentiles(chosen.runs)
    numbers = summary(chosen, mean, percentiles)
    made = Exhibit(
        name="figure_1",
        title="Figure 1",
        setting=setting(chosen.runs),
        findings=findings(numbers),
        commands=[chosen.command, "bnrepro figure 1"],
        missing=[chosen.missing] if chosen.missing else [],
        drawings=[_drawing(title_of(numbers), mean, percentiles)],
        tables=[numbers],
        series=[
            Table("accuracy", list(mean.columns), rows_of(mean)),
            Table("percentiles", list(percentiles.columns), rows_of(percentiles)),
        ],
        runs=chosen.runs,
    )
    return with_sensitivity(
        made,
        "figure_1_sensitivity",
        results_dir,
        partial(figure_1_sensitivity.sensitivity, chosen),
        figure_1_sensitivity.findings,
    )


def load_percentiles(runs: pd.DataFrame) -> pd.DataFrame:
    """The percentiles of the runs: `experiment`, `seed`, and the columns of `percentiles.csv`.

    Those that cannot be read are left out and named on standard error.

    Raises:
        RecordError: if a run has none, or none can be read.
    """
    frames, refused = [], []
    for run in runs.to_dict("records"):
        try:
            frame = _percentiles(Path(run["directory"]))
        except RecordError as error:
            refused.append(error)
            continue
        frame.insert(0, "experiment", run["label"])
        frame.insert(1, "seed", run["seed"])
        frames.append(frame)
    if refused and {frame["experiment"].iloc[0] for frame in frames} != set(runs["label"]):
        raise refused[0]
    for line in left_out(refused):
        print(line, file=sys.stderr)
    return pd.concat(frames, ignore_index=True)


def _percentiles(directory: Path) -> pd.DataFrame:
    path = directory / "percentiles.csv"
    try:
        checksums.check(directory, path.name)
        numbers = dict.fromkeys(PERCENTILE_COLUMNS[1:], float)
        frame = pd.read_csv(path, dtype={"unit": str, **numbers})
        if tuple(frame.columns) != PERCENTILE_COLUMNS or frame.empty or frame["unit"].isna().any():
            raise ValueError(f"expected rows of {','.join(PERCENTILE_COLUMNS)}")
        return frame.astype({"step": int})
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else one_line(error)
        raise RecordError(f"{path}: cannot be read ({reason}); {AGAIN}") from error


def _drawing(title: str, mean: pd.DataFrame, percentiles: pd.DataFrame) -> Drawing:
    panels = [
        Panel(
            "accuracy",
            f"(a) At the end {_ends(mean)}",
            _describe_accuracy(mean),
            partial(_draw_accuracy, mean=mean, low=0.70, high=1.0),
        ),
        Panel(
            "accuracy_closer",
            "(a) The same, closer",
            "The same curves between 0.93 and 0.99, where the final gap can be seen.",
            partial(_draw_accuracy, mean=mean, low=0.93, high=0.99),
        ),
    ]
    limits = _percentile_limits(percentiles)
    for kind in ("unit", "mean"):
        for letter, experiment in (("b", PLAIN), ("c", NORMALIZED)):
            rows = percentiles[percentiles["experiment"] == experiment]
            if rows.empty:
                continue
            seed = rows["seed"].min()
            whose, rows = _of_unit(rows, seed) if kind == "unit" else _of_all_units(rows)
            label = EXPERIMENTS[experiment].label.capitalize().replace("bn", "BN")
            seen = f"({letter}) {label}, {whose}: median up to {abs(_farthest(rows)):.2f} from 0"
            draw = partial(_draw_percentiles, rows=rows, experiment=experiment, limits=limits)
            panels.append(Panel(f"{kind}_{experiment}", seen, _describe_percentiles(rows), draw))
    names = [panel.name for panel in panels]
    layout = [names[row : row + 2] for row in range(0, len(names), 2)]
    return Drawing("figure_1", title, panels, layout, _CAPTION)


def _of_unit(rows: pd.DataFrame, seed: int) -> tuple[str, pd.DataFrame]:
    """The unit and the seed that were fixed before any run."""
    return f"unit 0 of seed {seed}", rows[(rows["unit"] == "0") & (rows["seed"] == seed)]


def _of_all_units(rows: pd.DataFrame) -> tuple[str, pd.DataFrame]:
    """The average over the units and over the seeds."""
    means = rows[rows["unit"] == "mean"].groupby("step")[list(_LEVELS)].mean()
    return "all units", means.reset_index()


def _draw_accuracy(axes: Axes, mean: pd.DataFrame, low: float, high: float) -> None:
    labels = []
    for phase, (experiment, rows) in enumerate(mean.groupby("experiment", sort=True)):
        line = EXPERIMENTS[str(experiment)]
        labels.append(draw_mean(axes, rows, line, phase=phase / 2))
        drawn = EXPERIMENTS[str(experiment)].paper_curve
        if drawn is not None:
            draw_paper(axes, drawn, line)
    axes.set_ylim(low, high)
    axes.set_ylabel("test accuracy")
    percent_axis(axes.yaxis)
    step_axis(axes)
    label_ends(axes, labels)
    thin_and_thick(axes)


def _percentile_limits(percentiles: pd.DataFrame) -> tuple[float, float]:
    """The limits of the percentile axis, one pair for all panels: spreads can be compared."""
    shown = percentiles[percentiles["seed"] == percentiles["seed"].min()]
    low, high = shown["p15"].min(), shown["p85"].max()
    return min(low * 1.35, -3.2), max(high * 1.1, 2.6)


def _draw_percentiles(
    axes: Axes, rows: pd.DataFrame, experiment: str, limits: tuple[float, float]
) -> None:
    color = EXPERIMENTS[experiment].color
    axes.fill_between(rows["step"], rows["p15"], rows["p85"], color=color, alpha=0.12, linewidth=0)
    labels = []
    for level in _LEVELS:
        style = "-" if level == "p50" else (0, (4, 1.5))
        axes.plot(rows["step"], rows[level], color=color, linestyle=style, linewidth=1.4)
        drawn = paper.curve(PERCENTILE_CURVES[experiment], level)
        axes.plot(drawn["step"], drawn["value"], color=INK, linewidth=0.6)
        name = _LEVEL_NAMES[level]
        end = rows["step"].iloc[-1], rows[level].iloc[-1]
        labels.append(Label(*end, name, EXPERIMENTS[experiment].text_color))
    axes.set_ylim(*limits)
    axes.set_ylabel("input to the sigmoid")
    step_axis(axes)
    label_ends(axes, labels)
    thin_and_thick(axes)


def _ends(mean: pd.DataFrame) -> str:
    ends = mean.sort_values("step", kind="stable").groupby("experiment").tail(1)
    rows = ends.sort_values("accuracy_mean", ascending=False, kind="stable").to_dict("records")
    return ", ".join(
        f"{percent(row['accuracy_mean'])} {EXPERIMENTS[row['experiment']].label}" for row in rows
    )


def _farthest(rows: pd.DataFrame) -> float:
    """Where the median is farthest from 0."""
    return float(max(rows["p50"], key=abs))


def _describe_accuracy(mean: pd.DataFrame) -> str:
    ends = mean.sort_values("step", kind="stable").groupby("experiment").tail(1)
    each = "; ".join(
        f"{EXPERIMENTS[row['experiment']].label} it ends at {percent(row['accuracy_mean'])} "
        f"(seeds {percent(row['accuracy_low'])} to {percent(row['accuracy_high'])})"
        for row in ends.to_dict("records")
    )
    return f"Test accuracy against training steps, mean over seeds with a band: {each}."


def _describe_percentiles(rows: pd.DataFrame) -> str:
    first, last = rows.iloc[0], rows.iloc[-1]
    return (
        "15th, 50th and 85th percentile of the input to the sigmoid against training steps: the "
        f"spread goes from {first['p85'] - first['p15']:.2f} to {last['p85'] - last['p15']:.2f}, "
        f"the median is farthest from 0 at {_farthest(rows):.2f}."
    )
