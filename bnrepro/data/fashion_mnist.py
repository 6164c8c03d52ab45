"""Fashion-MNIST (Xiao, Rasul and Vollgraf 2017): 60,000 + 10,000 articles, grey, 28 x 28."""

from bnrepro.config import DataConfig
from bnrepro.data import idx
from bnrepro.data.dataset import Dataset
from bnrepro.data.source import Source

SOURCE = Source(
    name="fashion_mnist",
    folder="fashion-mnist",
    # The publisher serves plain HTTP only; the checksums below guard the content.
    url="http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
    md5={
        "train-images-idx3-ubyte.gz": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        "train-labels-idx1-ubyte.gz": "25c81989df183df01b3e8a0aad5dffbe",
        "t10k-images-idx3-ubyte.gz": "bef4ecab320f06d8554ea6380940ec79",
        "t10k-labels-idx1-ubyte.gz": "bb300cfdad3c16e7a12a480ee83cd310",
    },
    image_shape=(28, 28, 1),
    num_examples=(60_000, 10_000),
    class_names=(
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ),
)


def load(config: DataConfig) -> Dataset:
    """Fashion-MNIST from `fashion-mnist/*.gz` under the data root; raises DataError."""
    return idx.load(SOURCE, config)
