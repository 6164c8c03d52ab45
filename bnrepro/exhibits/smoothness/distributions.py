"""A1, drawn and told: distributions that jump in every step, and what that costs."""

from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from bnrepro.drawing.curves import percent_axis
from bnrepro.drawing.style import Panel
from bnrepro.exhibits.computed import verdict_table
from bnrepro.exhibits.exhibit import Drawing, Exhibit, Table, command_at, name_at, rows_of
from bnrepro.exhibits.smoothness.distributions_claims import changes, train_accuracy, verdicts
from bnrepro.exhibits.smoothness.networks import (
    BN,
    LINES,
    NOISE,
    NOISY,
    PLAIN,
    chosen,
    draw_networks,
    labelled,
    measured,
)
from bnrepro.exhibits.wording import percent, points, setting
from bnrepro.verdicts.reasons import reasons_for

_NETWORKS = (PLAIN, BN, NOISY, NOISE)
_LAYERS = {"convolution_1": "first", "convolution_6": "middle", "hidden_2": "last"}
_LEAD = (
    "The paper's reason is internal covariate shift: the distribution of a layer's inputs moves "
    "while the layers before it learn, and batch normalization holds it still. Then take the "
    "stillness away and see. Behind every batch normalization each unit is moved by a random "
    "amount and scaled by another, drawn anew in every step, so that the next layer meets another "
    "distribution each time: more restless than in a network that never had batch normalization. "
    "If stable distributions were the reason, this network should train like the plain one.",
    "It is a cruel experiment, and a fair one: the same noise in the plain network is there, too.",
)
_CAPTION = (
    "(a) Accuracy on the training mini-batches since the last mark, noise on; line: median over "
    "the seeds, band: least and greatest. (b) Absolute change of a unit's mean from one step to "
    "the next, over fixed images: median over units and steps, a mark a seed, for the input of the "
    "first activation, of one in the middle and of the last."
)
_RIDGES = (
    "Histograms of the input of an activation, unit 0, over fixed training images at twelve steps "
    "from the first (bottom) to the last (top), seed {seed}: of the first, a middle and the last "
    "hidden layer. The horizontal axis of each column goes from the least to the greatest value of "
    "that network and layer; the black tick is the mean."
)


def exhibit(results_dir: str, scale: str | None = None) -> Exhibit:
    """A1 from the records of the study `smoothness`.

    Raises:
        ConfigError: if none of the runs is there.
        RecordError: if a record, a curve or a measure cannot be read.
    """
    found = chosen(results_dir, scale)
    runs = labelled(found.runs)
    rows, accuracy = measured(runs, "distributions"), train_accuracy(found)
    judged = verdicts(found)
    return Exhibit(
        name=name_at("noisy_batch", scale),
        title="Noisy batch normalization",
        setting=setting(runs),
        findings=_findings(accuracy, rows, runs),
        commands=[found.command, command_at("noisy_batch", scale)],
        missing=[found.missing] if found.missing else [],
        drawings=[_accuracies(accuracy, rows), _ridges(rows)],
        tables=[verdict_table(judged), _gap_table(accuracy), _changes_table(rows)],
        series=[],
        runs=runs,
        reasons=reasons_for(judged),
    )


def _accuracies(accuracy: pd.DataFrame, rows: pd.DataFrame) -> Drawing:
    frame = accuracy.reset_index().melt(["seed", "step"], _NETWORKS, "network", "accuracy").dropna()
    medians = _final(accuracy).median()
    title = (
        f"Final training accuracy: {percent(medians[PLAIN])} {PLAIN}, {percent(medians[BN])} "
        f"{BN}, {percent(medians[NOISY])} with {NOISY}, {percent(medians[NOISE])} {NOISE}"
    )
    panels = [
        Panel(
            "accuracy",
            "(a) Training accuracy",
            "Final medians over seeds: "
            + "; ".join(f"{name}: {percent(medians[name])}" for name in _NETWORKS),
            partial(_draw_accuracy, frame=frame),
        ),
        Panel(
            "changes",
            "(b) A unit's mean moves in one step by",
            "Medians over seeds, layer by layer: " + _changes_in_words(rows),
            partial(_draw_changes, rows=rows),
        ),
    ]
    return Drawing("accuracy", title, panels, [["accuracy", "changes"]], _CAPTION, _LEAD)


def _ridges(rows: pd.DataFrame) -> Drawing:
    seed = int(rows["seed"].min())
    own = rows[rows["seed"] == seed]
    title = (
        f"With the noise a unit's mean moves {_least_ratio(rows):.0f} times as far in a step as in "
        "the plain network, or farther"
    )
    names = [name for name in _NETWORKS if name in set(own["network"])]
    panels = [
        Panel(
            name.replace(" ", "_"),
            f"({letter}) {name}",
            f"Histograms of unit 0 of three layers over steps, {name}.",
            partial(_draw_ridges, rows=own[own["network"] == name]),
        )
        for letter, name in zip("abcd", names, strict=False)
    ]
    places = [panel.name for panel in panels]
    layout = [places[:2], places[2:]] if len(places) == len(_NETWORKS) else [places]
    return Drawing("distributions", title, panels, layout, _RIDGES.format(seed=seed))


def _draw_accuracy(axes: Axes, frame: pd.DataFrame) -> None:
    percent_axis(axes.yaxis)
    axes.set_ylim(0, 1.1 * frame["accuracy"].max())
    axes.set_ylabel("accuracy")
    draw_networks(axes, frame, "accuracy", _NETWORKS)


def _draw_changes(axes: Axes, rows: pd.DataFrame) -> None:
    table = changes(rows)
    layers = list(dict.fromkeys(rows["layer"]))
    for place, network in enumerate(_NETWORKS):
        line = LINES[network]
        for column, layer in enumerate(layers):
            values = table.xs(layer, level="layer")[network]
            at = np.full(len(values), column + 0.18 * (place - 1.5))
            label = network if column == 0 else None
            axes.plot(at, values, line.marker, color=line.color, markersize=4, label=label)
    axes.set_yscale("log")
    axes.set_xticks(range(len(layers)), [_LAYERS.get(layer, layer) for layer in layers])
    axes.set_xlabel("hidden layer")
    axes.set_ylabel("median absolute change")
    axes.legend(frameon=False, fontsize=7.5, loc="best")


def _draw_ridges(axes: Axes, rows: pd.DataFrame) -> None:
    """A column per layer, a ridge per step."""
    steps = _shown_steps(rows)
    layers = list(dict.fromkeys(rows["layer"]))
    bins = [column for column in rows.columns if column.startswith("bin_")]
    color = LINES[rows["network"].iloc[0]].color
    for column, layer in enumerate(layers):
        own = rows[(rows["layer"] == layer) & rows["step"].isin(steps)].set_index("step")
        least, greatest = own["low"].min(), own["high"].max()
        for level, step in enumerate(steps):
            if step not in own.index or not np.isfinite(own.loc[step, "low"]):
                continue
            row = own.loc[step]
            place = partial(_place, column=column, least=least, greatest=greatest)
            edges = place(np.linspace(row["low"], row["high"], len(bins) + 1))
            counts = row[bins].to_numpy(float)
            axes.stairs(
                level + 1.4 * counts / counts.max(), edges, baseline=level, fill=True,
                facecolor=color, edgecolor="white", linewidth=0.6, alpha=0.75,
                zorder=2 + len(steps) - level,
            )  # fmt: skip
            mean = place(row["mean"])
            axes.plot([mean, mean], [level, level + 0.5], color="black", linewidth=0.9, zorder=40)
    axes.set_yticks(range(len(steps)), [str(step) for step in steps], fontsize=7)
    axes.set_ylabel("step")
    axes.set_xticks(
        [column + 0.45 for column in range(len(layers))],
        [_LAYERS.get(layer, layer) for layer in layers],
    )
    axes.set_xlabel("hidden layer")
    axes.grid(visible=False)


def _place(values: Any, column: int, least: float, greatest: float) -> Any:
    """Where values stand in their column."""
    return column + 0.9 * (values - least) / (greatest - least)


def _shown_steps(rows: pd.DataFrame) -> list[int]:
    """Steps of which the next was measured, too, and the last: as many as were asked for."""
    steps = sorted(set(rows["step"]))
    return [step for step in steps if step + 1 in steps or step == steps[-1]]


def _final(accuracy: pd.DataFrame) -> pd.DataFrame:
    steps = accuracy.index.get_level_values("step")
    return accuracy[steps == steps.max()].droplevel("step")


def _least_ratio(rows: pd.DataFrame) -> float:
    """How many times as far means move with the noise: of the layer where it is least."""
    ratio = changes(rows)[NOISY] / changes(rows)[PLAIN]
    return float(ratio.groupby("seed").min().median())


def _gap_table(accuracy: pd.DataFrame) -> Table:
    """Noisy batch normalization minus batch normalization, over steps."""
    gap = (accuracy[NOISY] - accuracy[BN]).dropna()
    by_step = gap.groupby("step")
    rows = [[step, len(own), own.median(), own.min(), own.max()] for step, own in by_step]
    columns = ("step", "n", "gap", "least", "greatest")
    return Table("gap", columns, rows, "Training accuracy with noise minus without, both with BN.")


def _changes_table(rows: pd.DataFrame) -> Table:
    frame = changes(rows).groupby("layer", sort=False).median().reset_index()
    caption = "Change of a unit's mean in one step: median over units, steps and seeds."
    return Table("changes", list(frame.columns), rows_of(frame), caption)


def _changes_in_words(rows: pd.DataFrame) -> str:
    medians = changes(rows).groupby("layer", sort=False).median()
    return "; ".join(
        f"{network}: {', '.join(f'{value:.3g}' for value in medians[network])}"
        for network in _NETWORKS
    )


def _findings(accuracy: pd.DataFrame, rows: pd.DataFrame, runs: pd.DataFrame) -> list[str]:
    final = _final(accuracy)
    medians = final.median()
    gap = (final[NOISY] - final[BN]).median()
    tested = runs.groupby("label")[["judged_final", "final_accuracy_population"]].median()
    found = [
        f"With means that move at least {_least_ratio(rows):.0f} times as far in a step as in the "
        "plain network, noisy batch normalization ends at a training accuracy of "
        f"{percent(medians[NOISY])}, the plain network at {percent(medians[PLAIN])}; "
        f"batch normalization at {percent(medians[BN])}; the noise changes its accuracy by "
        f"{points(gap, 1)} points (medians over seeds).",
        f"The same noise leaves the plain network at {percent(medians[NOISE])}.",
    ]
    if NOISY in tested.index:
        judged, population = map(float, tested.loc[NOISY])
        found.append(
            f"On test images, where nothing is noisy, noisy batch normalization has "
            f"{percent(judged)} by its moving averages and {percent(population)} by population "
            "statistics, which both have seen the noise (medians over seeds)."
        )
    return found
