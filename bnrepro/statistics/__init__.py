"""Pure functions from recorded curves to the numbers that a claim rests on.

`accuracies`: what a run counts for. `curves`: crossings of a target, mean curves, slope, distance.
`medians`: Kaplan-Meier medians and their intervals. `bootstrap`: ratios of medians, with intervals.
`coverage`: how often these hold the ratio. `paired`: comparisons over the seeds that two
experiments share. `effects`: how large they are, and many of them together. `shapley`: a total
split among changes without an order.

Data frames of curves are those of `loading.load_curves`: one row per evaluation, with `label` and
`seed` saying which run it belongs to. Steps are updates of the weights, accuracies fractions.
"""

from bnrepro.statistics.accuracies import judged
from bnrepro.statistics.bootstrap import Relation, Speedup, speedup, speedup_to_best
from bnrepro.statistics.coverage import bootstrap_coverage
from bnrepro.statistics.curves import (
    counted,
    crossings,
    crossings_of_targets,
    evaluation_grid,
    extend_diverged,
    mean_curves,
    mean_losses,
    root_mean_square_distance,
    slope_of_last_fifth,
    steps_against_target,
    steps_to_target,
    sustained_steps_to_target,
)
from bnrepro.statistics.effects import holm, paired_effect_size
from bnrepro.statistics.medians import (
    Interval,
    coverage_of_median,
    interval_of_median,
    kaplan_meier_median,
    median_with_interval,
    order_statistic,
    whole_percent,
)
from bnrepro.statistics.paired import Ratios, pair, ratios_of_steps, sign_flip_test

__all__ = [
    "Interval",
    "Ratios",
    "Relation",
    "Speedup",
    "bootstrap_coverage",
    "counted",
    "coverage_of_median",
    "crossings",
    "crossings_of_targets",
    "evaluation_grid",
    "extend_diverged",
    "holm",
    "interval_of_median",
    "judged",
    "kaplan_meier_median",
    "mean_curves",
    "mean_losses",
    "median_with_interval",
    "order_statistic",
    "pair",
    "paired_effect_size",
    "ratios_of_steps",
    "root_mean_square_distance",
    "sign_flip_test",
    "slope_of_last_fifth",
    "speedup",
    "speedup_to_best",
    "steps_against_target",
    "steps_to_target",
    "sustained_steps_to_target",
    "whole_percent",
]
