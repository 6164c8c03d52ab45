"""Studies: what a file may say, and the runs it stands for."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from bnrepro import cli, sweep
from bnrepro.config import ConfigError, study
from bnrepro.config.files import read_file
from bnrepro.config.overrides import (
    CONFIG_DIRECTORY_VARIABLE,
    Override,
    choices_of,
    config_directories,
    words,
)
from bnrepro.config.study import command, load, plan, planned_runs, with_default_scale

FINE = """
question: Does it matter?
scientific: [placement, normalization]
nuisance: []
fixed: [data]
runs:
  - overrides: ["model=mlp", "bn=none,x1"]
    seeds: [0, 1]
"""
FIVE = ("inception", "bn_baseline", "bn_x5", "bn_x30", "bn_x5_sigmoid")
Writer = Callable[[str], int]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Writer:
    """Writes a study of the user's own, `mine`."""
    (tmp_path / "study").mkdir()
    monkeypatch.setenv(CONFIG_DIRECTORY_VARIABLE, str(tmp_path))
    return (tmp_path / "study" / "mine.yaml").write_text


def scale_of(name: str) -> list[str]:
    return ["scale=cpu"] if load(name).required else []


@pytest.mark.parametrize("name", choices_of("study"))
def test_every_study_composes_and_varies_only_what_it_says(name: str) -> None:
    planned = planned_runs(name, scale_of(name))
    assert len({run.directory for run in planned}) == len(planned)
    # Published runs have one thread each, whatever the machine.
    assert name == "rows" or {run.composition.config.threads for run in planned} == {1}


@pytest.mark.parametrize("name", choices_of("study"))
def test_every_study_says_what_it_is_about(name: str) -> None:
    head = (config_directories()[0] / "study" / f"{name}.yaml").read_text().split("\n")
    comments = [line for line in head if line.startswith("#")]
    assert any(f"bnrepro sweep study={name}" in line for line in comments)
    assert any("Expected" in line for line in comments)
    assert any("Time:" in line for line in comments)
    assert load(name).question.endswith("?")


@pytest.mark.parametrize(
    ("name", "numbers"),
    [
        ("figure_1", {"figure_1_plain": 6, "figure_1_bn": 6}),
        (
            "rows",
            dict.fromkeys(("inception", "bn_baseline", "bn_x5", "bn_x30", "bn_x5_sigmoid"), 1),
        ),
        (
            "figure_2",
            {
                **dict.fromkeys(FIVE, 6),
                **dict.fromkeys(("inception_tuned", "inception_x5", "bn_baseline_x5"), 3),
                **dict.fromkeys(("inception_sigmoid", "inception_accelerated"), 3),
            },
        ),
    ],
)
def test_a_study_of_experiments_has_them_under_their_own_names(
    name: str, numbers: dict[str, int]
) -> None:
    found = [run.experiment for run in planned_runs(name, scale_of(name))]
    assert {experiment: found.count(experiment) for experiment in found} == numbers


def test_figure_2_has_the_lengths_of_the_protocol_at_scale_cpu() -> None:
    short = {"bn_x5", "bn_x30", "bn_x5_sigmoid", "inception_sigmoid", "inception_accelerated"}
    for run in planned_runs("figure_2", ["scale=cpu"]):
        expected = 12_000 if run.experiment in short else 24_000
        assert run.composition.config.train_steps == expected


def test_figure_4_has_six_different_networks_that_keep_their_predictions() -> None:
    planned = planned_runs("figure_4", ["scale=cpu"])
    configs = [run.composition.config for run in planned]
    assert len({run.name for run in planned}) == 6
    assert all(config.save_predictions for config in configs)
    assert {config.accelerated().dropout for config in configs} == {0.0, 0.05, 0.1}
    assert {config.learning_rate_multiplier for config in configs} == {30.0}


def test_tuning_keeps_its_hands_off_the_test_images_and_the_final_seeds() -> None:
    tuning = planned_runs("tuning", ["scale=cpu"])
    final = planned_runs("figure_2", ["scale=cpu"])
    assert {run.composition.config.data.evaluation_split for run in tuning} == {"tuning"}
    assert not {run.seed for run in tuning} & {run.seed for run in final}


def test_every_batch_size_sees_the_same_number_of_examples() -> None:
    configs = [run.composition.config for run in planned_runs("batch_size")]
    for config in configs:
        assert isinstance(config.batch_size, int)
        assert config.train_steps * config.batch_size == pytest.approx(600_000, rel=1e-3)
        assert config.learning_rate / config.batch_size == pytest.approx(0.003125)
    assert {c.placement for c in configs if c.batch_size == 1} == {"none"}


def test_a_grid_is_the_product_with_the_seed_innermost_and_each_run_once() -> None:
    planned = plan(["seed=range(0,2)", "model=mlp", "bn=none,x1,none"])
    assert [(run.name, run.seed) for run in planned] == [
        ("mlp-digits-none", 0),
        ("mlp-digits-none", 1),
        ("mlp-digits-x1", 0),
        ("mlp-digits-x1", 1),
    ]


def test_a_planned_run_is_what_its_own_overrides_compose() -> None:
    for run in plan(["model=mlp", "bn=none,x5", "seed=3,4", "learning_rate=0.2", "threads=2"]):
        alone = study.compose(list(run.overrides))
        assert (alone.config, alone.name) == (run.composition.config, run.name)


def test_further_overrides_apply_to_all_runs_and_win() -> None:
    planned = planned_runs("figure_1", ["seed=7", "train_steps=100"])
    assert [run.seed for run in planned] == [7, 7]
    assert {run.composition.config.train_steps for run in planned} == {100}


def test_a_further_grid_multiplies_the_study() -> None:
    assert len(planned_runs("figure_1", ["learning_rate=0.1,0.2"])) == 24


def test_a_study_that_leaves_the_scale_open_asks_for_it() -> None:
    with pytest.raises(
        ConfigError, match="add scale=CHOICE, one of cpu, gpu, paper, proportional, smoke"
    ):
        planned_runs("figure_2")


def test_an_unknown_study_is_refused_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match="did you mean 'figure_2'"):
        planned_runs("figure2", ["scale=cpu"])


@pytest.mark.parametrize(
    ("name", "given", "chosen"),
    [
        ("figure_2", [], ["scale=cpu"]),
        ("figure_2", ["seed=0"], ["seed=0", "scale=cpu"]),
        ("figure_2", ["scale=gpu"], ["scale=gpu"]),
        ("figure_1", ["seed=0"], ["seed=0"]),
    ],
)
def test_records_are_shown_at_the_published_scale_where_none_is_named(
    name: str, given: list[str], chosen: list[str]
) -> None:
    overrides = with_default_scale(name, given)
    assert sorted(map(str, overrides)) == sorted(chosen)
    assert planned_runs(name, overrides)


def test_the_command_can_be_pasted_into_a_shell() -> None:
    assert command("figure_2", ["scale=cpu"]) == "bnrepro sweep study=figure_2 scale=cpu"
    assert command("figure_1", ["seed=range(0,2)"]).endswith("'seed=range(0,2)'")


def test_a_user_has_studies_of_their_own(write: Writer) -> None:
    write(FINE)
    assert len(planned_runs("mine")) == 4


def test_a_study_need_not_say_what_varies_and_may_say_it(write: Writer) -> None:
    head, runs = FINE.split("scientific:")[0], "runs:" + FINE.split("runs:")[1]
    write(head + runs)
    assert len(planned_runs("mine")) == 4


def test_what_is_wrong_with_a_study_is_said_in_the_projects_own_words(write: Writer) -> None:
    """Whatever one puts in place of a value, no line of a library comes out."""
    content = yaml.safe_load(FINE)
    entry = content["runs"][0]
    wrongs: tuple[object, ...] = (
        None,
        1,
        True,
        "words",
        [],
        [1],
        [[]],
        {},
        {"a": 1},
        [{"overrides": 1}],
    )
    for wrong in wrongs:
        for changed in (
            *({**content, key: wrong} for key in content),
            *({**content, "runs": [{**entry, key: wrong}]} for key in entry),
            {**content, "runs": [wrong]},
        ):
            write(yaml.safe_dump(changed))
            read_file.cache_clear()
            try:
                load("mine")
            except ConfigError as error:
                said = str(error)
                assert "not a study: " in said and "\n" not in said
                assert not re.search("object_type|full_key|reference_type|Error|<class", said)


def test_a_scale_of_a_studys_own_changes_what_it_names(write: Writer) -> None:
    write(FINE + "scales: {smoke: [train_steps=20, seed=3]}")
    small = planned_runs("mine", ["scale=smoke", "evaluate_every=5"])
    configs = [run.composition.config for run in small]
    assert [(one.placement, one.seed) for one in configs] == [("none", 3), ("before", 3)]
    assert {(one.train_steps, one.evaluate_every) for one in configs} == {(20, 5)}
    assert [run.composition.scale for run in small] == [None, None]
    # What stands after it changes it in turn; another scale is that of every run.
    assert {run.seed for run in planned_runs("mine", ["scale=smoke", "seed=0,1"])} == {0, 1}
    assert {run.composition.config.train_steps for run in planned_runs("mine")} != {20}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("question: Does it matter?", "", "question: expected a sentence, got nothing"),
        ("fixed: [data]", "fixed: data", r"fixed: expected a list such as .*, got data"),
        ("fixed: [data]", "fixed: [1]", "expected a list of words such as .*, got 1 in it"),
        ("fixed: [data]", "required: [scael]", "required=scael: .* did you mean 'scale'"),
        ("fixed: [data]", "scales: [smoke]", "scales: expected .*, got a list"),
        ("fixed: [data]", "scales: {smoek: []}", "scales=smoek: .* did you mean 'smoke'"),
        ("fixed: [data]", "scales: {smoke: few}", "smoke: expected a list such as .*, got few"),
        ("fixed: [data]", "scales: {smoke: []}\nrequired: [scale]", "none beside required"),
        ("seeds: [0, 1]", "seed: [0, 1]", "runs: seed: .* did you mean 'seeds'"),
        ("seeds: [0, 1]", "seeds: 3", "expected seeds in every entry, such as .*, got 3"),
        ("seeds: [0, 1]", "seeds: [true]", "expected whole numbers such as .*, got True"),
        (FINE.partition("runs:")[2], " [bn=none,x1]", "entries such as '- {overrides: .* got bn="),
        ("seeds: [0, 1]", "seeds: [zero]", "seeds"),
        ("seeds: [0, 1]", "seeds: []", "seeds in every entry"),
        ("seeds: [0, 1]", "seeds: [-1]", "seed=-1"),
        ("seeds: [0, 1]", "", "got nothing"),
        ("nuisance: []", "nusiance: []", "nusiance: no such key; did you mean 'nuisance'"),
        ("nuisance: []", "nuisance: [learning_rat]", "did you mean 'learning_rate'"),
        ("scientific: [placement, normalization]", "scientific: []", "varies placement"),
        ("bn=none,x1", "bn=none,x2", "bn=x2"),
        ("bn=none,x1", "bn=${oc.env:HOME}", "plain values"),
        ("question: Does", "question: &a Does", "plain values"),
        ("question: Does", "question: !!python/name:os.system Does", "plain values"),
        (FINE, "[1, 2]", "not a study"),
        (FINE, "just words", "not a study"),
        (FINE, "", "not a study"),
        (FINE, "a: [", "not a study"),
        (FINE, FINE.partition("runs:")[0] + "runs: []", "at least one entry"),
    ],
)
def test_a_file_that_is_no_study_is_refused_in_one_line(
    write: Writer, old: str, new: str, message: str
) -> None:
    assert old in FINE
    write(FINE.replace(old, new))
    with pytest.raises(ConfigError, match=message) as caught:
        planned_runs("mine")
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_text_is_refused(tmp_path: Path, write: Writer) -> None:
    write(FINE)
    (tmp_path / "study" / "mine.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="not a study"):
        planned_runs("mine")


def test_planning_loads_neither_frameworks_nor_pandas() -> None:
    program = (
        "import sys, bnrepro.sweep as sweep; sweep.plan([], 'figure_1'); "
        "print({'tensorflow', 'keras', 'jax', 'pandas', 'numpy'} & set(sys.modules))"
    )
    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert found.stdout == "set()\n"


def test_a_word_is_read_once_and_nothing_is_read_that_nobody_wrote(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    original = words.read

    def listed(word: str) -> Override:
        read.append(word)
        return original(word)

    monkeypatch.setattr(words, "read", listed)
    monkeypatch.chdir(tmp_path)
    given = ["accelerate=[l2],[]", "seed=range(0,2)", "results_dir=a b"]
    assert cli.main(["sweep", "study=figure_1", *given, "--status"]) == 0
    assert [read.count(word) for word in given] == [1, 1, 1]
    assert set(read) == {*given, "experiment=figure_1_plain,figure_1_bn", "threads=1"}
    read.clear()
    runs = plan(["learning_rate=0.1,0.2", "seed=0,1"])
    assert plan(runs[0].overrides)[0].composition == runs[0].composition
    assert read == ["learning_rate=0.1,0.2", "seed=0,1"]


def test_a_study_is_swept_seed_by_seed() -> None:
    planned = sweep.plan([], "placement")
    assert [run.seed for run in planned] == sorted(run.seed for run in planned)
    first, *others = [[run.name for run in planned if run.seed == seed] for seed in range(6)]
    assert others == [first] * 5
