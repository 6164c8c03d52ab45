"""F2 on many branches: Xavier's and MSRA's weights in the small Inception (`initial_weights`)."""

from functools import partial

import pandas as pd
from matplotlib.axes import Axes

from bnrepro.drawing.curves import Label, label_ends, percent_axis
from bnrepro.drawing.style import Panel
from bnrepro.exhibits.exhibit import Drawing, Exhibit, Table, command_at, name_at
from bnrepro.exhibits.selection import Selection, select
from bnrepro.exhibits.wording import percent, setting
from bnrepro.experiments.line import BLUE, DASHED, VERMILLION, Line

_STUDY = "initial_weights"
_RULES = {
    "glorot": Line("Xavier", BLUE, "-", "s"),
    "he": Line("MSRA", VERMILLION, DASHED, "o"),
}
_NETWORKS = {"none": "without batch normalization", "before": "with it"}
_CAPTION = (
    "Test accuracy; line: median over the seeds, band: least and greatest. Kernels are normal, of "
    "variance 2 / (fan-in + fan-out) (Xavier) or 2 / fan-in (MSRA)."
)
_LEAD = (
    "A chain of equal layers is the case that Xavier's and MSRA's rules were made for. The "
    "Inception network has branches of one, two and three convolutions that are put side by side, "
    "with fewer outputs than inputs here and more there, so that the two rules differ by another "
    "factor in every layer. Does the choice still matter, and does it with batch normalization?",
)


def exhibit(results_dir: str, scale: str | None = None) -> Exhibit:
    """Test accuracy over steps by rule, from the records of the study `initial_weights`.

    Raises:
        ConfigError: if none of the runs is there.
        RecordError: if a record or a curve cannot be read.
    """
    chosen = select(_STUDY, results_dir, () if scale is None else (f"scale={scale}",))
    curves = _curves(chosen)
    return Exhibit(
        name=name_at(_STUDY, scale),
        title="Xavier and MSRA on many branches",
        setting=setting(chosen.runs),
        findings=[_finding(network, curves) for network in _NETWORKS],
        commands=[chosen.command, command_at(_STUDY, scale)],
        missing=[chosen.missing] if chosen.missing else [],
        drawings=[_drawing(curves)],
        tables=[_table(curves)],
        series=[],
        runs=chosen.runs,
    )


def _curves(chosen: Selection) -> pd.DataFrame:
    """Rows of the curves with their `rule` and `network`."""
    columns = {"config.initializer.name": "rule", "config.placement": "network"}
    runs = chosen.runs.rename(columns=columns)[["name", "seed", *columns.values()]]
    return chosen.curves[["name", "seed", "step", "evaluation_accuracy"]].merge(
        runs, on=["name", "seed"]
    )


def _drawing(curves: pd.DataFrame) -> Drawing:
    panels = [
        Panel(
            f"placement_{network}",
            f"({letter}) {words}",
            _finding(network, curves),
            partial(_draw, curves=curves[curves["network"] == network]),
        )
        for letter, (network, words) in zip("ab", _NETWORKS.items(), strict=True)
    ]
    each = "; ".join(f"{_in_words(name, curves)} {words}" for name, words in _NETWORKS.items())
    return Drawing(
        "accuracy",
        f"Final test accuracy: {each}",
        panels,
        [[panel.name for panel in panels]],
        _CAPTION,
        _LEAD,
    )


def _draw(axes: Axes, curves: pd.DataFrame) -> None:
    labels = []
    for rule, line in _RULES.items():
        by_step = curves[curves["rule"] == rule].groupby("step")["evaluation_accuracy"]
        middle = by_step.median()
        axes.fill_between(
            middle.index, by_step.min(), by_step.max(), color=line.color, alpha=0.15, linewidth=0
        )
        axes.plot(
            middle.index, middle, color=line.color, linestyle=line.style, marker=line.marker,
            markersize=3,
        )  # fmt: skip
        if not middle.empty:
            end = float(middle.index[-1]), float(middle.iloc[-1])
            labels.append(Label(*end, line.label, line.text_color))
    axes.set_ylim(0, 1)
    percent_axis(axes.yaxis)
    axes.set_xlabel("training steps")
    axes.set_ylabel("test accuracy")
    label_ends(axes, labels)


def _final(curves: pd.DataFrame) -> pd.DataFrame:
    return curves[curves["step"] == curves["step"].max()]


def _in_words(network: str, curves: pd.DataFrame) -> str:
    last = _final(curves[curves["network"] == network])
    medians = last.groupby("rule")["evaluation_accuracy"].median()
    return ", ".join(
        f"{percent(medians[rule])} {line.label}" for rule, line in _RULES.items() if rule in medians
    )


def _finding(network: str, curves: pd.DataFrame) -> str:
    words = {"none": "Without batch normalization", "before": "With batch normalization"}[network]
    return f"{words} the network ends at {_in_words(network, curves)} (medians over the seeds)."


def _table(curves: pd.DataFrame) -> Table:
    """Final test accuracies."""
    rows = []
    for (network, rule), own in _final(curves).groupby(["network", "rule"], sort=False):
        values = own["evaluation_accuracy"]
        name = _RULES[str(rule)].label
        rows.append([_NETWORKS[str(network)], name, len(own), values.median(), values.min(),
                     values.max()])  # fmt: skip
    columns = ("network", "rule", "n", "accuracy", "least_accuracy", "greatest_accuracy")
    return Table("accuracies", columns, rows, "Final test accuracy: median over the seeds.")
