"""The embedded set: 1,797 scans of handwritten digits, grey, 8 x 8, that scikit-learn carries."""

import numpy as np

from bnrepro.config import DataConfig
from bnrepro.data.dataset import Dataset, Split, assemble, hold_out

IMAGE_SHAPE = (8, 8, 1)
NUM_EXAMPLES = 1_797
CLASS_NAMES = tuple("0123456789")
# The set has no test images of its own.
_TEST_SHARE = 0.2


def load(config: DataConfig) -> Dataset:
    """The digits; a fixed stratified fifth of them is the test set."""
    from sklearn.datasets import load_digits

    scans = load_digits()
    images = np.rint(scans.images * (255 / 16)).astype(np.uint8)[..., None]
    digits = Split(images, scans.target.astype(np.int32))
    train, test = (digits.take(part) for part in hold_out(digits.labels, _TEST_SHARE))
    return assemble(config, train, test, CLASS_NAMES)
