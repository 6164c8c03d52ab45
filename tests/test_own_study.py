"""A study of one's own: criteria with verdicts, its picture, and what is wrong with a file."""

from pathlib import Path

import pytest
from hand_made_records import HandMade, write_run

from bnrepro import cli
from bnrepro.config import ConfigError, study
from bnrepro.config.overrides import CONFIG_DIRECTORY_VARIABLE
from bnrepro.records.loading import read_curves, read_runs
from bnrepro.verdicts.own_study import judge_study

PLAIN, NORMALIZED = "mlp-digits-none-steps400-evaluate100", "mlp-digits-x1-steps400-evaluate100"
FILE = """
# What the lesson shows.
question: Does batch normalization help a small network on digits?
runs:
  - {{overrides: ["bn=none,x1", train_steps=400, evaluate_every=100], seeds: {seeds}}}
criteria:
{criteria}
"""
MORE_ACCURATE = """
  - claim: It is more accurate.
    measure: final accuracy
    of: mlp-digits-x1-*
    against: mlp-digits-none-*
    above: 0.15
"""
FASTER = """
  - claim: It needs less than half of the steps.
    measure: steps to 0.5
    of: mlp-digits-x1-*
    against: mlp-digits-none-*
    above: 2
"""


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Write the study `mine` with these criteria and so many seeds; gives the folder."""
    monkeypatch.setenv(CONFIG_DIRECTORY_VARIABLE, str(tmp_path / "conf"))
    (tmp_path / "conf" / "study").mkdir(parents=True)

    def written(criteria: str, seeds: int = 3) -> Path:
        text = FILE.format(criteria=criteria, seeds=[*range(seeds)])
        (tmp_path / "conf" / "study" / "mine.yaml").write_text(text)
        return tmp_path

    return written


def train(results: Path, differences: list[float]) -> None:
    """By seed: 0.5 at the end without normalization, so much more with it, and 0.5 at step 100."""
    for run in study.planned_runs("mine"):
        seed = run.seed
        end = 0.5 + (differences[seed] if run.name == NORMALIZED else 0)
        first = 0.5 if run.name == NORMALIZED else 0.1
        curve = {0: 0.1, 100: first, 200: first, 300: first, 400: end}
        write_run(results, run.composition, HandMade(curve.__getitem__))


def verdicts(results: Path) -> list[str]:
    found = judge_study(study.load("mine").criteria, read_runs(results), read_curves(results))
    return [one.outcome for one in found]


@pytest.mark.parametrize(
    ("differences", "outcome"),
    [
        ([0.2, 0.3, 0.4], "hint: holds"),
        ([0.2, 0.1, 0.4], "inconclusive"),
        ([0.1, 0.0, -0.1], "hint: does not hold"),
        ([0.2, 0.3], "inconclusive"),
        ([0.2, 0.3, 0.4, 0.2, 0.3, 0.4], "holds"),
        ([0.1, 0.0, 0.1, 0.0, 0.1, 0.0], "does not hold"),
    ],
)
def test_differences_on_the_same_seed_decide(write, differences, outcome):
    results = write(MORE_ACCURATE, len(differences)) / "results"
    train(results, differences)
    assert verdicts(results) == [outcome]


def test_steps_are_compared_as_a_ratio(write):
    results = write(FASTER + FASTER.replace("above: 2", "above: 5")) / "results"
    train(results, [0.2, 0.2, 0.2])
    # 400 steps against 100: four times as many.
    assert verdicts(results) == ["hint: holds", "hint: does not hold"]


def test_below_is_the_other_side(write):
    results = write(MORE_ACCURATE.replace("above: 0.15", "below: 0")) / "results"
    train(results, [-0.1, -0.2, -0.3])
    assert verdicts(results) == ["hint: holds"]


def test_without_records_nothing_follows(write):
    results = write(MORE_ACCURATE) / "results"
    (run, *_) = study.planned_runs("mine")
    write_run(results, run.composition, HandMade(lambda step: 0.5))
    assert verdicts(results) == ["inconclusive"]


def test_the_table_of_the_study_ends_with_its_verdicts(write, capsys):
    results = write(MORE_ACCURATE + FASTER) / "results"
    train(results, [0.2, 0.3, 0.4])
    words = ["table", "study=mine", f"results_dir={results}"]
    assert cli.main(words) == 0
    said = capsys.readouterr().out
    assert "criteria of study=mine" in said
    assert (
        "hint: holds: It is more accurate. final accuracy, "
        f"{NORMALIZED} minus {PLAIN} 30 points (20 to 40, coverage 75 %), n = 3; expected above "
        "0.15 for every seed, or by the interval; a verdict from 6 seeds on, a hint from 3" in said
    )
    assert cli.main([*words, "--format", "csv"]) == 0
    assert "criteria" not in capsys.readouterr().out


def test_the_study_has_a_picture_of_its_own(write, capsys):
    results = write(MORE_ACCURATE) / "results"
    train(results, [0.2, 0.3, 0.4])
    assert cli.main(["figure", "study=mine", f"results_dir={results}"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "Does batch normalization help a small network on digits?"
    assert (results / "own_runs" / "mine" / "digits.png").exists()
    assert cli.main(["figure", "study=mine", "1", f"results_dir={results}"]) == 2
    assert "expected study=mine alone" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("of: mlp-digits-x1-*", "of: mlp-digits-x2", "of: mlp-digits-x2: none of its runs is"),
        ("    of: mlp-digits-x1-*\n", "", "expected of in every entry"),
        ("above: 0.15", "above: much", "expected a number as above or as below"),
        ("above: 0.15", "above: 1\n    below: 2", "got both"),
        ("    above: 0.15\n", "", "got neither"),
        ("above: 0.15", "abvoe: 0.15", "abvoe: no such key; did you mean 'above'"),
        ("final accuracy", "accuracy", "measure: expected one of best accuracy, final accuracy"),
        ("final accuracy", "steps to 90", "an accuracy from 0 to 1, got 'steps to 90'"),
        (MORE_ACCURATE, "  - more", "criteria: expected entries such as"),
        (MORE_ACCURATE, "  more: 1", "criteria: expected entries such as"),
    ],
)
def test_a_criterion_that_is_none_is_refused_in_one_line(write, before, after, message):
    write(MORE_ACCURATE.replace(before, after))
    with pytest.raises(ConfigError) as error:
        study.planned_runs("mine")
    assert message in str(error.value) and "\n" not in str(error.value)


def test_a_name_of_several_experiments_is_refused(write):
    results = write(MORE_ACCURATE.replace("mlp-digits-x1-*", "mlp-*")) / "results"
    train(results, [0.2, 0.3, 0.4])
    with pytest.raises(ConfigError, match="expected one experiment, and these are called so"):
        verdicts(results)


RATES = """
nuisance: [learning_rate]
question: Does it help, each at its best rate?
runs:
  - {overrides: ["bn=none,x1", "learning_rate=0.05,0.1"], seeds: [0, 1, 2]}
criteria:
  - claim: It does.
    measure: best accuracy
    of: mlp-digits-x1*
    against: mlp-digits-none*
    above: 0.15
"""


def test_of_several_that_differ_in_nuisance_parameters_the_best_counts(write):
    path = write("") / "conf" / "study" / "mine.yaml"
    path.write_text(RATES)
    ends = {("before", 0.05): 0.6, ("before", 0.1): 0.9, ("none", 0.05): 0.7, ("none", 0.1): 0.3}
    results = path.parents[2] / "results"
    for run in study.planned_runs("mine"):
        config = run.composition.config
        end = ends[config.placement, config.learning_rate]
        write_run(results, run.composition, HandMade(lambda step, end=end: end if step else 0.1))
    runs, curves = read_runs(results), read_curves(results)
    criteria = study.load("mine").criteria
    (found,) = judge_study(criteria, runs, curves, ["learning_rate"])
    assert found.outcome == "hint: holds"
    assert "mlp-digits-x1 minus mlp-digits-none-rate0.05 20 points" in found.measured
    with pytest.raises(ConfigError, match="expected one experiment"):
        judge_study(criteria, runs, curves, ["batch_size"])


def test_further_overrides_may_change_the_names(write):
    write(MORE_ACCURATE.replace("mlp-digits-x1-*", NORMALIZED))
    assert len(study.planned_runs("mine", ["train_steps=200"])) == 6
