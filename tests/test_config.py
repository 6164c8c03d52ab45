"""The rules of a run's config, and the changes of section 4.2.1."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path

import pytest

import bnrepro
from bnrepro.cli import config_help
from bnrepro.config import (
    ACCELERATIONS,
    CHOICES,
    GROUPS,
    KEYS,
    NOT_IDENTITY,
    ConfigError,
    RunConfig,
    did_you_mean,
    identity,
    to_flat,
    validate,
    with_values,
)
from bnrepro.config.composition import compose
from bnrepro.config.launch import LaunchConfig
from bnrepro.config.overrides import choices_of, configs_directory, keys

GHOST = "batch_normalization.statistics_batch"
STATISTICS = "batch_normalization.statistics"


@pytest.fixture(scope="module")
def config():
    return compose([]).config


def test_the_groups_are_those_that_conf_composes_in_that_order():
    lines = (configs_directory() / "config.yaml").read_text().splitlines()
    composed = [line.split(":")[0].removeprefix("  - ") for line in lines if line[:4] == "  - "]
    assert [name for name in composed if name in GROUPS] == list(GROUPS)


@pytest.mark.parametrize("group", ["data", "model", "optimizer", "schedule", "initializer"])
def test_the_files_of_a_group_are_the_names_in_python(group):
    assert choices_of(group) == sorted(CHOICES[f"{group}.name"])
    for name in choices_of(group):
        text = (configs_directory() / group / f"{name}.yaml").read_text()
        assert f"\n  name: {name}\n" in text


def test_flat_keys_cover_all_fields(config):
    assert list(to_flat(config)) == list(keys())
    assert {key.partition(".")[0] for key in keys()} == {field.name for field in fields(RunConfig)}


def test_how_a_run_is_started_is_no_part_of_what_it_is(config):
    launch = {field.name for field in fields(LaunchConfig)}
    assert set(NOT_IDENTITY) - launch == {"seed", "data.root", "model.weights_file"}
    assert not launch & set(identity(config))


def test_every_key_says_what_it_is_in_a_line_of_help():
    assert list(KEYS) == list(keys())
    assert [key for key, said in KEYS.items() if not 3 < len(said.help) < 90] == []
    page = " ".join(config_help.keys(columns=100).split())
    for key, said in KEYS.items():
        if not key.endswith(".name"):
            _, found, page = page.partition(f" {said.help}")
            assert found, key


def test_every_number_has_a_range():
    numbers = {key for key, kind in keys().items() if kind in (int, float, int | None)}
    assert {key for key, said in KEYS.items() if said.allowed is not None} == numbers


def test_an_optimizer_has_the_constants_of_the_schema_but_for_what_its_file_says():
    for name in choices_of("optimizer"):
        flat = to_flat(compose([f"optimizer={name}"]).config)
        momentum = 0.9 if name in ("momentum", "nesterov") else 0.0
        expected = {"momentum": momentum, "rho": 0.9, "beta_1": 0.9, "beta_2": 0.999}
        for key, value in {"name": name, **expected, "epsilon": 1e-7}.items():
            assert flat[f"optimizer.{key}"] == value


def test_an_option_that_is_added_needs_one_file_of_the_config(tmp_path):
    """Type, default, range, word, help and what older records mean: all from the field's line."""
    package = Path(bnrepro.__file__).parent
    shutil.copytree(package, tmp_path / "bnrepro", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(configs_directory(), tmp_path / "conf")
    file = tmp_path / "bnrepro" / "config" / "fields.py"
    after = "    decay_rate: float = field("
    option = (
        "    heat: float = field(\n        default=1.0,\n        metadata=about("
        '"how hot", above(0, 9), number(54, "heat"), absent=1.0, ours=True),\n    )\n'
    )
    text = file.read_text()
    end = text.index("\n\n", text.index(after))
    file.write_text(text[:end] + "\n" + option.rstrip("\n") + text[end:])

    def bnrepro_says(*words):
        done = subprocess.run(
            [sys.executable, "-m", "bnrepro", "run", *words],
            env={**os.environ, "PYTHONPATH": str(tmp_path)},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout + done.stderr

    assert re.search(r"schedule\.heat=1\.0 +how hot\n", bnrepro_says("--help"))
    assert "heat: 3.0\n" in bnrepro_says("schedule.heat=3", "--cfg", "job")
    assert "expected a number above 0 and at most 9" in bnrepro_says("schedule.heat=0")
    program = (
        "from bnrepro.config.composition import compose\n"
        "print(compose([]).name, compose(['schedule.heat=3']).name)"
    )
    names = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert names.stdout == "mlp-digits-x1 mlp-digits-x1-heat3\n"


def test_values_are_set_by_flat_key(config):
    changed = with_values(config, {"seed": 4, "model.width": 2.0, "model.hidden_layers": 5})
    assert (changed.seed, changed.model.width, changed.model.hidden_layers) == (4, 2.0, 5)
    assert replace(changed, seed=config.seed, model=config.model) == config


def test_the_defaults_are_valid(config):
    validate(config)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"learning_rate": float("nan")}, "learning_rate=nan: expected a finite number above 0"),
        ({"learning_rate": float("inf")}, "learning_rate=inf: expected a finite number above 0"),
        ({"learning_rate": 1e300, "learning_rate_multiplier": 1e300}, "is not finite"),
        ({"dropout": 1.0}, "dropout=1.0: expected a number of at least 0 and below 1"),
        ({"distortion": 1.5}, "distortion=1.5: expected a number from 0 to 1"),
        ({"model.width": 0.0}, "model.width=0.0: expected a number above 0 and at most 64"),
        ({"seed": -1}, "seed=-1: expected a number from 0 to 2,147,483,647"),
        ({"batch_size": 0}, "batch_size=0: expected a whole number of at least 1, or 'all'"),
        ({"batch_size": True}, "batch_size=True: expected a whole number"),
        ({"batch_size": "every"}, "batch_size=every: expected a whole number"),
        ({"activation": "rely"}, "did you mean 'relu'?"),
        ({"accelerate": ["l3"]}, "accelerate=l3: expected one of dropout, l2"),
        ({"accelerate": ["l2", "l2"]}, "expected each change once"),
        ({"placement": "none"}, "normalization=batch with placement=none"),
        ({"normalization": "instance"}, "always normalized to 0"),
        ({"normalization": "instance", "model.name": "cnn"}, "always normalized to 0"),
        (
            {"normalization": "instance", "model.name": "inception", "placement": "after"},
            "use placement=before",
        ),
        ({"batch_size": 1}, "one value is its own mean"),
        ({"batch_size": 1, "normalization": "batch_renorm"}, "one value is its own mean"),
        ({"batch_size": 1, "normalization": "mean_only"}, "one value is its own mean"),
        ({"batch_size": 1, "normalization": "l1_norm"}, "one value is its own mean"),
        (
            {"batch_size": 1, "reparametrization": "weight_from_data", "normalization": "layer"},
            "batch_size=1 with reparametrization=weight_from_data",
        ),
        ({GHOST: 7}, "statistics_batch=7 with batch_size=60: expected a divisor"),
        ({GHOST: 30, "batch_size": "all"}, "batch_size=all: expected a divisor"),
        ({GHOST: 1}, "the variance of one value is 0"),
        ({GHOST: 30, "normalization": "layer"}, "expected normalization=batch"),
        ({GHOST: 30, STATISTICS: "per_activation"}, "use batch_normalization.statistics=per_f"),
        ({"data.name": "cifar10", "data.binary": True}, "expected grey images"),
        ({"data.name": "image_folder"}, "add data.root=FOLDER"),
    ],
)
def test_what_the_types_let_pass_is_refused(config, values, message):
    with pytest.raises(ConfigError, match=".*") as raised:
        validate(with_values(config, values))
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_normalization_exists_unless_placement_is_none(config):
    bare = with_values(config, {"normalization": None})
    assert bare.resolved().normalization == "batch"
    without = with_values(bare, {"placement": "none"})
    assert without.resolved().normalization is None


def test_each_change_of_section_4_2_1_changes_its_own_key():
    full = compose(["model=inception", "hidden_dropout=0.1"]).config
    changed = {
        "dropout": {"dropout": 0.0, "hidden_dropout": 0.0},
        "l2": {"l2": full.l2 / 5},
        "decay": {"schedule.decay_steps": full.schedule.decay_steps / 6},
        "lrn": {"lrn": False},
        "shuffle": {"shuffle": "within_shards"},
        "distortion": {"distortion": full.distortion / 4},
    }
    assert set(changed) == set(ACCELERATIONS)
    for name, keys_changed in changed.items():
        accelerated = to_flat(replace(full, accelerate=[name]).accelerated())
        expected = {**to_flat(full), "accelerate": [name], **keys_changed}
        assert accelerated == expected


def test_the_recipe_is_left_as_it_is_without_changes():
    full = compose(["model=inception"]).config
    assert full.accelerated() == full


def test_the_mlp_is_left_as_it_is_by_all_changes_but_the_multiplier():
    one, five = compose(["bn=x1"]).config, compose(["bn=x5"]).config
    restored = replace(five.accelerated(), accelerate=[], learning_rate_multiplier=1.0)
    assert replace(restored, schedule=one.schedule) == one
    # A constant rate does not decay, whatever the number of steps.
    assert five.schedule.name == "constant"


def test_the_variants_are_the_papers():
    values = {}
    for variant in choices_of("bn"):
        config = compose(["model=inception", f"bn={variant}"]).config
        values[variant] = (config.placement, config.learning_rate_multiplier, config.accelerate)
    everything = sorted(ACCELERATIONS)
    assert values == {
        "none": ("none", 1.0, []),
        "x1": ("before", 1.0, []),
        "x5": ("before", 5.0, everything),
        "x30": ("before", 30.0, everything),
    }


@pytest.mark.parametrize(
    ("step", "following"),
    [(0, 10), (10, 20), (20, 30), (30, 100), (35, 100), (100, 200), (200, 230)],
)
def test_the_evaluation_grid_is_finer_at_first_and_ends_with_the_last_step(config, step, following):
    grid = {"evaluate_every": 100, "evaluate_every_early": 10, "early_steps": 30}
    assert with_values(config, {**grid, "train_steps": 230}).next_evaluation(step) == following


def test_the_nearest_name_is_suggested():
    assert did_you_mean("incepton", ["mlp", "inception"]) == "; did you mean 'inception'?"
    assert did_you_mean("exp", ["step", "exponential"]) == "; did you mean 'exponential'?"
    assert did_you_mean("zzz", ["mlp"]) == ""
    assert did_you_mean("", ["mlp"]) == ""
