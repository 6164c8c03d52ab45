"""The exact experiments by claim; each is imported, and its framework with it, when it is run."""

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
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
# Law: module and function -> verdicts; these hold under either backend.
LAWS = {
    "X1": ("laws.smoothness", "gradient_norm"),
    "X2": ("laws.smoothness", "curvature"),
    "X3": ("laws.smoothness", "initialization"),
    "X4": ("laws.kernel_scale", "verdicts"),
    "X5": ("laws.equilibrium", "verdicts"),
    "X6": ("laws.depth", "verdicts"),
    "X7": ("laws.batch_statistics", "noise"),
    "X8": ("laws.batch_statistics", "moving_average"),
    "X9": ("laws.normalizations", "verdicts"),
    "X10": ("laws.weight_normalization", "verdicts"),
    "X11": ("laws.quadratic", "verdicts"),
    "X12": ("laws.batch_statistics", "dropout_before"),
    "X13": ("laws.filter_normalization", "verdicts"),
    "X14": ("laws.spectral_normalization", "verdicts"),
    "X15": ("laws.least_squares", "verdicts"),
}


def run(claim: str, folder: Path) -> list[Verdict]:
    """Run the experiment of a claim in double precision; its tables go into `folder`."""
    _select_backend("tensorflow")
    experiment: Callable[[Path], list[Verdict]] = _function(*EXACT_CLAIMS[claim])
    from bnrepro.lab.setting import double_precision

    with double_precision():
        return experiment(folder)


def run_law(law: str) -> list[Verdict]:
    """Run the experiment of a law in double precision, under JAX where TensorFlow is absent."""
    _select_backend("tensorflow" if find_spec("tensorflow") else "jax")
    return law_verdicts(law)


def law_verdicts(law: str) -> list[Verdict]:
    """The verdicts on a law, under the backend that this process has."""
    experiment: Callable[[], list[Verdict]] = _function(*LAWS[law])
    from bnrepro.lab.setting import double_precision

    with double_precision():
        return experiment()


def _select_backend(name: str) -> None:
    # One thread: rounding does not depend on the number of cores.
    backend.select(compose([f"backend={name}", "precision=float64", "threads=1"]).config)


def _function(module: str, name: str) -> Callable[..., list[Verdict]]:
    return getattr(import_module(f"bnrepro.lab.{module}"), name)
