"""A candidate's layer, as the networks of this project get it."""

import keras

from bnrepro import normalization
from bnrepro.lab.comparison.plan import Candidate, Training
from bnrepro.lab.comparison.subject import Make

# Of its config only the normalization counts; every normalization has convolutions.
_NETWORK = Training("card", "", ("model=inception", "precision=float64"), 0)


def maker(candidate: Candidate, backend: str) -> Make:
    """A function that gives a fresh layer; of `none` the identity.

    Raises:
        ConfigError: if there is no such normalization.
    """
    make = normalization.constructor(_NETWORK.composition(candidate, backend).config)
    return keras.layers.Identity if make is None else lambda: make("normalization")
