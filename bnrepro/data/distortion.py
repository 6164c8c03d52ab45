"""How each image of each step is cropped, mirrored and coloured; applied in the compiled program.

Paper: section 4.2.1 says that photometric distortions are reduced, without numbers; crops and
mirror images are not described. Ours: at full strength (`distortion=1`) brightness is shifted by up
to 0.2 of the range, contrast and saturation are scaled by 0.6 to 1.4, all uniformly distributed.
"""

import math

import numpy as np

from bnrepro.config import Recipe
from bnrepro.config.randomness import generator

FULL_BRIGHTNESS = 0.2
FULL_CONTRAST = 0.4
FULL_SATURATION = 0.4
# Philox makes four 64-bit numbers per count of its counter.
_NUMBERS_PER_COUNT = 4


def draw(
    config: Recipe, seed: int, start: int, stop: int, batch_size: int
) -> dict[str, np.ndarray]:
    """Distortions of the steps `start` to `stop`, (stop - start, batch) each; only what applies.

    `config` is the accelerated one. `offset_y`, `offset_x`: int32 from 0 to `2 * crop_padding`, the
    middle being no shift. `flip`: bool, half of them true. `brightness`: added to images in 0..1.
    `contrast`, `saturation`: factors. Those three are of `config.dtype`.
    """

    def uniform(purpose: str) -> np.ndarray:
        return _uniform(seed, purpose, start, stop, batch_size)

    def around(center: float, full: float, purpose: str) -> np.ndarray:
        spread = full * config.distortion
        return (center + spread * (2 * uniform(purpose) - 1)).astype(config.dtype)

    drawn: dict[str, np.ndarray] = {}
    if config.data.crop_padding > 0:
        offsets = 2 * config.data.crop_padding + 1
        drawn["offset_y"] = (uniform("offset_y") * offsets).astype(np.int32)
        drawn["offset_x"] = (uniform("offset_x") * offsets).astype(np.int32)
    if config.data.flip:
        drawn["flip"] = uniform("flip") < 0.5
    if config.distortion > 0:
        drawn["brightness"] = around(0, FULL_BRIGHTNESS, "brightness")
        drawn["contrast"] = around(1, FULL_CONTRAST, "contrast")
        drawn["saturation"] = around(1, FULL_SATURATION, "saturation")
    return drawn


def _uniform(seed: int, purpose: str, start: int, stop: int, batch_size: int) -> np.ndarray:
    """Numbers in [0, 1), float64 (stop - start, batch), the same however the steps are cut up.

    A step owns a whole number of counts of the counter, so that its numbers can be jumped to.
    """
    counts = math.ceil(batch_size / _NUMBERS_PER_COUNT)
    numbers = generator(seed, f"distortion/{purpose}")
    numbers.bit_generator.advance(start * counts)  # type: ignore[attr-defined]
    return numbers.random((stop - start, counts * _NUMBERS_PER_COUNT))[:, :batch_size]
