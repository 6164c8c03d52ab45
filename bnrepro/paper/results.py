"""The paper's tables: figure 3 (steps to 72.2 %) and figure 4 (the ensemble)."""

from dataclasses import dataclass

# Figure 3's target: the best accuracy of the paper's Inception.
TARGET_ACCURACY = 0.722


@dataclass(frozen=True)
class Row:
    """A row of figure 3; `steps_to_target` is None where 72.2 % was never reached."""

    label: str
    learning_rate: float
    steps_to_target: int | None
    best_accuracy: float
    section: str = "4.2.2"


# In the paper's order. BN-x30 has its best accuracy after 6,000,000 steps.
FIGURE_3 = (
    Row("Inception", 0.0015, 31_000_000, 0.722),
    Row("BN-Baseline", 0.0015, 13_300_000, 0.727),
    Row("BN-x5", 0.0075, 2_100_000, 0.730),
    Row("BN-x30", 0.045, 2_700_000, 0.748),
    Row("BN-x5-Sigmoid", 0.0075, None, 0.698),
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


def row(label: str) -> Row:
    """The row of figure 3 of a network, by the paper's name of it.

    Raises:
        KeyError: if it has none.
    """
    for candidate in FIGURE_3:
        if candidate.label == label:
            return candidate
    raise KeyError(f"{label}: expected one of {', '.join(each.label for each in FIGURE_3)}")
