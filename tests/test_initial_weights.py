"""F2 on many branches, from hand-made records: what is drawn and said where it is known."""

from hand_made_records import HandMade, write_run

from bnrepro import cli
from bnrepro.config.study import planned_runs
from bnrepro.exhibits import making

ENDS = {("none", "glorot"): 0.2, ("none", "he"): 0.8, ("before", "glorot"): 0.9,
        ("before", "he"): 0.9}  # fmt: skip


def write_study(folder, words=()):
    for planned in planned_runs("initial_weights", words):
        config = planned.composition.config
        end = ENDS[config.placement, config.initializer.name]
        made = HandMade(lambda step, end=end, last=config.train_steps: end * step / last)
        write_run(folder, planned.composition, made)


def test_final_accuracies_are_told_by_rule_and_network(tmp_path):
    write_study(tmp_path)
    made = making.exhibit("initial_weights", str(tmp_path))
    assert made.findings == [
        "Without batch normalization the network ends at 20.0 % Xavier, 80.0 % MSRA "
        "(medians over the seeds).",
        "With batch normalization the network ends at 90.0 % Xavier, 90.0 % MSRA "
        "(medians over the seeds).",
    ]
    assert made.missing == [] and {row[2] for row in made.tables[0].rows} == {3}
    assert sorted(path.name for path in made.write(tmp_path)) == [
        "accuracies.csv", "accuracy.png", "accuracy.svg"
    ]  # fmt: skip


def test_a_small_training_is_drawn_beside_it(tmp_path):
    write_study(tmp_path, ["scale=smoke"])
    words = ["figure", "initial_weights", "scale=smoke", f"results_dir={tmp_path}"]
    assert cli.main(words) == 0
    assert (tmp_path / "initial_weights-smoke" / "accuracy.svg").exists()
    assert cli.main([*words[:2], words[3]]) == 2
