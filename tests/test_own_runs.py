"""`bnrepro figure NAMES...` and the report's parts about a person's own runs."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hand_made_records import HandMade, write_run
from matplotlib.colors import to_hex

from bnrepro import cli, report, statistics
from bnrepro.config import ConfigError
from bnrepro.config.composition import compose
from bnrepro.drawing.style import build
from bnrepro.exhibits.own_runs import figure
from bnrepro.exhibits.own_runs.lines import lines, shortened
from bnrepro.records.loading import read_curves, read_runs
from bnrepro.records.record import PUBLISHED
from bnrepro.report import own_runs
from bnrepro.report.sections import Section

LENGTH = ("train_steps=400", "evaluate_every=100")
# Accuracy at steps 0, 100, ..., 400, by the choice of `bn` and the seed.
CURVES = {
    ("none", 0): [0.1, 0.2, 0.3, 0.4, 0.5],
    ("none", 1): [0.1, 0.3, 0.4, 0.5, 0.6],
    ("none", 2): [0.1, 0.4, 0.5, 0.6, 0.7],
    ("x1", 0): [0.1, 0.5, 0.7, 0.8, 0.9],
    ("x1", 1): [0.1, 0.6, 0.8, 0.9, 0.9],
    ("x1", 2): [0.1, 0.7, 0.9, 0.9, 0.9],
}


def leave(results: Path, accuracies: list[float], *words: str, **facts: object) -> None:
    made = HandMade(lambda step: accuracies[step // 100], **facts)
    write_run(results, compose([*LENGTH, *words]), made)


@pytest.fixture
def own(tmp_path: Path) -> Path:
    for (bn, seed), accuracies in CURVES.items():
        leave(tmp_path, accuracies, f"bn={bn}", f"seed={seed}")
    return tmp_path


def exhibit(results: Path, **options: object) -> figure.Exhibit:
    (made,) = figure.exhibits(read_runs(results), read_curves(results), str(results), **options)
    return made


def test_the_mean_and_the_range_over_seeds_are_drawn(own: Path) -> None:
    made = exhibit(own)
    accuracy = next(table for table in made.series if table.name == "digits_accuracy")
    for name, bn in (("none", "none"), ("x1", "x1")):
        rows = [row for row in accuracy.rows if f"-{name}-" in row[0]]
        seeds = np.array([CURVES[bn, seed] for seed in range(3)])
        assert [row[1] for row in rows] == [0, 100, 200, 300, 400]
        expected = np.array([seeds.mean(0), seeds.min(0), seeds.max(0)]).T
        assert np.allclose([row[2:5] for row in rows], expected)


def test_the_target_is_dotted_and_diamonds_stand_at_the_median_steps_to_it(own: Path) -> None:
    # The best of each seed without normalization: 0.5, 0.6, 0.7. Its median is the target.
    (drawing,) = exhibit(own).drawings
    axes = build(list(drawing.panels), [list(row) for row in drawing.layout]).axes[0]
    (target,) = [line for line in axes.lines if list(line.get_ydata()) == [0.6, 0.6]]
    diamonds = {
        line.get_label(): (line.get_xdata()[0], line.get_ydata()[0])
        for line in axes.lines
        if line.get_marker() == "D" and line.get_linestyle() == "None"
    }
    # First at 0.6: never, 400, 300 without; 200, 100, 100 with.
    assert diamonds == {
        "none reaches its target": (400, 0.6),
        "x1 reaches its target": (100, 0.6),
    }
    assert target.get_linestyle() != "-"
    assert "to 60.00 %" in axes.get_xlabel()


def test_a_given_target_stands_instead(own: Path) -> None:
    (drawing,) = exhibit(own, target=0.85).drawings
    axes = build(list(drawing.panels), [list(row) for row in drawing.layout]).axes[0]
    places = {line.get_xdata()[0] for line in axes.lines if line.get_label().endswith("target")}
    assert places == {300}  # with normalization 400, 300, 200; without it is never reached


def test_a_run_that_diverged_counts_as_chance_and_its_loss_ends(tmp_path: Path) -> None:
    leave(tmp_path, [0.1, 0.9], "bn=x1", status="diverged", diverged_at_step=150)
    leave(tmp_path, [0.1, 0.5, 0.7, 0.8, 0.9], "bn=x1", "seed=1")
    made = exhibit(tmp_path)
    accuracy, loss = (next(t for t in made.series if t.name == f"digits_{of}") for of in
                      ("accuracy", "loss"))  # fmt: skip
    assert [row[2] for row in accuracy.rows] == pytest.approx([0.1, 0.7, 0.4, 0.45, 0.5])
    assert [row[1] for row in loss.rows] == [0, 100]


def test_mean_losses_are_those_of_steps_at_which_every_seed_has_one() -> None:
    rows = [("a", 0, 0, 2.0), ("a", 1, 0, 4.0), ("a", 0, 5, 1.0), ("a", 1, 5, np.nan),
            ("a", 0, 9, np.inf), ("a", 1, 9, 1.0), ("b", 0, 0, 3.0)]  # fmt: skip
    curves = pd.DataFrame(rows, columns=["label", "seed", "step", "evaluation_loss"])
    found = statistics.mean_losses(curves).to_numpy().tolist()
    assert found == [["a", 0, 3.0, 2.0, 4.0, 2], ["b", 0, 3.0, 3.0, 3.0, 1]]


def test_names_are_cut_to_what_differs() -> None:
    names = ["mlp-digits-none-rate1", "mlp-digits-x1-rate1", "mlp-digits-group-adam-rate1"]
    assert shortened(names) == ["none", "x1", "group-adam"]
    assert shortened(["mlp-digits-x1", "mlp-digits-x1-adam"]) == ["mlp-digits-x1", "adam"]
    assert shortened(["a-b-c", "c-b-a"]) == ["a-b-c", "c-b-a"]
    assert shortened(["mlp-digits-x1"]) == ["mlp-digits-x1"]


def test_no_two_of_nine_lines_share_a_colour_or_a_marker() -> None:
    for known in ([], ["inception", "bn_x5"]):
        drawn = lines([*known, *(f"own{number}" for number in range(7))])
        assert len({line.color for line in drawn.values()}) == len(drawn)
        assert len({line.marker for line in drawn.values()}) == len(drawn)


def test_of_many_experiments_each_drawing_has_eight(tmp_path: Path) -> None:
    for width in range(1, 11):
        leave(tmp_path, [0.1, 0.5, 0.7, 0.8, 0.9], f"model.width={width}")
    made = exhibit(tmp_path)
    assert [drawing.name for drawing in made.drawings] == ["digits_1", "digits_2"]
    counts = []
    for drawing in made.drawings:
        axes = build(list(drawing.panels), [list(row) for row in drawing.layout]).axes[0]
        counts.append(len({to_hex(line.get_color()) for line in axes.lines}))
    assert counts == [8, 2]


def test_every_data_set_has_a_drawing_of_its_own(tmp_path: Path) -> None:
    for data in ("digits", "mnist"):
        leave(tmp_path, [0.1, 0.5, 0.7, 0.8, 0.9], f"data={data}")
    made = figure.exhibits(read_runs(tmp_path), read_curves(tmp_path), str(tmp_path))
    assert [one.title for one in made] == ["Runs on digits", "Runs on mnist"]
    assert not {*made[0].files} & {*made[1].files}


def test_the_command_says_what_comes_out_and_names_the_files(own: Path, capsys) -> None:
    leave(own, [0.1, 0.2, 0.3, 0.4, 0.5], "bn=x5", status="interrupted")
    output = own / "pictures"
    words = ["figure", "mlp-*", f"results_dir={own}", "--output", str(output)]
    assert cli.main(words) == 0
    said = capsys.readouterr()
    first, *files = said.out.splitlines()
    assert first == "x1 ends at 90.00 %, none at 60.00 %."
    assert "x5" in said.err and "interrupted" in said.err
    assert {Path(file).name for file in files} == {
        "digits.png", "digits.svg", "digits_accuracy.csv", "digits_loss.csv", "digits_table.csv",
    }  # fmt: skip
    assert all(Path(file).parent == output and Path(file).stat().st_size for file in files)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["mlp-digits-*"], "names of runs below nowhere, where there is none yet"),
        (["1", "2"], "figure 1 2: expected one"),
        ([], "figure nothing: expected one"),
        (["1", "--target", "0.9"], "--target: figure 1 is drawn in one way"),
        (["mlp-*", "scale=cpu"], "scale=cpu: expected it with a figure of the paper"),
        (["mlp-*", "--target", "90"], "did you mean 0.9?"),
    ],
)
def test_bad_words_are_refused(words: list[str], message: str, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["figure", *words, "results_dir=nowhere"]) == 2
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_name_of_no_run_is_refused_with_those_there_are(own: Path) -> None:
    with pytest.raises(ConfigError, match="mlp-digits-xx: no run of that name"):
        figure.main(["mlp-digits-xx"], str(own))


def test_the_report_shows_the_runs_that_no_exhibit_shows(own: Path) -> None:
    runs = read_runs(own)
    shown = Section("figure-1", "Figure 1", "", runs[runs["config.placement"] == "none"])
    (part,) = own_runs.parts(str(own), [shown])
    assert part.title == "Runs on digits" and "<svg" in part.body
    assert set(part.runs["config.placement"]) == {"before"} and len(part.runs) == 3
    assert (own / "own_runs" / "digits.png").exists()
    assert own_runs.parts(str(own), [shown, part]) == []


def test_the_parts_stand_on_the_page(own: Path) -> None:
    page = report.build(str(own))
    assert '<section aria-labelledby="own-runs-1">' in page and "own-runs-2" not in page


def test_what_the_project_publishes_is_no_persons_own(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    leave(Path(PUBLISHED), [0.1, 0.5, 0.7, 0.8, 0.9], "bn=x1")
    assert "own-runs" not in report.build(PUBLISHED)


def test_where_ones_own_runs_are_is_said_when_others_are_read(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    leave(Path("results"), [0.1, 0.5, 0.7, 0.8, 0.9], "bn=x1")
    leave(Path(PUBLISHED), [0.1, 0.5, 0.7, 0.8, 0.9], "bn=x1")
    assert report.main() == 0
    assert "`bnrepro report results_dir=results` shows them" in capsys.readouterr().err
