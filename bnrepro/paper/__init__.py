"""What the paper printed, as data with its section.

Ioffe and Szegedy, *Batch Normalization: Accelerating Deep Network Training by Reducing Internal
Covariate Shift*, 2015, arXiv 1502.03167v3. Accuracies and errors are fractions, durations are in
steps. All numbers are of ImageNet and of the authors' machines, but for figure 1 (MNIST).
"""

from bnrepro.paper.claims import CLAIMS, Claim, claim
from bnrepro.paper.curves import SERIES, best_accuracy, curve, curve_of
from bnrepro.paper.results import (
    FIGURE_3,
    FIGURE_4,
    LABELS,
    TARGET_ACCURACY,
    EnsembleRow,
    Row,
    label,
    row,
)

__all__ = [
    "CLAIMS",
    "FIGURE_3",
    "FIGURE_4",
    "LABELS",
    "SERIES",
    "TARGET_ACCURACY",
    "Claim",
    "EnsembleRow",
    "Row",
    "best_accuracy",
    "claim",
    "curve",
    "curve_of",
    "label",
    "row",
]
