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
    "C4": (
        "The paper argues from uncorrelated Gaussian layers and a linear map between them that "
        "keeps them so. Orthogonal weights do; the singular values of a square matrix of "
        "independent weights spread over 0 to 2 whatever normalizes them, 68 % of them above 1/2 "
        "(the quarter-circle law). ReLU sets those of inactive units to 0, and over depth the "
        "spreads multiply: with ReLU and batch normalization gradients grow exponentially (Yang "
        "et al. 2019, arXiv 1902.08129)."
    ),
    "A1": (
        "The noise delays batch normalization, it does not stop it: at the end noisy batch "
        "normalization is about where batch normalization was at three quarters of the steps, and "
        "the distance does not widen (noisy_batch/gap.csv). Santurkar et al. compare after 15,000 "
        "steps, when curves have levelled off; 400 steps are all slope."
    ),
    "A2": (
        "With Glorot's weights the network without batch normalization begins on a plateau: its "
        "loss stays at that of chance for the first hundred steps, its gradient is a tenth to a "
        "hundredth of that with batch normalization, and of a tiny gradient the changes are tiny. "
        "Measurements at steps of equal ratios are mostly of that time. When it learns, its "
        "surface becomes rough at once (smoothness/landscape.png), but its gradient is still the "
        "shorter one, which makes absolute changes small; at long steps, relative to gradient and "
        "weights, they are the larger ones by far."
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
