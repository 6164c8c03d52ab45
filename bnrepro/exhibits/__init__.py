"""The exhibits: the paper's figures and the studies that are drawn, from the records on disk.

`EXHIBITS` is the one list of them: the command line, the report and `make reproduce` ask it. There
is one folder per question: `figure.py` makes the exhibit, `claims.py` holds the paper's claims
against its records, tables and sentences lie beside them. `making` makes an exhibit, `exhibit` says
what one consists of, `selection` which records it is made of, `sensitivity` what a further study
adds; `bnrepro.drawing` says how it looks.

This file loads neither pandas nor matplotlib: help, completion and a wrong word need the names
alone.
"""

from typing import Literal, NamedTuple

from bnrepro.config import ConfigError, did_you_mean, shown


class Entry(NamedTuple):
    """An exhibit that can be asked for: by `bnrepro figure`, and by the report.

    `module`, below `bnrepro.exhibits`, has a function `exhibit(results_dir)`, or
    `exhibit(results_dir, scale)` where the study requires a scale. `study` are the runs that are
    shown; `further` are studies that are shown beside them, or that their setting rests on. Where
    no run is trained `study` is empty, and `computed` names what `bnrepro laboratory` computes.
    `part` is the part of the report in which it is told.
    `at_scale` is the same figure of a study that leaves the scale open, where `study` has one of
    its own: shown after it, and alone where a scale is named.
    """

    module: str
    title: str
    study: str = ""
    further: tuple[str, ...] = ()
    computed: str = ""
    part: Literal["the paper", "why it works"] = "the paper"
    at_scale: "Entry | None" = None


# In the order of the report.
EXHIBITS = {
    "1": Entry("figure_1.figure", "Figure 1: MNIST", "figure_1", further=("figure_1_sensitivity",)),
    "2": Entry(
        "figure_2.figure",
        "Figure 2: in the paper's proportions",
        "figure_2_proportional",
        further=("pilot", "rate_edge", "figure_2_doubled"),
        at_scale=Entry(
            "figure_2.figure", "Figure 2: a short training", "figure_2", further=("tuning",)
        ),
    ),
    "3": Entry(
        "figure_3.figure",
        "Figure 3: in the paper's proportions",
        "figure_2_proportional",
        at_scale=Entry("figure_3.figure", "Figure 3: a short training", "figure_2"),
    ),
    "4": Entry(
        "figure_4.figure", "Figure 4: an ensemble", "figure_4", further=("figure_4_control",)
    ),
    "corners": Entry("corners", "Normalization, rate and recipe", "corners", ("figure_2",)),
    "one_change": Entry("one_change", "One change at a time", "one_change", ("figure_2",)),
    "placement": Entry(
        "placement.figure",
        "Before or after the activation",
        "placement",
        further=("placement_sensitivity",),
    ),
    "batch_size": Entry("batch_size.figure", "The size of mini-batches", "batch_size"),
    "error_surface": Entry(
        "error_surface.figure",
        "Features and the error surface",
        computed="error_surface",
        part="why it works",
    ),
    "noisy_batch": Entry(
        "smoothness.distributions",
        "Must distributions be stable?",
        "smoothness",
        part="why it works",
    ),
    "covariate_shift": Entry(
        "smoothness.covariate_shift",
        "Does the covariate shift, by gradients, become less?",
        "smoothness",
        computed="deep_linear",
        part="why it works",
    ),
    "smoothness": Entry(
        "smoothness.landscape",
        "A smoother error surface",
        "smoothness",
        part="why it works",
    ),
    "lp_norms": Entry(
        "lp_norms.figure",
        "Must it be the deviation?",
        computed="lp_norms",
        part="why it works",
    ),
    "lp_norms_vgg": Entry(
        "lp_norms.vgg",
        "And in a VGG network?",
        "lp_norms_vgg",
        further=("smoothness",),
        part="why it works",
    ),
    "surfaces": Entry(
        "surfaces.figure",
        "The loss around a trained network",
        computed="surfaces",
        part="why it works",
    ),
    "sharpness": Entry(
        "sharpness.figure",
        "Sharp and flat solutions",
        computed="sharpness",
        part="why it works",
    ),
    "training_path": Entry(
        "training_path.figure",
        "The path of a training, and a walk without an aim",
        computed="training_path",
        part="why it works",
    ),
    "largest_rate": Entry(
        "largest_rate", "The largest rate that trains", "largest_rate", part="why it works"
    ),
    "rate_sensitivity": Entry(
        "rate_sensitivity.figure",
        "How wide the window of good rates is",
        computed="rate_sensitivity",
        part="why it works",
    ),
    "depth_by_scale": Entry(
        "depth_by_scale.figure",
        "Depth and the scale of the initial weights",
        computed="depth_by_scale",
        part="why it works",
    ),
    "initial_weights": Entry(
        "initial_weights",
        "Initial weights in a network of many branches",
        "initial_weights",
        part="why it works",
    ),
    "descent_by_batch": Entry(
        "descent_by_batch.figure",
        "One example, some, or all at once",
        computed="descent_by_batch",
        part="why it works",
    ),
    "descent_paths": Entry(
        "descent_paths", "Their paths", computed="descent_paths", part="why it works"
    ),
    "rate_decay": Entry(
        "rate_decay.figure",
        "Rates that decay, and the effective rate",
        computed="rate_decay",
        part="why it works",
    ),
    "small_batches": Entry(
        "small_batches.figure",
        "Small mini-batches, and mini-batches that are no sample",
        computed="small_batches",
        part="why it works",
    ),
    "moving_averages": Entry(
        "moving_averages.figure",
        "Moving averages and statistics computed anew",
        computed="moving_averages",
        part="why it works",
    ),
    "effective_rate": Entry(
        "effective_rate.figure",
        "Rate and decay where length does not matter",
        computed="effective_rate",
        part="why it works",
    ),
    "weight_normalization": Entry(
        "weight_normalization.figure",
        "The length of the weights alone",
        "weight_normalization",
        part="why it works",
    ),
    "depth": Entry("depth.figure", "Gradients over depth", computed="depth", part="why it works"),
    "residual_networks": Entry(
        "residual_networks.figure",
        "Deep residual networks without it",
        computed="residual_networks",
        part="why it works",
    ),
    "large_rates": Entry(
        "large_rates.figure",
        "What a residual network gains by larger rates",
        computed="large_rates",
        part="why it works",
    ),
    "initial_signal": Entry(
        "initial_signal",
        "The zoo without batch normalization: the signal at the start",
        computed="initial_signal",
        part="why it works",
    ),
    "dropout": Entry(
        "dropout.figure",
        "Dropout, weight decay and batch normalization",
        computed="dropout",
        part="why it works",
    ),
    "ghost_batches": Entry(
        "ghost_batches.figure",
        "Ghost batches",
        computed="ghost_batches",
        part="why it works",
    ),
    "last_layer": Entry(
        "last_layer.figure",
        "The last layer alone",
        computed="last_layer",
        part="why it works",
    ),
    "last_layer_by_heart": Entry(
        "last_layer.by_heart",
        "The last layer alone, by heart",
        computed="last_layer_by_heart",
        part="why it works",
    ),
    "linear_unit": Entry(
        "linear_unit.figure",
        "One linear unit",
        computed="linear_unit",
        part="why it works",
    ),
    "recurrent": Entry(
        "recurrent.figure",
        "Recurrent networks",
        computed="recurrent",
        part="why it works",
    ),
    "adaptation": Entry(
        "adaptation.figure",
        "Statistics of another domain",
        computed="adaptation",
        part="why it works",
    ),
}


def is_meant_for_one(name: str) -> bool:
    """Whether a word that names no exhibit is a number or a misspelled name of one, and no run."""
    return name.isdigit() or bool(did_you_mean(name, list(EXHIBITS)))


def entry(name: str) -> Entry:
    """The exhibit called `name`.

    Raises:
        ConfigError: if there is none of that name.
    """
    if name not in EXHIBITS:
        raise ConfigError(
            f"figure {shown(name)}: expected one of {', '.join(EXHIBITS)}"
            f"{did_you_mean(name, list(EXHIBITS))}"
        )
    return EXHIBITS[name]
