"""The contract of the words in names: which, in what order, and that they never say two things."""

import ast
import itertools
import re
import typing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bnrepro.config import (
    ACCELERATIONS,
    CHOICES,
    KEYS,
    NOT_IDENTITY,
    ConfigError,
    absent_values,
    identity,
    spelled_name,
    to_flat,
)
from bnrepro.config.composition import compose
from bnrepro.config.overrides import keys
from bnrepro.config.spelling import LONGEST_NAME, SPELLINGS

# Each key with a value, and how names spell it: in the order of the words. A line may be added.
FROZEN = """
model.name cnn                                  model_cnn
data.name mnist                                 data_mnist
normalization group                             group
group_size 4                                    group_size4
placement after                                 after
learning_rate_multiplier 7.0                    times7
accelerate ['decay','l2']                       accelerate_decay_l2
optimizer.name adam                             adam
learning_rate 0.001                             rate0.001
optimizer.momentum 0.95                         momentum0.95
optimizer.rho 0.95                              rho0.95
optimizer.beta_1 0.5                            beta_1_0.5
optimizer.beta_2 0.99                           beta_2_0.99
optimizer.epsilon 1e-08                         epsilon0.00000001
schedule.name cosine                            cosine
schedule.decay_steps 48000.0                    decay48000
schedule.decay_rate 0.5                         decay_rate0.5
activation sigmoid                              sigmoid
model.width 0.25                                width0.25
model.hidden_layers 5                           layers5
initializer.name orthogonal                     orthogonal
initializer.scale 0.02                          initial_scale0.02
initializer.convolution_gain 2.0                gain2
batch_normalization.momentum 0.99               bn_momentum0.99
batch_normalization.epsilon 0.001               bn_epsilon0.001
batch_normalization.gamma False                 no_gamma
batch_normalization.beta False                  no_beta
batch_normalization.statistics per_activation   per_activation
batch_normalization.inference population        population
batch_normalization.population_batches 50       population_batches50
batch_size 128                                  batch128
train_steps 4000                                steps4000
dropout 0.1                                     dropout0.1
l2 0.0005                                       l2_0.0005
lrn True                                        lrn
shuffle shards                                  shards
distortion 0.5                                  distortion0.5
input_normalization True                        input_normalization
data.binary True                                binary
data.image_size 96                              pixels96
data.flip True                                  flip
data.crop_padding 2                             padding2
data.train_examples 5000                        examples5000
data.evaluation_split tuning                    split_tuning
evaluate_every 1000                             evaluate1000
evaluate_every_early 50                         evaluate_early50
early_steps 500                                 early500
percentiles.every 100                           percentiles100
percentiles.num_examples 50                     percentile_examples50
save_predictions True                           predictions
precision mixed_bfloat16                        mixed_bfloat16
backend jax                                     jax
measures ['norms','percentiles']                measure_norms_percentiles
norms.every 100                                 norms100
snapshots [0,100]                               snapshots_0_100
landscape.every 100                             landscape100
landscape.measurements 40                       landscapes40
covariate_shift.every 100                       covariate_shift100
covariate_shift.measurements 40                 covariate_shifts40
distributions.every 100                         distributions100
distributions.measurements 20                   distribution_pairs20
population.every 50                             population50
batch_normalization.statistics_batch 16         statistics_batch16
reparametrization spectral                      spectral_normalization
model.application ResNet50V2                    ResNet50V2
model.blocks 9                                  blocks9
model.skip False                                no_skip
model.residual fixup                            fixup
hidden_dropout 0.5                              hidden_dropout0.5
model.normalize both                            both_connections
model.weights abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789 weights_abcdef01
"""


def value_of(text):
    try:
        return ast.literal_eval(text)
    except ValueError:
        return text


LINES = [line.split() for line in FROZEN.strip().splitlines()]


@pytest.mark.parametrize(("key", "text", "word"), LINES)
def test_the_word_of_each_key_is_fixed(key, text, word):
    assert SPELLINGS[key](value_of(text)) == word


def test_the_order_of_the_words_is_fixed():
    assert list(SPELLINGS) == [key for key, _, _ in LINES]


def test_every_word_has_a_place_of_its_own():
    places = [said.word.place for said in KEYS.values() if said.word is not None]
    assert sorted(places) == list(range(1, len(LINES) + 1))


def test_every_key_of_the_identity_has_a_word_and_no_other():
    flat = to_flat(compose([]).config)
    assert set(SPELLINGS) == set(flat).difference(NOT_IDENTITY)
    assert set(identity(compose([]).config)) == set(SPELLINGS).difference(absent_values())


@pytest.mark.parametrize(
    ("key", "value", "word"),
    [
        ("batch_size", "all", "full_batch"),
        ("data.train_examples", None, "all_examples"),
        ("percentiles.every", 0, "no_percentiles"),
        ("norms.every", 0, "no_norms"),
        ("landscape.every", 0, "no_landscape"),
        ("covariate_shift.every", 0, "no_covariate_shift"),
        ("distributions.every", 0, "no_distributions"),
        ("population.every", 0, "no_population"),
        ("batch_normalization.statistics_batch", None, "whole_batch"),
        ("reparametrization", None, "plain_weights"),
        ("model.application", None, "no_application"),
        ("model.residual", "plain", "plain_branches"),
        ("model.weights", None, "no_weights"),
        ("model.normalize", None, "no_connections"),
        ("model.normalize", "input", "input_connections"),
        ("model.normalize", "recurrent", "recurrent_connections"),
        ("reparametrization", "weight", "weight_normalization"),
        ("reparametrization", "weight_from_data", "weight_normalization_from_data"),
        ("reparametrization", "scaled_weight_standardization", "scaled_weight_standardization"),
        ("measures", [], "no_measure"),
        ("snapshots", [], "no_snapshots"),
        ("normalization", None, "unnormalized"),
        ("placement", "none", "unplaced"),
        ("accelerate", [], "accelerate_none"),
        ("accelerate", list(ACCELERATIONS), "accelerate_all"),
        ("accelerate", sorted({*ACCELERATIONS} - {"l2"}), "accelerate_without_l2"),
        ("learning_rate", 1e16, "rate10000000000000000"),
        ("learning_rate", 0.1 + 0.2, "rate0.30000000000000004"),
        ("l2", -0.0, "l2_0"),
    ],
)
def test_what_is_no_plain_number_or_name_is_said_in_words(key, value, word):
    assert SPELLINGS[key](value) == word


def values_of(key):
    """Some values of a key, such that one looks like another where it can."""
    numbers = [1, 2, 10, 100, 20, 12]
    kind = keys()[key]
    if key == "model.weights":
        return ["0" * 64, "f" * 64, "10" * 32]
    if key in CHOICES and typing.get_origin(kind) is not list:
        return [*CHOICES[key], *([None] if key == "normalization" else [])]
    if typing.get_origin(kind) is list:
        names = sorted(CHOICES.get(key, numbers))
        of = itertools.chain.from_iterable(
            itertools.combinations(names, size) for size in range(len(names) + 1)
        )
        return [list(some) for some in of]
    if kind is bool:
        return [True, False]
    if kind is float:
        return [1.0, 10.0, 0.1, 1e-7, 0.12, 1.2, 20.0, 2.0, 1e40]
    return [*numbers, *{int | str: ["all"], int | None: [None]}.get(kind, [])]


def test_no_word_means_two_values_or_could_be_a_digest():
    pairs = [(key, value, SPELLINGS[key](value)) for key in SPELLINGS for value in values_of(key)]
    words = [word for _, _, word in pairs]
    assert len(set(words)) == len(words)
    assert [word for word in words if not re.fullmatch("[A-Za-z0-9._]+", word)] == []
    assert [word for word in words if re.fullmatch("[0-9a-f]{8}", word)] == []


NAMES: dict[str, dict] = {}
differences = st.lists(
    st.sampled_from(list(SPELLINGS)).flatmap(
        lambda key: st.tuples(st.just(key), st.sampled_from(values_of(key)))
    ),
    max_size=12,
    unique_by=lambda pair: pair[0],
)


@given(differences)
def test_no_two_differences_share_a_name(pairs):
    difference = dict(pairs)
    name = spelled_name("bn_x5-cpu", difference)
    assert NAMES.setdefault(name, difference) == difference
    assert spelled_name("bn_x5-cpu", dict(reversed(pairs))) == name
    assert re.fullmatch("[A-Za-z0-9._-]+", name)
    assert len(name) <= LONGEST_NAME


def test_a_value_that_file_systems_may_not_take_goes_into_the_digest():
    one = spelled_name("mlp-digits", {"normalization": "my_norms:RMSNorm", "train_steps": 7})
    other = spelled_name("mlp-digits", {"normalization": "my.norms/RMSNorm", "train_steps": 7})
    assert re.fullmatch("mlp-digits-steps7-[0-9a-f]{8}", one)
    assert one != other


def words_of(config_keys):
    """Overrides as somebody may write them, of keys in which runs can differ."""
    return st.lists(
        st.sampled_from(config_keys).flatmap(
            lambda key: st.tuples(st.just(key), st.sampled_from(values_of(key)))
        ),
        max_size=5,
        unique_by=lambda pair: pair[0],
    )


SETTABLE = [key for key in SPELLINGS if not key.endswith(".name") and key != "data.image_size"]
BASES = ["model=mlp", "model=cnn", "model=inception", "experiment=bn_x5", "experiment=figure_1_bn"]
CONFIGS: dict[str, dict] = {}


def word(key, value):
    """One of the ways to write an override."""
    if isinstance(value, list):
        return f"{key}=[{','.join(map(str, reversed(value)))}]"
    return f"{key}={'null' if value is None else str(value).lower()}"


@settings(max_examples=50)
@given(st.sampled_from(BASES), words_of(SETTABLE), st.randoms(use_true_random=False))
def test_no_two_configs_share_a_name_and_one_config_has_one(base, pairs, random):
    try:
        made = compose([base, *(word(*pair) for pair in pairs)])
    except ConfigError:
        return
    meant = identity(made.config)
    assert CONFIGS.setdefault(made.name, meant) == meant
    assert list(CONFIGS.values()).count(meant) == 1
    again = [word(*pair) for pair in random.sample(pairs, len(pairs))]
    assert compose([*again, base]).name == made.name


def test_a_file_of_ones_own_cannot_be_taken_for_another_run(tmp_path, monkeypatch):
    (tmp_path / "experiment").mkdir()
    file = tmp_path / "experiment" / "mlp-digits-x1.yaml"
    file.write_text("# @package _global_\ntrain_steps: 7\n")
    monkeypatch.setenv("BNREPRO_CONFIG_DIR", str(tmp_path))
    with pytest.raises(ConfigError, match=r"mlp-digits-x1.yaml: expected letters, .* rename"):
        compose(["experiment=mlp-digits-x1"])


def test_a_key_that_came_later_counts_only_where_it_says_something_new():
    key = "data.train_examples"
    assert key not in identity(compose([f"{key}=null"]).config) and absent_values()[key] is None
    words = ["experiment=inception", "scale=proportional"]
    assert compose([*words, f"{key}=null"]).name == "inception-proportional-all_examples"
    assert compose([*words, f"{key}=10"]).name == "inception-proportional-examples10"
