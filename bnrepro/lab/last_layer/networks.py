"""What may be done about the last layer alone: f are the logits, h what their layer sees.

Dauphin and Cubuk (ICLR 2021) ask how much of batch normalization's generalization is had by keeping
the last layer from growing. Their exact penalty is not known here: these definitions are ours.
"""

from dataclasses import replace
from typing import Any, cast

import keras
import numpy as np
from keras import ops

from bnrepro import normalization
from bnrepro.config.composition import compose
from bnrepro.engine import Engine
from bnrepro.engine.batch import read_images
from bnrepro.models import Network

# The names of h and f among what an engine shows of inner values.
EMBEDDING, LOGITS = "embedding", "logits"
KERNEL = "model/logits/kernel"


class MeanSquarePenalty(keras.layers.Layer):
    """Passes values on; in training `weight` times their mean square is added to the loss.

    Of values h (batch, H) that is weight <|h|^2> / H, the mean taken over the mini-batch. It is
    added to the gradient, as L2 is, so that the loss in a curve is the cross-entropy alone; right
    for a loss that is differentiated as it is.
    """

    def __init__(self, weight: float, **options: Any) -> None:
        super().__init__(**options)
        self.weight = weight

    def call(self, values: Any, training: bool | None = None) -> Any:
        return self._penalized(values) if training else values

    def _penalized(self, values: Any) -> Any:
        @ops.custom_gradient
        def passed_on(values: Any) -> tuple[Any, Any]:
            slope = 2 * self.weight / (values.shape[0] * values.shape[1])
            return values, lambda upstream: upstream + slope * values

        return passed_on(values)


def watched(network: Network, _: float = 0) -> Network:
    """The network as it is; what can be seen of it are h and f."""
    return _rebuilt(network)


def with_embedding_penalty(network: Network, weight: float) -> Network:
    """EL2: the loss plus weight <|h|^2> / H."""
    return _rebuilt(network, before=MeanSquarePenalty(weight, name="embedding_penalty"))


def with_logits_penalty(network: Network, weight: float) -> Network:
    """FL2: the loss plus weight <|f|^2> / C, of C classes."""
    return _rebuilt(network, behind=MeanSquarePenalty(weight, name="logits_penalty"))


def with_normalized_embedding(network: Network, _: float = 0) -> Network:
    """STD: one batch normalization, with gamma and beta, between h and the classifier.

    What is seen as h is then what the classifier sees.
    """
    make = cast(normalization.Maker, normalization.constructor(compose(["bn=x1"]).config))
    layer = make("embedding_normalization")
    rebuilt = _rebuilt(network, before=layer)
    seen = network.model.get_layer("logits").input
    return replace(rebuilt, batch_normalizations=[layer], normalization_inputs=[seen])


def _rebuilt(
    network: Network,
    before: keras.layers.Layer | None = None,
    behind: keras.layers.Layer | None = None,
) -> Network:
    """The network with a layer before its classifier or behind it."""
    model, classifier = network.model, network.model.get_layer("logits")
    embedding = classifier.input
    if before is not None:
        embedding = before(embedding)
    logits = classifier(embedding)
    output = logits if behind is None else behind(logits)
    return replace(
        network,
        model=keras.Model(model.input, output, name=model.name),
        pre_activations={EMBEDDING: embedding, LOGITS: logits},
    )


def scale_logits(engine: Engine) -> None:
    """INIT: divide the last kernel once, so that f over the first mini-batch has deviation 1."""
    (rows,) = engine.order.indices(0, 1)
    logits = engine.pre_activations(read_images(engine.dataset.train, rows))[LOGITS]
    engine.assign({KERNEL: _kernel(engine) / logits.std()})


def silence_logits(engine: Engine) -> None:
    """INIT with 0: the last kernel begins at 0, and so do all logits."""
    engine.assign({KERNEL: np.zeros_like(_kernel(engine))})


def _kernel(engine: Engine) -> np.ndarray:
    kernel: np.ndarray = engine.variables([KERNEL])[KERNEL]
    return kernel
