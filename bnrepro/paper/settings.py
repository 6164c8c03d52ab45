"""What the paper says of each setting of its experiments, and what it leaves open.

`FIGURE_1` is section 4.1 (MNIST), `FIGURE_2` sections 4.2 and 4.2.1 (ImageNet), `FIGURE_4` what
section 4.2.3 adds to them for the networks of the ensemble. Keys are those of a run's flat config;
of those that `config.KEYS` says are ours a paper would not speak.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# From this size on the Inception is the paper's, which divides height and width by 32; below it is
# another, smaller one (`bnrepro.models`).
PAPER_IMAGE_SIZE = 96
_ACCELERATED = ("bn_x5", "bn_x30", "bn_x5_sigmoid")
_SIX_CHANGES = ["decay", "distortion", "dropout", "l2", "lrn", "shuffle"]


@dataclass(frozen=True)
class Setting:
    """The paper's value of one key; None where the paper gives none.

    `of` holds the values of those experiments that have another one. `note` says what the paper
    does say, or what its value means.
    """

    key: str
    value: Any
    section: str
    of: Mapping[str, Any] | None = None
    note: str = ""

    def value_of(self, experiment: str) -> Any:
        """The paper's value in the experiment."""
        return (self.of or {}).get(experiment, self.value)


_BATCH_NORMALIZATION = (
    Setting("batch_normalization.gamma", True, "3"),
    Setting("batch_normalization.beta", True, "3"),
    Setting("batch_normalization.statistics", "per_feature_map", "3.2"),
    Setting(
        "batch_normalization.inference",
        "moving_average",
        "3.1",
        note="moving averages to track a training, Algorithm 2 for the final network",
    ),
    Setting("batch_normalization.momentum", None, "3.1", note="of the moving averages"),
    Setting("batch_normalization.epsilon", None, "3"),
    Setting("batch_normalization.population_batches", None, "3.1"),
)

FIGURE_1 = (
    Setting("data.name", "mnist", "4.1"),
    Setting("data.binary", True, "4.1", note="the rule that makes an image binary is not given"),
    Setting("data.evaluation_split", "test", "4.1"),
    Setting("data.image_size", 28, "4.1"),
    Setting("data.flip", False, "4.1"),
    Setting("data.crop_padding", 0, "4.1"),
    Setting("model.name", "mlp", "4.1"),
    Setting("model.hidden_layers", 3, "4.1"),
    Setting("model.width", 1.0, "4.1", note="100 units a layer"),
    Setting("activation", "sigmoid", "4.1"),
    Setting("batch_size", 60, "4.1"),
    Setting("train_steps", 50_000, "4.1"),
    Setting("placement", "none", "4.1", of={"figure_1_bn": "before"}),
    Setting("normalization", None, "4.1", of={"figure_1_bn": "batch"}),
    Setting("initializer.name", "gaussian", "4.1", note="small random Gaussian values"),
    Setting("initializer.scale", None, "4.1"),
    Setting("optimizer.name", None, "4.1"),
    Setting("learning_rate", None, "4.1"),
    Setting("learning_rate_multiplier", 1.0, "4.1", note="none is spoken of"),
    Setting("schedule.name", None, "4.1"),
    Setting("input_normalization", None, "4.1"),
    Setting("dropout", 0.0, "4.1", note="none is spoken of"),
    Setting("l2", 0.0, "4.1", note="none is spoken of"),
    Setting("lrn", False, "4.1"),
    Setting("distortion", 0.0, "4.1", note="none is spoken of"),
    Setting("accelerate", [], "4.1"),
    Setting("shuffle", None, "4.1"),
    Setting(
        "percentiles.num_examples",
        None,
        "4.1",
        note="over which examples the percentiles are taken is not given",
    ),
    *_BATCH_NORMALIZATION,
)

FIGURE_2 = (
    Setting("data.name", "imagenet", "4.2", note="LSVRC2012, 1000 classes"),
    Setting("data.binary", False, "4.2"),
    Setting("data.image_size", 224, "figure 5"),
    Setting("data.evaluation_split", "validation", "4.2", note="one crop of each of 50,000 images"),
    Setting("data.flip", None, "4.2"),
    Setting("data.crop_padding", None, "4.2"),
    Setting("model.name", "inception", "4.2", note="the network of figure 5, 13.6 million weights"),
    Setting("model.width", 1.0, "figure 5"),
    Setting("activation", "relu", "4.2", of={"bn_x5_sigmoid": "sigmoid"}),
    Setting("batch_size", 32, "4.2", note="asynchronous, on many machines at once"),
    Setting(
        "train_steps", None, "4.2.2", note="the curves are drawn up to 31, 17, 3, 7 and 8 million"
    ),
    Setting("placement", "before", "4.2.2", of={"inception": "none"}),
    Setting("normalization", "batch", "4.2.2", of={"inception": None}),
    Setting("optimizer.name", "momentum", "4.2"),
    Setting("optimizer.momentum", None, "4.2"),
    Setting("learning_rate", 0.0015, "4.2.2"),
    Setting(
        "learning_rate_multiplier",
        1.0,
        "4.2.2",
        of={"bn_x5": 5.0, "bn_x30": 30.0, "bn_x5_sigmoid": 5.0},
    ),
    Setting("schedule.name", "exponential", "4.2.1"),
    Setting("schedule.decay_steps", None, "4.2.1"),
    Setting("schedule.decay_rate", None, "4.2.1"),
    Setting("initializer.name", None, "4.2"),
    Setting("initializer.convolution_gain", None, "4.2"),
    Setting("input_normalization", None, "4.2"),
    Setting("dropout", 0.4, "4.2.3"),
    Setting("l2", None, "4.2.1", note="used, and reduced to a fifth by the changes of 4.2.1"),
    Setting("lrn", True, "4.2.1", note="where in the network is not given"),
    Setting("shuffle", "shards", "4.2.1"),
    Setting("distortion", 1.0, "4.2.1", note="photometric; which ones is not given"),
    Setting("accelerate", [], "4.2.1", of=dict.fromkeys(_ACCELERATED, _SIX_CHANGES)),
    *_BATCH_NORMALIZATION,
)

# The ensemble's networks are figure 2's BN-x30 in everything else.
FIGURE_4 = (
    Setting(
        "data.evaluation_split",
        "validation",
        "4.2.3",
        note="the ensemble sees 144 crops of each of 50,000 images, here one view of each",
    ),
    Setting("learning_rate_multiplier", 30.0, "4.2.3"),
    Setting("train_steps", None, "4.2.3", note="each network is at its best after about 6 million"),
    Setting(
        "dropout", None, "4.2.3", note="5 or 10 % in some; none where accelerate lists dropout"
    ),
    Setting(
        "accelerate", None, "4.2.3", note="all six in BN-x30; what keeps dropout cannot remove it"
    ),
    Setting("initializer.convolution_gain", None, "4.2.3", note="larger initial weights in some"),
    Setting(
        "batch_normalization.statistics",
        None,
        "4.2.3",
        note="per activation in the last hidden layers of some",
    ),
)
