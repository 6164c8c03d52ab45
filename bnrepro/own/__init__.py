"""Parts of one's own: a module is imported, and what it holds kept to its contract (docs/own.md).

`loading`: the object that a config names. `faults`: what is wrong with one, in one line. `state`:
what a part remembers. `layers`, `activations`, `optimizers`, `networks`: the contract of each kind,
tried out before anything trains.
"""

from bnrepro.own.faults import Part
from bnrepro.own.loading import load, objects_of

__all__ = ["Part", "load", "objects_of"]
