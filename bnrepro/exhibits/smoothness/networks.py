"""The networks of the study `smoothness`, and what was measured while they trained."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from bnrepro.drawing.curves import Label, label_ends, plain_ticks, plainly
from bnrepro.exhibits.selection import Selection, select
from bnrepro.experiments.line import BLUE, DASHED, DOTTED, GREEN, ORANGE, VERMILLION, Line
from bnrepro.records.record import RecordError
from bnrepro.verdicts.comparison import Comparison, of_values

STUDY = "smoothness"
PLAIN, BN, NOISY, NOISE = "without BN", "with BN", "noisy BN", "noise without BN"
LINES = {
    PLAIN: Line(PLAIN, VERMILLION, "-", "o"),
    BN: Line(BN, BLUE, "-", "s"),
    NOISY: Line(NOISY, GREEN, DASHED, "^"),
    NOISE: Line(NOISE, ORANGE, DOTTED, "v"),
}
_BY_NORMALIZATION = {"batch": BN, "noisy_batch": NOISY, "noise": NOISE}


def chosen(results_dir: str, scale: str | None) -> Selection:
    """The study's runs below `results_dir`, the published ones or those of a scale of its own.

    Raises:
        ConfigError: if none of the runs is there.
        RecordError: if a record cannot be read.
    """
    return select(STUDY, results_dir, () if scale is None else (f"scale={scale}",))


def labelled(runs: pd.DataFrame) -> pd.DataFrame:
    """The runs of a `Selection` with their network's name as `label`."""
    normalized = runs["config.normalization"].map(_BY_NORMALIZATION)
    return runs.assign(label=normalized.where(runs["config.placement"] != "none", PLAIN))


def measured(runs: pd.DataFrame, measure: str) -> pd.DataFrame:
    """The rows of a measure, each with its `network` and `seed`; `runs` are `labelled`.

    Raises:
        RecordError: if the file of a run that was asked for the measure cannot be read.
    """
    frames = []
    for run in runs.to_dict("records"):
        if measure not in run["config.measures"]:
            continue
        path = Path(run["directory"]) / f"{measure}.csv"
        try:
            frame = pd.read_csv(path)
        except (OSError, ValueError) as error:
            raise RecordError(f"{path}: cannot be read ({error})") from error
        frames.append(frame.assign(network=run["label"], seed=run["seed"]))
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def train_accuracies(runs: pd.DataFrame, curves: pd.DataFrame, num_classes: int) -> pd.DataFrame:
    """Training accuracy, a row a seed and step, a column a label; chance where it diverged.

    `runs` have a `label`; `curves` are those of a `Selection`, of which only theirs count.
    """
    keys = ["name", "seed"]
    own = curves.merge(runs[[*keys, "label", "diverged_at_step"]], on=keys, suffixes=("_", ""))
    has_diverged = pd.to_numeric(own["diverged_at_step"]).le(own["step"])
    accuracy = own["train_accuracy"].mask(has_diverged, 1 / num_classes)
    return own.assign(accuracy=accuracy).pivot(
        index=["seed", "step"], columns="label", values="accuracy"
    )


def compared(name: str, of_seeds: pd.Series) -> Comparison:
    """One number a seed; seeds of which a network is absent have none."""
    return of_values(name, of_seeds.dropna().to_numpy())


def draw_over_steps(
    axes: Axes, rows: pd.DataFrame, quantity: str, network: str, dashed: bool = False
) -> Label | None:
    """The median over seeds at each step, with a band from the least seed to the greatest.

    What is not finite on a seed counts as the worst: where the median is not finite there is no
    line. `rows` have `seed`, `step` and the quantity. Gives the label of the line's end.
    """
    if rows.empty:
        return None
    line = LINES[network]
    by_step = rows.groupby("step")[quantity]
    low, middle, high = by_step.min(), by_step.median(), by_step.max()
    axes.fill_between(low.index, low, high, color=line.color, alpha=0.15, linewidth=0)
    style = (0, (4, 2)) if dashed else line.style
    axes.plot(
        middle.index, middle, color=line.color, linestyle=style, marker=line.marker,
        markersize=2 if dashed else 3.5, linewidth=1.1 if dashed else 1.6, label=network,
    )  # fmt: skip
    return Label(float(middle.index[-1]), float(middle.iloc[-1]), network, line.text_color)


def draw_networks(
    axes: Axes, rows: pd.DataFrame, quantity: str, networks: Sequence[str] = (PLAIN, BN)
) -> None:
    """`draw_over_steps` of some networks, with their labels; set the scale of the values before."""
    drawn = [
        draw_over_steps(axes, rows[rows["network"] == network], quantity, network)
        for network in networks
    ]
    axes.set_xlabel("training steps")
    if axes.get_yscale() == "log":
        plain_ticks(axes)
    label_ends(axes, [label for label in drawn if label is not None])


def steps_axis(axes: Axes, last: int) -> None:
    """Steps of equal ratios at equal distances, from step 0 to the last one."""
    axes.set_xscale("symlog", linthresh=1)
    axes.set_xlim(0, last)
    axes.xaxis.set_major_locator(FixedLocator([0, 1, 10, 100, 1000]))
    axes.xaxis.set_major_formatter(FuncFormatter(plainly))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("training steps")


def describe(rows: pd.DataFrame, quantity: str) -> str:
    """Medians over seeds and steps by network, in words."""
    medians = rows.groupby("network", sort=False)[quantity].median()
    each = "; ".join(f"{network}: {value:.3g}" for network, value in medians.items())
    return f"Median over seeds and steps: {each}."
