"""`bnrepro claims`: what the paper claims, tested, with a verdict.

Small exact experiments, one file a family, and the verdicts that follow from the studies' records.
What is measured and the bounds stand in `paper.criteria`. An experiment computes the claim with the
project's own layers and checks it against an independent computation.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bnrepro.claims.command import main
    from bnrepro.claims.figure_2 import figure_2_verdicts

__all__ = ["figure_2_verdicts", "main"]


def __getattr__(name: str) -> Any:
    """Import only what is asked for: the verdicts on records need no TensorFlow."""
    if name == "main":
        from bnrepro.claims.command import main

        return main
    if name == "figure_2_verdicts":
        from bnrepro.claims.figure_2 import figure_2_verdicts

        return figure_2_verdicts
    raise AttributeError(f"module 'bnrepro.claims' has no attribute {name!r}")
