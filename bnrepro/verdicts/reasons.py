"""What is said beside verdicts: how far they carry, and why a claim does not hold.

Why it does not hold in its exact experiment, as it was found when the reason was looked for.
Reasons for what the studies show lie beside their records, in `results/<figure>/NOTES.md`, to which
the report links.
"""

from collections.abc import Sequence

from bnrepro.verdicts.criteria import HINT_SEEDS, VERDICT_SEEDS
from bnrepro.verdicts.verdict import Verdict

CAUTION = (
    f"A verdict on trainings needs {VERDICT_SEEDS} seeds; from {HINT_SEEDS} on it is a hint: where "
    f"nothing differs, {HINT_SEEDS} seeds lie on the claim's side by chance in "
    f"{100 / 2**HINT_SEEDS:.3g} % of the cases, {VERDICT_SEEDS} in {100 / 2**VERDICT_SEEDS:.2g} %. "
    "No verdict is corrected for their number. Coverage: how often such an interval holds the "
    "median, or, in a simulation, the ratio of two."
)
_REASONS = {
    "C3": (
        "The gradient is perpendicular to a kernel and shrinks with its length, so that without "
        "decay |w|^4 = |w_0|^4 + 2 eta^2 G t: the effective rate eta / |w|^2 forgets the rate once "
        "the length has forgotten where it began. He's weights begin long; in so few steps even "
        "the largest rate adds only a part to that, and the rates in effect are nearly as far "
        "apart as the rates are."
    ),
    "C4": (
        "The paper argues from uncorrelated Gaussian layers and a linear map between them that "
        "keeps them so. Orthogonal weights do; the singular values of a square matrix of "
        "independent weights spread over 0 to 2 whatever normalizes them, 68 % of them above 1/2 "
        "(the quarter-circle law). ReLU sets those of inactive units to 0, and over depth the "
        "spreads multiply: with ReLU and batch normalization gradients grow exponentially (Yang "
        "et al. 2019, arXiv 1902.08129)."
    ),
    "C24": (
        "New means and variances take back what shifts and widens the inputs of the units, as "
        "noise does. The first layer makes of a negative the same numbers with the opposite sign, "
        "plus a constant: its new statistics take the constant away, and what is left is the "
        "opposite of every feature that the network knows. Rotation moves what is where, of which "
        "a mean and a variance per unit know nothing; the new ones also take away what the means "
        "of the classes' own features said."
    ),
    "E3": (
        "At a constant rate every step of RMSprop is about as long as the rate, however small the "
        "gradient: a thousandth of the distance asks for a small rate and a thousand steps, on a "
        "good surface too, where gradient descent needs fewer. And Adam has momentum, to which a "
        "condition number of 100 is no hindrance (the heavy ball, too, needs few steps there, "
        "laboratory/error_surface/scales.csv): there it gains nothing by dividing, and a turn has "
        "nothing to take."
    ),
}


def reason(claim: str, verdicts: Sequence[str]) -> str | None:
    """Why some of the verdicts on a claim are `not reproduced`; None where all is well."""
    return _REASONS.get(claim) if "not reproduced" in verdicts else None


def reasons_for(verdicts: Sequence[Verdict]) -> list[str]:
    """Why claims among some verdicts are not reproduced, one reason a claim."""
    claims = dict.fromkeys(verdict.claim for verdict in verdicts)
    found = (
        reason(one, [each.verdict for each in verdicts if each.claim == one]) for one in claims
    )
    return [why for why in found if why]
