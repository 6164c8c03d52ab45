"""What the identity card asks of a normalization, and what it can answer.

Rescaling and recentring of weights, data and single cases are table 1 of Ba, Kiros and Hinton 2016
(https://arxiv.org/abs/1607.06450). Nothing here loads Keras: the page is made where it is not.
"""

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple

from bnrepro.verdicts.criteria import ROUNDING_BOUND

# `yes` and `no` are what the normalization is; `unusual` is no mistake in itself, but not what
# batch, layer, group or instance normalization do; a `fault` is one in any layer.
Judgement = Literal["yes", "no", "text", "unusual", "fault"]


class Finding(NamedTuple):
    """One answer of the card."""

    text: str
    judgement: Judgement
    error: float = math.nan  # the number behind it, where there is one


@dataclass(frozen=True)
class Property:
    """One question of the card."""

    name: str
    group: str
    title: str
    how: str


def yes_if(holds: bool, error: float = math.nan) -> Finding:
    """What a normalization does or does not do; neither is a mistake."""
    return Finding("yes", "yes", error) if holds else Finding("no", "no", error)


def exact(error: float) -> Finding:
    """Whether an equation holds to double precision."""
    return yes_if(error <= ROUNDING_BOUND, error)


def fault_unless(holds: bool, text: str, error: float = math.nan) -> Finding:
    """What every layer must keep to; `text` says what is wrong where it does not."""
    return Finding("yes", "yes", error) if holds else Finding(text, "fault", error)


_UNSEEN = "Outputs that do not change when"
_OTHERS = "What an output depends on"
_INFERENCE = "Inference and state"
_BACKWARD = "Backward pass"
_EDGES = "At the edges of numbers"
_WEIGHTS = "x = Wu, so large that epsilon is nothing; W is"

PROPERTIES = (
    Property(
        "weights_scaled",
        _UNSEEN,
        "all weights are scaled",
        f"{_WEIGHTS} multiplied by 0.1 and by 10",
    ),
    Property(
        "weights_shifted",
        _UNSEEN,
        "all weights are shifted",
        f"{_WEIGHTS} replaced by W + w 1ᵀ: every unit's weights move by the same vector",
    ),
    Property(
        "unit_scaled",
        _UNSEEN,
        "one unit’s weights are scaled",
        f"{_WEIGHTS} multiplied by 0.1 and by 10 in one column",
    ),
    Property("inputs_scaled", _UNSEEN, "all inputs are scaled", "u is multiplied by 0.1 and by 10"),
    Property(
        "inputs_shifted", _UNSEEN, "all inputs are shifted", "the same vector is added to every u"
    ),
    Property(
        "example_scaled",
        _UNSEEN,
        "one example is scaled",
        "u of one example is multiplied by 0.1 and by 10",
    ),
    Property(
        "example_shifted",
        _UNSEEN,
        "one example is shifted",
        "a vector is added to u of one example, at each of its positions",
    ),
    Property(
        "statistics_over",
        _OTHERS,
        "statistics are over",
        "one value is moved, and the outputs that move with it are counted along each axis",
    ),
    Property(
        "other_examples",
        _OTHERS,
        "in training: the other examples",
        "whether moving one example moves the outputs of others",
    ),
    Property(
        "batch_twice",
        _OTHERS,
        "same outputs when the batch is there twice",
        "the mini-batch and a copy of it as one: a biased variance does not change, 1/(m−1) does",
    ),
    Property(
        "variance",
        _OTHERS,
        "variance of the statistics",
        "values of ±a, balanced along every axis, have outputs of ±1 if the variance is the biased "
        "one of Algorithm 1, and of ±√((m−1)/m) if it is divided by m−1; values of a and 3a, whose "
        "deviation is a, tell whether it is a variance at all",
    ),
    Property(
        "epsilon",
        _OTHERS,
        "where epsilon stands",
        "the outputs of ±a for a from 1e-12 to 100: a/√(a² + ε) or a/(a + ε)",
    ),
    Property(
        "inference_alone",
        _INFERENCE,
        "inference: each example by itself",
        "after training steps, one example alone, beside others, and beside changed others",
    ),
    Property(
        "inference_as_training",
        _INFERENCE,
        "inference gives what training gave",
        "after training on one mini-batch until the state has settled",
    ),
    Property(
        "state_in_weights",
        _INFERENCE,
        "all state is in its weights",
        "a fresh layer with the same weights gives the same outputs, and inference changes none",
    ),
    Property(
        "from_config",
        _INFERENCE,
        "comes back from its config",
        "from_config(get_config()) with the same weights gives the same outputs",
    ),
    Property(
        "repeatable",
        _INFERENCE,
        "two fresh layers agree",
        "a random draw outside of the seeds would set them apart",
    ),
    Property(
        "gradient_to_inputs",
        _BACKWARD,
        "gradient to x is the derivative",
        "against central differences with Richardson’s extrapolation, along random directions",
    ),
    Property(
        "gradient_to_weights",
        _BACKWARD,
        "gradient to its own parameters is the derivative",
        "likewise, gamma and beta drawn at random",
    ),
    Property(
        "law_of_inputs",
        _BACKWARD,
        "∂N(aWu)/∂u = ∂N(Wu)/∂u",
        "section 3.3: the scale of the weights does not reach the layer below (a = 10)",
    ),
    Property(
        "law_of_weights",
        _BACKWARD,
        "∂N(aWu)/∂(aW) = 1/a · ∂N(Wu)/∂W",
        "section 3.3: larger weights have smaller gradients (a = 10)",
    ),
    Property(
        "orthogonal_to_unit",
        _BACKWARD,
        "gradient orthogonal to each unit’s weights",
        "the largest cosine between them; a step then only lengthens them",
    ),
    Property(
        "orthogonal_to_weights",
        _BACKWARD,
        "gradient orthogonal to all weights together",
        "the cosine between W and its gradient as vectors",
    ),
    Property(
        "one_example",
        _EDGES,
        "mini-batch of one example",
        "in training; all 0 means that the network behind it sees nothing",
    ),
    Property(
        "constant",
        _EDGES,
        "a constant feature, a constant example",
        "outputs and gradients are finite numbers",
    ),
    Property(
        "large_mean",
        _EDGES,
        "mean 10,000, variance 1",
        "float32 against float64, largest difference: E[x²] − E[x]² would lose everything",
    ),
    Property(
        "tiny_variance",
        _EDGES,
        "deviation 1e-6",
        "float32 against float64, largest difference relative to the largest output",
    ),
    Property(
        "float16",
        _EDGES,
        "float16, deviation 300",
        "mixed_float16 against float64, relative: a square of 300 is more than float16 holds",
    ),
    Property(
        "bfloat16",
        _EDGES,
        "bfloat16, deviation 1",
        "mixed_bfloat16 against float64, relative: its 8 bits of mantissa are 0.4 %",
    ),
)
