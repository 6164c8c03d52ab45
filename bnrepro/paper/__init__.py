"""What the paper printed, as data with its section.

Ioffe and Szegedy, *Batch Normalization: Accelerating Deep Network Training by Reducing Internal
Covariate Shift*, 2015, arXiv 1502.03167v3. Accuracies and errors are fractions, durations are in
steps. All numbers are of ImageNet and of the authors' machines, but for figure 1 (MNIST).
"""

from bnrepro.paper.claims import CLAIMS, LABORATORY, claim
from bnrepro.paper.curves import curve, highest
from bnrepro.paper.laws import LAWS
from bnrepro.paper.results import (
    FIGURE_3,
    FIGURE_4,
    TARGET_ACCURACY,
    EnsembleRow,
    Row,
    row,
)
from bnrepro.paper.stated import Claim, Law

__all__ = [
    "CLAIMS",
    "FIGURE_3",
    "FIGURE_4",
    "LABORATORY",
    "LAWS",
    "TARGET_ACCURACY",
    "Claim",
    "EnsembleRow",
    "Law",
    "Row",
    "claim",
    "curve",
    "highest",
    "row",
]
