"""What figure 2's networks do otherwise than the paper's, and why a comparison may not be fair."""

from collections.abc import Iterable, Iterator

import pandas as pd

from bnrepro import statistics
from bnrepro.config import Recipe
from bnrepro.config.schedules import learning_rates
from bnrepro.config.study import PlannedRun
from bnrepro.exhibits.figure_2.findings import REFERENCE
from bnrepro.exhibits.figure_2.tables import MORE_COMPARISONS, ROWS, with_accuracy_after_equal_steps
from bnrepro.exhibits.selection import Selection
from bnrepro.exhibits.wording import listed, percent, points
from bnrepro.experiments import EXPERIMENTS

# Steps between which a curve's roughness is measured: past the steepest rise, on the fine grid.
_ROUGH_FROM, _ROUGH_TO = 2_000, 5_000


def differences(
    chosen: Selection, planned: Iterable[PlannedRun], target: float | None
) -> Iterator[str]:
    """A sentence each, where there are records; `target` is the reference's best accuracy.

    `planned` are the runs of the study that `chosen` is of.
    """
    configs = {str(run.experiment): run.composition.config.accelerated() for run in planned}
    yield from _order(chosen.runs)
    yield from _divergence(chosen.runs)
    if target is not None:
        crossings = statistics.crossings(chosen.curves, target)
        reached = crossings.groupby("label")["reached"].sum()
        yield from _sigmoid(chosen, reached, configs)
        yield from _accelerated(chosen, reached, configs)
    yield from _after_equal_steps(chosen, configs)
    momentum = configs["bn_x5_sigmoid"].batch_normalization.momentum
    yield from _roughness(chosen.curves, momentum)
    yield from _of_test_images(chosen)


def _order(runs: pd.DataFrame) -> Iterator[str]:
    """Who ends above whom, which the paper's table says too."""
    each = []
    for first, second in MORE_COMPARISONS:
        rows = [EXPERIMENTS[label].paper_row for label in (first, second)]
        gaps = _gaps(runs, first, second, "judged_best")
        theirs = [row.best_accuracy for row in rows if row]
        if len(gaps) and len(theirs) == 2:
            each.append(
                f"{EXPERIMENTS[first].label} minus {EXPERIMENTS[second].label} {_range(gaps)}, "
                f"above 0 on {(gaps > 0).sum()} of {len(gaps)} seeds, in the paper "
                f"{points(theirs[0] - theirs[1], 1)}"
            )
    if each:
        yield f"Differences of the best accuracies on the same seed: {'; '.join(each)}."


def _divergence(runs: pd.DataFrame) -> Iterator[str]:
    diverged = int((runs["status"] == "diverged").sum())
    sentence = f"Of {len(runs)} runs {diverged or 'none'} diverged."
    gaps = _gaps(runs, "inception_x5", REFERENCE, "judged_best")
    if len(gaps):
        sentence += (
            " In the paper Inception's parameters reach machine infinity at five times its rate; "
            f"here its best accuracy minus that at the base rate is {_range(gaps)}, above 0 on "
            f"{(gaps > 0).sum()} of {len(gaps)} seeds."
        )
    yield sentence


def _sigmoid(chosen: Selection, reached: pd.Series, configs: dict[str, Recipe]) -> Iterator[str]:
    """Whether "never" is said of a network that had as many steps as the reference."""
    label = "bn_x5_sigmoid"
    if label not in reached or REFERENCE not in reached or reached[label]:
        return
    lengths = [configs[name].train_steps for name in (label, REFERENCE)]
    if lengths[0] < lengths[1]:
        steps, runs = with_accuracy_after_equal_steps(chosen)
        gaps = _gaps(runs, label, REFERENCE, "accuracy")
        yield (
            f"BN-x5-Sigmoid trains for {lengths[0]:,} steps and Inception, whose best it never "
            f"reaches, for {lengths[1]:,}: that is not like for like. After {steps:,} steps its "
            f"accuracy minus Inception's is {points(gaps.median(), 1)} points ({_range(gaps)})."
        )


def _after_equal_steps(chosen: Selection, configs: dict[str, Recipe]) -> Iterator[str]:
    """The paper's five networks, and how far each has come in its schedule."""
    steps, runs = with_accuracy_after_equal_steps(chosen)
    medians = {
        label: runs["accuracy"][runs["label"] == label].median()
        for label in ROWS
        if label in chosen.labels
    }
    if len(medians) < 2:
        return
    shares: dict[str, list[str]] = {}
    for label in medians:
        first, now = (learning_rates(configs[label], at, at + 1)[0] for at in (0, steps))
        shares.setdefault(f"{100 * now / first:.2g} %", []).append(EXPERIMENTS[label].label)
    each = ", ".join(
        f"{EXPERIMENTS[label].label} {percent(value)}" for label, value in medians.items()
    )
    rates = "; ".join(f"{share} for {listed(names)}" for share, names in shares.items())
    yield (
        f"After {steps:,} steps, as many as the shortest training has: {each}. The learning rate "
        f"has then fallen to these shares of the first: {rates}."
    )


def _roughness(curves: pd.DataFrame, momentum: float) -> Iterator[str]:
    """How rough scores by moving averages are, beside training by mini-batch statistics."""
    rough = {
        (label, column): _step_to_step(curves[curves["label"] == label], column)
        for label in ("bn_x5_sigmoid", "bn_x5")
        for column in ("evaluation_accuracy", "train_accuracy")
    }
    if None in rough.values():
        return
    sigmoid, train, relu, _ = (f"{100 * (value or 0):.1f}" for value in rough.values())
    yield (
        f"BN-x5-Sigmoid's curve is rough: between steps {_ROUGH_FROM:,} and {_ROUGH_TO:,} its test "
        f"accuracy changes from one evaluation to the next by {sigmoid} points (standard "
        f"deviation, median over the seeds), BN-x5's by {relu}. Its accuracy on the training "
        "mini-batches, by their own statistics and not by moving averages of momentum "
        f"{momentum:g}, changes by {train}."
    )


def _step_to_step(curves: pd.DataFrame, column: str) -> float | None:
    inside = curves[curves["step"].between(_ROUGH_FROM, _ROUGH_TO)]
    inside = inside.sort_values("step", kind="stable")
    deviations = inside.groupby("seed")[column].agg(lambda values: values.diff().std()).dropna()
    return float(deviations.median()) if len(deviations) else None


def _accelerated(
    chosen: Selection, reached: pd.Series, configs: dict[str, Recipe]
) -> Iterator[str]:
    """The control of the recipe: faster decay at the base rate leaves little to learn with."""
    label = "inception_accelerated"
    if label not in reached or REFERENCE not in reached:
        return
    sums = [_sum_of_rates(configs[name]) for name in (label, REFERENCE)]
    until = _ahead_until(chosen.curves, label, REFERENCE)
    ahead = "is never ahead of Inception" if until is None else f"leads to step {until:,}"
    yield (
        "Inception with the recipe of BN-x5 but neither normalization nor a higher rate "
        f"(inception_accelerated) {ahead} (median over the shared seeds) and reaches Inception's "
        f"best on {reached[label]} of {chosen.num_seeds(label)} seeds: with six times faster decay "
        f"its learning rates sum to {sums[0]:.1f}, Inception's to {sums[1]:.1f}."
    )


def _sum_of_rates(config: Recipe) -> float:
    return float(learning_rates(config, 0, config.train_steps).sum(dtype=float))


def _ahead_until(curves: pd.DataFrame, first: str, second: str) -> int | None:
    """The last evaluation up to which the median difference of accuracies is above 0."""
    accuracies = curves.pivot_table("evaluation_accuracy", ["step", "seed"], "label")
    gaps = (accuracies[first] - accuracies[second]).dropna().groupby("step").median()
    later = gaps[gaps.index > 0]
    ahead = later[later.gt(0).cummin()]
    return None if ahead.empty else int(ahead.index.max())


def _of_test_images(chosen: Selection) -> Iterator[str]:
    evaluations = chosen.curves.groupby(["name", "seed"]).size().max()
    above = chosen.runs["judged_best"] - chosen.runs["judged_final"]
    medians = 100 * above.groupby(chosen.runs["label"]).median()
    yield (
        f"Target and best accuracy are the highest of up to {evaluations} evaluations on the test "
        f"images themselves. They lie above the final accuracy by {medians.min():.2f} to "
        f"{medians.max():.2f} points (medians of the networks), at most by {100 * above.max():.2f}."
    )


def _gaps(runs: pd.DataFrame, first: str, second: str, column: str) -> pd.Series:
    pairs = statistics.pair(runs, first, second, column)
    return pairs["first"] - pairs["second"]


def _range(gaps: pd.Series) -> str:
    return f"{points(gaps.min(), 1)} to {points(gaps.max(), 1)} points"
