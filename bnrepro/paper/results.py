"""The paper's tables: figure 3 (steps to 72.2 %) and figure 4 (the ensemble)."""

from dataclasses import dataclass

# Figure 3's target: the best accuracy of the paper's Inception.
TARGET_ACCURACY = 0.722

# Our experiments and what the paper's figures call them.
LABELS = {
    "inception": "Inception",
    "bn_baseline": "BN-Baseline",
    "bn_x5": "BN-x5",
    "bn_x30": "BN-x30",
    "bn_x5_sigmoid": "BN-x5-Sigmoid",
    "figure_1_plain": "Without BN",
    "figure_1_bn": "With BN",
}


@dataclass(frozen=True)
class Row:
    """A row of figure 3; `steps_to_target` is None where 72.2 % was never reached."""

    experiment: str
    learning_rate: float
    steps_to_target: int | None
    best_accuracy: float
    section: str = "4.2.2"

    @property
    def label(self) -> str:
        """The paper's name of the network."""
        return LABELS[self.experiment]


# In the paper's order. BN-x30 has its best accuracy after 6,000,000 steps.
FIGURE_3 = (
    Row("inception", 0.0015, 31_000_000, 0.722),
    Row("bn_baseline", 0.0015, 13_300_000, 0.727),
    Row("bn_x5", 0.0075, 2_100_000, 0.730),
    Row("bn_x30", 0.045, 2_700_000, 0.748),
    Row("bn_x5_sigmoid", 0.0075, None, 0.698),
)


@dataclass(frozen=True)
class EnsembleRow:
    """A row of figure 4, scored on the ImageNet validation set; None where nothing is printed."""

    model: str
    resolution: int | None
    crops: int | None
    networks: int | None
    top1_error: float | None
    top5_error: float
    section: str = "4.2.3"


# "Deep Image ensemble" has a variable resolution. The last row's top-5 error is 4.82 % on the
# 100,000 test images.
FIGURE_4 = (
    EnsembleRow("GoogLeNet ensemble", 224, 144, 7, None, 0.0667),
    EnsembleRow("Deep Image low-res", 256, None, 1, None, 0.0796),
    EnsembleRow("Deep Image high-res", 512, None, 1, 0.2488, 0.0742),
    EnsembleRow("Deep Image ensemble", None, None, None, None, 0.0598),
    EnsembleRow("BN-Inception single crop", 224, 1, 1, 0.252, 0.0782),
    EnsembleRow("BN-Inception multicrop", 224, 144, 1, 0.2199, 0.0582),
    EnsembleRow("BN-Inception ensemble", 224, 144, 6, 0.201, 0.049),
)


def label(experiment: str) -> str | None:
    """What the paper calls our experiment, or None for one that is not the paper's."""
    return LABELS.get(experiment)


def row(experiment: str) -> Row | None:
    """The row of figure 3 of our experiment, or None for one that has none."""
    return next((row for row in FIGURE_3 if row.experiment == experiment), None)
