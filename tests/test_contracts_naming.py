"""The contract of names: one config, one name; another config, another name."""

import itertools
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bnrepro.config import NOT_IDENTITY, identity, to_flat
from bnrepro.config.composition import compose
from bnrepro.config.overrides import choices_of
from bnrepro.records.run_directory import find_finished

ROWS = [name for name in choices_of("experiment") if not name.startswith("figure_1")]
FIGURES = ["figure_1_bn", "figure_1_plain"]


def name(*words):
    return compose(list(words)).name


def test_a_row_is_called_by_its_experiment_and_scale():
    assert name("experiment=bn_x5", "scale=smoke") == "bn_x5-smoke"
    assert name("experiment=inception", "scale=cpu") == "inception-cpu"


def test_an_experiment_without_scales_is_called_by_its_name():
    assert [name(f"experiment={figure}") for figure in FIGURES] == FIGURES


def test_another_run_is_called_by_model_data_and_variant():
    assert name("model=inception", "bn=x5") == "inception-digits-x5"
    assert name("model=mlp", "data=mnist", "bn=none") == "mlp-mnist-none"
    assert name() == "mlp-digits-x1"


def test_any_other_difference_is_added_in_words():
    assert name("experiment=bn_x5", "scale=smoke", "train_steps=7") == "bn_x5-smoke-steps7"
    assert name("optimizer=adam", "learning_rate=0.001") == "mlp-digits-x1-adam-rate0.001"
    assert name("model=cnn", "activation=sigmoid", "backend=jax") == "cnn-digits-x1-sigmoid-jax"


def test_another_normalization_takes_the_place_of_x1():
    assert name("normalization=group") == "mlp-digits-group"
    assert name("normalization=layer", "placement=after") == "mlp-digits-layer-after"
    assert name("model=inception", "bn=x5", "normalization=group") == "inception-digits-x5-group"


def test_what_is_too_long_for_a_name_ends_with_a_digest():
    words = ["learning_rate=0.0123456", "train_steps=123456", "l2=0.000123", "dropout=0.123"]
    long = name(*words, "optimizer=momentum", "model.width=1.25", "batch_size=123")
    base, digest = long.rsplit("-", 1)
    assert base == "mlp-digits-x1-momentum-rate0.0123456-momentum0.9-width1.25-batch123"
    assert len(digest) == 8 and set(digest) <= set("0123456789abcdef")


@pytest.mark.parametrize(
    ("words", "start"),
    [
        (["experiment=bn_x5", "scale=smoke", "activation=tanh"], "inception-digits-x5-"),
        (["experiment=bn_x5", "scale=smoke", "data=mnist"], "inception-mnist-x5-"),
        # Two of the three keys of x5, but no normalization.
        (["bn=x5", "placement=none"], "mlp-digits-none-"),
    ],
)
def test_what_defines_an_experiment_or_variant_must_be_there_for_its_name(words, start):
    assert name(*words).startswith(start)


def test_a_difference_takes_the_experiment_away():
    exact = compose(["experiment=bn_x5", "scale=smoke"])
    changed = compose(["experiment=bn_x5", "scale=smoke", "train_steps=7"])
    assert (exact.experiment, exact.scale) == ("bn_x5", "smoke")
    assert (changed.experiment, changed.scale) == (None, "smoke")


@pytest.mark.parametrize(
    "words",
    [
        ["seed=17"],
        ["results_dir=elsewhere"],
        ["force=true"],
        ["data.root=/somewhere"],
        ["checkpoint_every=3"],
        ["threads=1"],
        ["device=gpu:1"],
    ],
)
def test_where_and_how_to_run_does_not_matter(words):
    assert name(*words) == name()


def test_the_keys_that_do_not_matter_are_those_of_the_contract():
    excluded = "seed results_dir force data.root checkpoint_every tensorboard"
    launch = "threads device devices processes device_memory keep_checkpoint model.weights_file"
    assert sorted(NOT_IDENTITY) == sorted(f"{excluded} {launch}".split())


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (["bn=x5", "model=inception"], ["model=inception", "bn=x5"]),
        (["model=mlp", "data=digits", "bn=x1", "optimizer=sgd"], []),
        (["bn=x5", "bn=none"], ["bn=none"]),
        (["learning_rate=0.10"], ["learning_rate=1e-1"]),
        (["normalization=batch"], []),
        (["bn=none"], ["placement=none"]),
        (["bn=none"], ["bn=x5", "placement=none", "learning_rate_multiplier=1", "accelerate=[]"]),
        (["bn=none", "placement=after"], ["bn=x1", "placement=after"]),
        (["bn=x30", "placement=after"], ["placement=after", "learning_rate_multiplier=30",
          "accelerate=[distortion,shuffle,lrn,decay,l2,dropout]"]),
        (["experiment=bn_x5"], ["scale=smoke", "experiment=bn_x5"]),
        (["experiment=bn_x5", "scale=cpu"], ["experiment=inception", "scale=cpu", "bn=x5",
          "train_steps=12000"]),
        (["experiment=bn_baseline", "bn=none"], ["experiment=inception"]),
        (["experiment=bn_x5", "activation=sigmoid"], ["experiment=bn_x5_sigmoid"]),
        (["model=inception", "bn=x5", "scale=smoke"], ["experiment=bn_x5", "scale=smoke"]),
        (["experiment=bn_x5", "train_steps=9"], ["model=inception", "scale=smoke", "bn=x5",
          "train_steps=9"]),
    ],
)  # fmt: skip
def test_the_same_config_has_the_same_name_in_any_spelling(one, other):
    first, second = compose(one), compose(other)
    assert identity(first.config) == identity(second.config)
    assert (first.name, first.experiment, first.scale) == (
        second.name,
        second.experiment,
        second.scale,
    )


def test_all_experiments_at_all_scales_have_names_of_their_own():
    runs = [[f"experiment={figure}"] for figure in FIGURES]
    runs += [
        [f"experiment={row}", f"scale={scale}", "data.root=/photographs"]
        for row, scale in itertools.product(ROWS, choices_of("scale"))
        if (row, scale) != ("inception_tuned", "proportional")
    ]
    compositions = [compose(words) for words in runs]
    assert Counter(item.name for item in compositions).most_common(1)[0][1] == 1
    for words, composition in zip(runs, compositions, strict=True):
        given_name = "-".join(word.partition("=")[2] for word in words if word[0] != "d")
        assert composition.name == given_name


def test_two_experiments_of_one_config_share_the_first_name():
    # In the paper's proportions the base rate is the tuned one.
    assert name("experiment=inception_tuned", "scale=proportional") == "inception-proportional"


def test_a_record_from_before_a_key_is_of_the_run_that_means_the_same():
    words = ["experiment=figure_1_bn", "results_dir=results/published"]
    found = find_finished(compose(words))
    assert found is not None and "train_examples" not in found.config["data"]
    assert compose([*words, "data.train_examples=100"]).name != "figure_1_bn"


CHANGES = {
    "bn": ["none", "x1", "x5"],
    "model": ["mlp", "cnn", "vgg_a", "inception"],
    "activation": ["relu", "sigmoid"],
    "placement": ["before", "after"],
    "train_steps": ["7", "8"],
    "learning_rate": ["0.1", "0.05"],
    "accelerate": ["[]", "[l2,decay]", "[decay,l2]"],
    "experiment": ["bn_x5", "inception"],
    "scale": ["smoke", "cpu"],
    "seed": ["0", "1"],
}


@settings(max_examples=60)
@given(
    st.lists(
        st.sampled_from(sorted(CHANGES)).flatmap(
            lambda key: st.sampled_from([f"{key}={value}" for value in CHANGES[key]])
        ),
        max_size=4,
        unique_by=lambda word: word.partition("=")[0],
    ),
    st.randoms(use_true_random=False),
)
def test_names_are_a_function_of_the_config(words, random):
    shuffled = random.sample(words, len(words))
    composition, again = compose(words), compose(shuffled)
    assert again == composition
    _REMEMBERED.setdefault(composition.name, identity(composition.config))
    assert _REMEMBERED[composition.name] == identity(composition.config)
    assert list(_REMEMBERED.values()).count(identity(composition.config)) == 1


_REMEMBERED = {}


def test_a_seed_is_no_part_of_a_name_but_of_the_config():
    one, other = compose(["seed=1"]), compose(["seed=2"])
    assert one.name == other.name
    assert to_flat(one.config) == to_flat(replace(other.config, seed=1))
