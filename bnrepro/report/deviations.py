"""The settings in which a run is not the paper's, or fills in what the paper leaves open."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from bnrepro.config import study, to_flat
from bnrepro.experiments import EXPERIMENTS
from bnrepro.paper import settings
from bnrepro.paper.settings import Setting
from bnrepro.tables import markdown_table

COLUMNS = ("setting", "experiments", "paper", "ours", "section", "note")
OPEN_COLUMNS = tuple(column for column in COLUMNS if column != "paper")

KINDS = {
    "deviation": "Deviations from the paper",
    "left open": "What the paper leaves open, and what we chose",
    "as the paper": "Settings that are the paper's",
}


@dataclass(frozen=True)
class Comparison:
    """One setting of experiments that have it in common, the paper's and ours."""

    setting: Setting
    experiments: tuple[str, ...]  # empty for all
    paper: Any
    ours: Any

    @property
    def kind(self) -> str:
        """`left open` by the paper, `deviation` from it, or `as the paper`."""
        if self.paper == self.ours:
            return "as the paper"
        # Without normalization the paper's value is that there is none.
        is_open = self.setting.value is None and not self.setting.of
        return "left open" if is_open else "deviation"

    @property
    def row(self) -> list[Any]:
        """A table's cells, by `COLUMNS`, without the paper's value where there is none."""
        given = [] if self.kind == "left open" else [_words(self.paper)]
        return [
            *(self.setting.key, ", ".join(self.experiments) or "all", *given, _words(self.ours)),
            *(self.setting.section, self.setting.note or None),
        ]


def compare_all(scale: str) -> dict[str, list[Comparison]]:
    """Every setting of the paper's own experiments, at `scale`, by the figure that shows them.

    Raises:
        ConfigError: if a study or the scale is refused.
    """
    drawn = {name: one.paper_series[0] for name, one in EXPERIMENTS.items() if one.paper_series}
    figure_1, figure_2 = (
        [name for name, figure in drawn.items() if figure == wanted] for wanted in ("fig1a", "fig2")
    )
    return {
        "Figure 1": compare(settings.FIGURE_1, _configs("figure_1", [], figure_1)),
        "Figure 2": compare(settings.FIGURE_2, _configs("figure_2", [f"scale={scale}"], figure_2)),
        "Figure 4": compare(settings.FIGURE_4, _networks([f"scale={scale}"])),
    }


def introduction(scale: str) -> str:
    """How to read what `compare_all` finds at `scale`."""
    return (
        "Made from the configs that the runs are composed of, held against what the paper says of "
        f"each setting; figures 2 and 4 are at scale={scale}. Settings are those before the "
        "changes of section 4.2.1, which the setting accelerate lists. Figure 4's six networks, "
        "told apart by their seeds, are figure 2's BN-x30, with its deviations, but for what is "
        "said of them."
    )


def to_markdown(scale: str) -> str:
    """What is not the paper's and what it leaves open, as a page of Markdown.

    Raises:
        ConfigError: if a study or the scale is refused.
    """
    parts = ["# Deviations from the paper, and what it leaves open", introduction(scale)]
    for figure, comparisons in compare_all(scale).items():
        for kind, columns in (("deviation", COLUMNS), ("left open", OPEN_COLUMNS)):
            rows = [_cells(item) for item in comparisons if item.kind == kind]
            if rows:
                parts += [f"## {figure}: {KINDS[kind].lower()}", markdown_table(columns, rows)]
    return "\n\n".join(parts) + "\n"


def _cells(comparison: Comparison) -> list[str]:
    return ["" if cell is None else str(cell) for cell in comparison.row]


def compare(
    stated: Iterable[Setting], configs: Mapping[str, Mapping[str, Any]]
) -> list[Comparison]:
    """Every setting, with the experiments together that have the same values of it."""
    comparisons = []
    for setting in stated:
        groups: dict[str, tuple[list[str], Any, Any]] = {}
        for experiment, config in configs.items():
            values = setting.value_of(experiment), _ours(setting.key, config)
            groups.setdefault(repr(values), ([], *values))[0].append(experiment)
        comparisons += [
            Comparison(setting, () if len(groups) == 1 else tuple(experiments), theirs, ours)
            for experiments, theirs, ours in groups.values()
        ]
    return comparisons


def _configs(name: str, overrides: list[str], experiments: list[str]) -> dict[str, dict[str, Any]]:
    flats = {
        str(run.experiment): to_flat(run.composition.config)
        for run in study.planned_runs(name, overrides)
    }
    return {experiment: flats[experiment] for experiment in experiments if experiment in flats}


def _networks(overrides: list[str]) -> dict[str, dict[str, Any]]:
    """The networks of figure 4, each of which has a seed of its own."""
    return {
        f"seed {run.seed}": to_flat(run.composition.config)
        for run in study.planned_runs("figure_4", overrides)
    }


def _ours(key: str, config: Mapping[str, Any]) -> Any:
    """The config's value, but for the one name that stands for two networks."""
    small = config["data.image_size"] < settings.PAPER_IMAGE_SIZE
    if key == "model.name" and config[key] == "inception" and small:
        return "small Inception of Zhang et al. 2017 (arXiv 1611.03530)"
    return config[key]


def _words(value: Any) -> str:
    if value is None or value == []:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if isinstance(value, float):
        return f"{value:g}"
    return f"{value:,}" if isinstance(value, int) else str(value)
