"""Every file in `conf/` composes and says what it is for; experiments are what the paper ran."""

import pytest

from bnrepro.config import GROUPS, to_flat
from bnrepro.config.composition import compose
from bnrepro.config.files import AT_SCALE
from bnrepro.config.overrides import choices_of, configs_directory
from bnrepro.config.schedules import learning_rates
from bnrepro.experiments import EXPERIMENTS

ROWS = ["inception", "bn_baseline", "bn_x5", "bn_x30", "bn_x5_sigmoid"]
CONTROLS = [
    "inception_x5",
    "inception_sigmoid",
    "inception_accelerated",
    "bn_baseline_x5",
    "inception_tuned",
]
FIGURES = ["figure_1_plain", "figure_1_bn"]
SEARCHES = ["rate_search"]
SHORT = {"bn_x5", "bn_x30", "bn_x5_sigmoid", "inception_sigmoid", "inception_accelerated"}
FILES = sorted(configs_directory().glob("*/*.yaml"))


def config_of(*words):
    return compose(["data.root=/photographs", *words]).config


def test_every_experiment_of_the_study_is_there():
    assert choices_of("experiment") == sorted(ROWS + CONTROLS + FIGURES + SEARCHES)
    assert choices_of("scale") == ["cpu", "gpu", "paper", "proportional", "smoke"]


@pytest.mark.parametrize(
    "word", [f"{group}={choice}" for group in GROUPS for choice in choices_of(group)]
)
def test_every_file_composes(word):
    # As a folder of photographs does, it waits for a name.
    waits_for = ["model.application=ResNet50V2"] if word == "model=application" else []
    config_of(word, *waits_for)


@pytest.mark.parametrize(
    "path", [path for path in FILES if path.parent.name in GROUPS], ids=lambda path: path.stem
)
def test_every_file_says_what_it_shows_and_its_command(path):
    header, what, *rest = path.read_text().splitlines()
    assert header == "# @package _global_"
    assert what.startswith("# ") and len(what) > 20
    assert any(f"{path.parent.name}={path.stem}" in line for line in rest if line[0:1] == "#")
    assert all(len(line) <= 100 for line in rest)


@pytest.mark.parametrize("experiment", ROWS + CONTROLS + FIGURES + SEARCHES)
def test_every_experiment_says_its_expected_result_and_its_time(experiment):
    text = (configs_directory() / "experiment" / f"{experiment}.yaml").read_text()
    assert "Expected: " in text and "# Time: " in text and "# Paper: " in text


def test_the_files_at_a_scale_belong_to_an_experiment_and_a_scale():
    for path in (configs_directory() / AT_SCALE).glob("*.yaml"):
        scale, _, experiment = path.stem.partition("_")
        assert scale in choices_of("scale") and experiment in choices_of("experiment")


@pytest.mark.parametrize("scale", choices_of("scale"))
def test_the_rows_differ_in_nothing_but_variant_activation_and_length(scale):
    configs = {row: to_flat(config_of(f"experiment={row}", f"scale={scale}")) for row in ROWS}
    varied = {
        key
        for key in configs["inception"]
        for row in ROWS
        if configs[row][key] != configs["inception"][key]
    }
    variant = {"placement", "normalization", "learning_rate_multiplier", "accelerate"}
    assert varied - {"train_steps"} == {*variant, "activation"}


@pytest.mark.parametrize(
    ("control", "base", "varied"),
    [
        ("inception_x5", "inception", {"learning_rate_multiplier": 5.0}),
        ("bn_baseline_x5", "bn_baseline", {"learning_rate_multiplier": 5.0}),
        ("inception_sigmoid", "inception", {"activation": "sigmoid", "train_steps": 12000}),
        (
            "inception_accelerated",
            "inception",
            {
                "accelerate": ["decay", "distortion", "dropout", "l2", "lrn", "shuffle"],
                "train_steps": 12000,
            },
        ),
    ],
)
def test_a_control_differs_from_its_base_in_one_thing(control, base, varied):
    one, other = (to_flat(config_of(f"experiment={e}", "scale=cpu")) for e in (control, base))
    assert {key: one[key] for key in one if one[key] != other[key]} == varied


def test_inception_tuned_differs_in_its_rate_alone():
    for scale in choices_of("scale"):
        tuned, base = (
            to_flat(config_of(f"experiment={e}", f"scale={scale}"))
            for e in ("inception_tuned", "inception")
        )
        # In the paper's proportions the base rate is the tuned one.
        different = set() if scale == "proportional" else {"learning_rate"}
        assert {key for key in base if tuned[key] != base[key]} == different


@pytest.mark.parametrize("experiment", ROWS + CONTROLS)
def test_scale_cpu_is_the_published_study(experiment):
    config = config_of(f"experiment={experiment}", "scale=cpu")
    expected = {
        "train_steps": 12_000 if experiment in SHORT else 24_000,
        "data.name": "cifar10",
        "model.name": "inception",
        "model.width": 0.25,
        "batch_size": 32,
        "optimizer.name": "momentum",
        "optimizer.momentum": 0.9,
        "dropout": 0.4,
        "l2": 1e-4,
        "lrn": True,
        "shuffle": "shards",
        "distortion": 1.0,
        "schedule.name": "exponential",
        "schedule.decay_steps": 24_000,
        "schedule.decay_rate": 0.1,
    }
    assert {key: to_flat(config)[key] for key in expected} == expected
    grid, step = [], 0
    while step < config.train_steps:
        step = config.next_evaluation(step)
        grid.append(step)
    assert grid == [*range(250, 5_001, 250), *range(6_000, config.train_steps + 1, 1_000)]


def test_scale_proportional_has_the_papers_proportions():
    # Where figure 2's curves end in the paper, in millions of steps.
    ends = {row: EXPERIMENTS[row].paper_curve["step"].iloc[-1] / 1e6 for row in ROWS}
    configs = {row: config_of(f"experiment={row}", "scale=proportional") for row in ROWS}
    steps = {row: config.train_steps for row, config in configs.items()}
    longest = steps["inception"] / ends["inception"]
    assert steps["bn_baseline"] / ends["bn_baseline"] == pytest.approx(longest, rel=0.01)
    accelerated = ("bn_x5", "bn_x30", "bn_x5_sigmoid")
    mean = sum(ends[row] for row in accelerated) / len(accelerated)
    assert {steps[row] for row in accelerated} == {10_400}
    assert 10_400 / mean == pytest.approx(longest, rel=0.2)
    # GoogLeNet's 4 % every 8 passes over 1,281,167 images, in mini-batches of 32.
    for row, share in {"inception": 1 / 52, "bn_x5_sigmoid": 1 / 168}.items():
        rates = learning_rates(configs[row].accelerated(), 0, steps[row] + 1)
        assert rates[-1] / rates[0] == pytest.approx(share, rel=0.1)
    weights_per_image = 104_534 / configs["inception"].data.train_examples
    assert weights_per_image == pytest.approx(13.6e6 / 1_281_167, rel=0.02)


def test_scale_paper_has_the_papers_numbers():
    for row, rate in {"inception": 0.0015, "bn_x5": 0.0075, "bn_x30": 0.045}.items():
        config = config_of(f"experiment={row}", "scale=paper")
        assert config.peak_learning_rate == pytest.approx(rate)
        assert (config.data.name, config.data.image_size) == ("image_folder", 224)
        assert config.model.width == 1.0
    assert config_of("experiment=inception", "scale=paper").train_steps == 31_000_000


@pytest.mark.parametrize("experiment", FIGURES)
def test_figure_1_is_the_papers(experiment):
    config = config_of(f"experiment={experiment}")
    expected = {
        "data.name": "mnist",
        "data.binary": True,
        "batch_size": 60,
        "train_steps": 50_000,
        "model.name": "mlp",
        "model.hidden_layers": 3,
        "activation": "sigmoid",
        "optimizer.name": "sgd",
        "learning_rate": 0.1,
        "initializer.name": "gaussian",
        "initializer.scale": 0.05,
        "batch_normalization.epsilon": 1e-5,
        "percentiles.every": 250,
        "percentiles.num_examples": 1_000,
    }
    assert {key: to_flat(config)[key] for key in expected} == expected
    # An evaluation costs about as much as 60 steps; a quarter of the time is the most it may take.
    assert 60 / config.evaluate_every < 0.25


def test_the_networks_of_figure_1_differ_in_normalization_alone():
    plain, normalized = (to_flat(config_of(f"experiment={figure}")) for figure in FIGURES)
    assert {key for key in plain if plain[key] != normalized[key]} == {"placement", "normalization"}
