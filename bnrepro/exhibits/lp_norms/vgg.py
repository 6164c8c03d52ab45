"""A4 in a VGG network, from the records of `lp_norms_vgg` and `smoothness`, drawn and told."""

from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from bnrepro.config import ConfigError
from bnrepro.drawing.curves import percent_axis
from bnrepro.drawing.style import Panel
from bnrepro.exhibits.computed import verdict_table
from bnrepro.exhibits.exhibit import Drawing, Exhibit, Table, command_at, name_at, rows_of
from bnrepro.exhibits.lp_norms.claims import BN, NORMS
from bnrepro.exhibits.lp_norms.lines import LINES, draw_lines
from bnrepro.exhibits.lp_norms.vgg_claims import (
    STUDY,
    accuracies,
    along_gradient,
    compared_runs,
    moved,
    over_plain,
    steps_to,
    verdicts,
)
from bnrepro.exhibits.selection import select, select_optional
from bnrepro.exhibits.smoothness.landscape_claims import RELATIVE, late
from bnrepro.exhibits.smoothness.networks import STUDY as OTHERS
from bnrepro.exhibits.smoothness.networks import measured, plain_ticks, steps_axis
from bnrepro.exhibits.wording import percent, setting
from bnrepro.verdicts.reasons import reasons_for

_SHARE = RELATIVE[1]
_NORMALIZED = (BN, *NORMS)
_LAYERS = ("first", "middle", "last")
_CAPTION = (
    "(a) Accuracy on the training mini-batches since the last mark. (b) The greatest change of the "
    "gradient along itself, 1/2 to 4 learning rates far, on the mini-batch that comes next, with "
    "its own statistics; (c) the same over the gradient, at a step of 1 % of the weights' norm. "
    "(d) Absolute change of a unit's mean from one step to the next, over fixed images: median "
    "over units and steps, a mark a seed, for the input of the first activation, of one in the "
    "middle and of the last. Lines: medians over the seeds, bands: least and greatest."
)
_LEAD = (
    "The same question in a network that is worth training: the VGG network of the pictures on "
    "noise and smoothness, from the same weights and on the same mini-batches, its values divided "
    "by their mean absolute value, their root mean square or the largest of them, taken before "
    "the mean is subtracted.",
)


def exhibit(results_dir: str, scale: str | None = None) -> Exhibit:
    """A4 from the records of the studies `lp_norms_vgg` and `smoothness`.

    Raises:
        ConfigError: if there is no run of one of the two.
        RecordError: if a record, a curve or a measure cannot be read.
    """
    words = () if scale is None else (f"scale={scale}",)
    own = select(STUDY, results_dir, words)
    others, without_others = select_optional(OTHERS, results_dir, words)
    if others is None:
        raise ConfigError(without_others)
    runs, judged = compared_runs(own, others), verdicts(own, others)
    rows = along_gradient(runs)
    moves = measured(runs, "distributions")
    return Exhibit(
        name=name_at(STUDY, scale),
        title="l_p norms in a VGG network",
        setting=setting(runs),
        findings=_findings(accuracies(own, others), rows, moves),
        commands=[own.command, others.command, command_at(STUDY, scale)],
        missing=[own.missing] if own.missing else [],
        drawings=[_drawing(accuracies(own, others), rows, moves)],
        tables=[verdict_table(judged), _table(rows, moves)],
        series=[],
        runs=runs,
        reasons=reasons_for(judged),
    )


def _drawing(accuracy: pd.DataFrame, rows: pd.DataFrame, moves: pd.DataFrame) -> Drawing:
    along, relative = rows[rows["move"] == "gradient"], rows[rows["move"] == _SHARE]
    curves = accuracy.reset_index().melt(["seed", "step"], list(LINES), "network", "accuracy")
    panels = [
        Panel(
            "accuracy",
            "(a) Training accuracy",
            f"At the end (medians): {_final(accuracy)}.",
            partial(_draw_accuracy, rows=curves.dropna()),
        ),
        Panel(
            "change",
            "(b) Change of the gradient along itself",
            f"Over that without: {_over(rows, 'gradient', 'greatest_change')}.",
            partial(_draw, rows=along, quantity="greatest_change", axis="greatest change"),
        ),
        Panel(
            "relative",
            "(c) Change at a step of 1 % of the weights' norm",
            f"Over that without: {_over(rows, _SHARE, 'relative_change')}.",
            partial(
                _draw, rows=relative, quantity="relative_change", axis="change over the gradient"
            ),
        ),
        Panel(
            "moved",
            "(d) A unit's mean moves in one step by",
            f"Over that without, least of three layers: {_moved(moves)}.",
            partial(_draw_moves, rows=moves),
        ),
    ]
    names = [panel.name for panel in panels]
    title = f"Training accuracy at the end (medians): {_final(accuracy)}"
    return Drawing(STUDY, title, panels, [names[:2], names[2:]], _CAPTION, _LEAD)


def _final(accuracy: pd.DataFrame) -> str:
    medians = accuracy.groupby("seed").last().median().dropna()
    return ", ".join(f"{percent(medians[name])} {LINES[str(name)].label}" for name in medians.index)


def _over(rows: pd.DataFrame, move: str, quantity: str) -> str:
    """Medians over those without, medians over the seeds."""
    return _each({name: over_plain(rows, name, quantity, move).median() for name in _NORMALIZED})


def _moved(moves: pd.DataFrame) -> str:
    medians = moved(moves).median()
    return _each({name: medians[name] for name in _NORMALIZED})


def _each(values: dict[str, float]) -> str:
    """Those that there are: a norm may have no run yet."""
    there = {name: value for name, value in values.items() if not np.isnan(value)}
    return ", ".join(f"{LINES[name].label} {value:.3g}" for name, value in there.items())


def _table(rows: pd.DataFrame, moves: pd.DataFrame) -> Table:
    """What is told over the network without, a row a network and seed."""
    frame = pd.concat(
        [
            pd.DataFrame(
                {
                    "network": name,
                    "change": over_plain(rows, name),
                    "late_change": over_plain(late(rows), name),
                    "relative_change": over_plain(rows, name, "relative_change", _SHARE),
                    "beta": over_plain(rows, name, "beta"),
                    "moved": moved(moves)[name],
                }
            ).reset_index()
            for name in _NORMALIZED
        ]
    ).dropna(subset="change")
    caption = (
        "Over the network without, on each seed: the greatest change of the gradient along itself, "
        "of all measurements and after the first fifth of the training, its change at a step of "
        "1 % of the weights' norm, effective beta (medians over the steps), and how far a unit's "
        "mean moves in a step, of the layer where it is least."
    )
    return Table("over_plain", list(frame.columns), rows_of(frame), caption)


def _findings(accuracy: pd.DataFrame, rows: pd.DataFrame, moves: pd.DataFrame) -> list[str]:
    steps = {name: steps_to(accuracy, name).median() for name in _NORMALIZED}
    said = ", ".join(
        f"{LINES[name].label} {'never' if np.isinf(value) else format(value, ',.0f')}"
        for name, value in steps.items()
        if not np.isnan(value)
    )
    return [
        f"Training accuracy at the end (medians over the seeds): {_final(accuracy)}. Steps to that "
        f"of the network without normalization, on a grid of {_grid(accuracy)}: {said}.",
        "The greatest change of the gradient along itself, over that without normalization "
        f"(medians over steps, then seeds): {_over(rows, 'gradient', 'greatest_change')}; after "
        "the first fifth of the training: "
        f"{_over(late(rows), 'gradient', 'greatest_change')}.",
        "The change at a step of 1 % of the weights' norm, relative to the gradient, over that "
        f"without: {_over(rows, _SHARE, 'relative_change')}; after the first fifth: "
        f"{_over(late(rows), _SHARE, 'relative_change')}.",
        "A unit's mean moves in a step, over that without (the layer where it is least): "
        f"{_moved(moves)}.",
    ]


def _grid(accuracy: pd.DataFrame) -> int:
    """The steps between two points of the curves."""
    return int(np.diff(sorted(set(accuracy.index.get_level_values("step")))).min())


def _draw_accuracy(axes: Axes, rows: pd.DataFrame) -> None:
    draw_lines(axes, rows, "accuracy")
    percent_axis(axes.yaxis)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("training steps")
    axes.set_ylabel("accuracy")
    axes.legend(frameon=False, fontsize=7.5, loc="best")


def _draw(axes: Axes, rows: pd.DataFrame, quantity: str, axis: str) -> None:
    draw_lines(axes, rows.replace({quantity: np.inf}, np.nan), quantity)
    steps_axis(axes, rows["step"].max())
    axes.set_yscale("log")
    plain_ticks(axes)
    axes.set_ylabel(axis)


def _draw_moves(axes: Axes, rows: pd.DataFrame) -> None:
    medians = rows.groupby(["layer", "network", "seed"])["mean_change"].median()
    layers = list(dict.fromkeys(rows["layer"]))
    for place, (network, line) in enumerate(LINES.items()):
        for column, layer in enumerate(layers):
            values = medians.reindex([(layer, network, seed) for seed in rows["seed"].unique()])
            at = np.full(len(values), column + 0.15 * (place - 2))
            axes.plot(at, values, line.marker, color=line.color, markersize=4)
    axes.set_yscale("log")
    axes.set_xticks(range(len(layers)), _LAYERS[: len(layers)])
    axes.set_xlabel("hidden layer")
    axes.set_ylabel("median absolute change")
