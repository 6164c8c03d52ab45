"""MNIST (LeCun, Cortes and Burges): 60,000 + 10,000 handwritten digits, grey, 28 x 28."""

from bnrepro.config import DataConfig
from bnrepro.data import idx
from bnrepro.data.dataset import Dataset
from bnrepro.data.source import Source

SOURCE = Source(
    name="mnist",
    folder="mnist",
    url="https://storage.googleapis.com/cvdf-datasets/mnist",
    md5={
        "train-images-idx3-ubyte.gz": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
        "train-labels-idx1-ubyte.gz": "d53e105ee54ea40749a09fcbcd1e9432",
        "t10k-images-idx3-ubyte.gz": "9fb629c4189551a2d022fa330f9573f3",
        "t10k-labels-idx1-ubyte.gz": "ec29112dd5afa0611ce80d1b7f02629c",
    },
    unpacked_md5={
        "train-images-idx3-ubyte.gz": "6bbc9ace898e44ae57da46a324031adb",
        "train-labels-idx1-ubyte.gz": "a25bea736e30d166cdddb491f175f624",
        "t10k-images-idx3-ubyte.gz": "2646ac647ad5339dbf082846283269ea",
        "t10k-labels-idx1-ubyte.gz": "27ae3e4e09519cfbb04c329615203637",
    },
    image_shape=(28, 28, 1),
    num_examples=(60_000, 10_000),
    class_names=tuple("0123456789"),
)


def load(config: DataConfig) -> Dataset:
    """MNIST from `mnist/*.gz` under the data root; raises DataError."""
    return idx.load(SOURCE, config)
