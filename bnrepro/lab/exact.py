"""The exact experiments by claim; each is imported, and TensorFlow with it, when it is run."""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from bnrepro.config import backend
from bnrepro.config.composition import compose
from bnrepro.verdicts.verdict import Verdict

# Claim: module and function (folder for tables) -> verdicts.
EXACT_CLAIMS = {
    "C1": ("naive_normalization", "verdicts"),
    "C2": ("weight_scale", "verdicts"),
    "C4": ("jacobian", "verdicts"),
    "C5": ("identities", "identity"),
    "C6": ("identities", "redundant_bias"),
    "C7": ("identities", "mean_and_variance"),
    "C8": ("feature_maps", "verdicts"),
    "C9": ("inference", "verdicts"),
    "C10": ("identities", "folding"),
    "C22": ("whitening", "verdicts"),
}


def run(claim: str, folder: Path) -> list[Verdict]:
    """Run the experiment of a claim in double precision; its tables go into `folder`."""
    # One thread: rounding does not depend on the number of cores.
    backend.select(compose(["precision=float64", "threads=1"]).config)
    from bnrepro.lab.setting import double_precision

    module, function = EXACT_CLAIMS[claim]
    experiment: Callable[[Path], list[Verdict]] = getattr(
        import_module(f"bnrepro.lab.{module}"), function
    )
    with double_precision():
        return experiment(folder)
