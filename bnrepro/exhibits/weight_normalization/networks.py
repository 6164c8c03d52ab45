"""The networks of the study `weight_normalization`, and the rate at which each trains best."""

import numpy as np
import pandas as pd

from bnrepro.exhibits.selection import Selection

STUDY = "weight_normalization"
PLAIN, BN, WEIGHT = "plain", "BN", "WN"
FROM_DATA, WITH_MEAN = "WN from data", "WN, mean-only BN"
OPTIMIZERS = {"sgd": "gradient descent", "adam": "Adam"}
_REPARAMETRIZED = {"weight": WEIGHT, "weight_from_data": FROM_DATA}
# In multiples of chance: a test accuracy above it counts as trained.
TRAINED = 2


def ends(chosen: Selection) -> pd.DataFrame:
    """A row per run: `optimizer`, `network`, `rate`, `seed`, and how it ended.

    `loss` is that of the last training mini-batches, since the evaluation before the end, infinite
    where the run diverged; `accuracy` is the final one on test images by moving averages, and
    `trained` whether it is more than twice that of chance.
    """
    keys = ["name", "seed"]
    by_step = chosen.curves.sort_values("step", kind="stable")
    last = by_step.groupby(keys, as_index=False)["train_loss"].last()
    runs = chosen.runs.merge(last, on=keys)
    diverged = runs["status"] == "diverged"
    found = pd.DataFrame(
        {
            "name": runs["name"],
            "optimizer": runs["config.optimizer.name"].map(OPTIMIZERS),
            "network": runs.apply(_network, axis="columns"),
            "rate": runs["config.learning_rate"],
            "seed": runs["seed"],
            "diverged": diverged,
            "loss": runs["train_loss"].mask(diverged, np.inf),
            "accuracy": runs["judged_final"],
            "trained": runs["judged_final"] > TRAINED * runs["chance"],
        }
    )
    return found.sort_values(["optimizer", "network", "rate", "seed"], ignore_index=True)


def at_best_rate(of_runs: pd.DataFrame) -> pd.DataFrame:
    """Of `ends`, the runs at each network's best rate under each optimizer.

    It is that of the least median over the seeds of the last training loss: no test image chooses.
    """
    medians = of_runs.groupby(["optimizer", "network", "rate"])["loss"].median().reset_index()
    best = medians.loc[medians.groupby(["optimizer", "network"])["loss"].idxmin()]
    return of_runs.merge(best[["optimizer", "network", "rate"]])


def courses(chosen: Selection, of_runs: pd.DataFrame) -> pd.DataFrame:
    """Training losses of some rows of `ends` over steps: those and `step`, `train_loss`."""
    losses = chosen.curves[["name", "seed", "step", "train_loss"]]
    return of_runs.merge(losses, on=["name", "seed"]).dropna(subset="train_loss")


def _network(run: pd.Series) -> str:
    if run["config.placement"] == "none":
        return _REPARAMETRIZED.get(run["config.reparametrization"], PLAIN)
    return WITH_MEAN if run["config.normalization"] == "mean_only" else BN
