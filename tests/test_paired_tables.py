"""`bnrepro table A B --paired`: exact differences from hand-made runs, and its forms."""

import csv
import io
import itertools
import re
import shutil
import subprocess

import numpy as np
import pytest
from hand_made_records import HandMade, write_run
from hypothesis import given
from hypothesis import strategies as st

from bnrepro import cli
from bnrepro.config import ConfigError
from bnrepro.config.composition import compose
from bnrepro.records.loading import read_curves, read_runs
from bnrepro.statistics import holm, paired_effect_size
from bnrepro.tables import paired_rendered, rendered, tabulate, tabulate_paired
from bnrepro.tables.latex import escaped

NONE, X1, X5 = (f"mlp-digits-{bn}-steps400-evaluate100" for bn in ("none", "x1", "x5"))


def leave(results, accuracies, *words, **facts):
    composition = compose(["train_steps=400", "evaluate_every=100", *words])
    made = HandMade(lambda step: accuracies[step // 100], **facts)
    return write_run(results, composition, made)


@pytest.fixture
def three(tmp_path):
    """Best minus best by seed: x1 0.1, 0.2, 0.4; x5 -0.1, 0.1, 0.3. The last accuracy is lower."""
    for seed, (none, x1, x5) in enumerate([(0.5, 0.6, 0.4), (0.5, 0.7, 0.6), (0.5, 0.9, 0.8)]):
        leave(tmp_path, [0.1, 0.2, 0.3, none, none - 0.05], "bn=none", f"seed={seed}")
        leave(tmp_path, [0.1, 0.3, x1, x1, x1 - 0.1], "bn=x1", f"seed={seed}")
        leave(tmp_path, [0.1, 0.3, x5, x5, x5 - 0.05], "bn=x5", f"seed={seed}")
    return tmp_path


def paired(results, *patterns, **options):
    runs, curves = read_runs(results), read_curves(results)
    return tabulate_paired(runs, curves, patterns=patterns, **options)


def by_key(table):
    return {(row.experiment, row.measure): row for row in table.rows}


def test_differences_are_those_on_the_same_seed(three):
    (table,) = paired(three, "*none*")
    rows = by_key(table)
    assert table.reference == NONE and set(rows) == {
        (name, measure) for name in (X1, X5) for measure in ("best accuracy", "final accuracy")
    }
    row = rows[X1, "best accuracy"]
    assert row.n == 3 and row.difference == pytest.approx(0.2)
    # Of three values the order statistics are the lowest and the highest: 1 - 2 / 2**3.
    assert (row.interval.low, row.interval.high) == pytest.approx((0.1, 0.4))
    assert row.interval.coverage == 0.75
    gaps = [0.1, 0.2, 0.4]
    spread = (sum((gap - sum(gaps) / 3) ** 2 for gap in gaps) / 2) ** 0.5
    assert row.effect_size == pytest.approx(sum(gaps) / 3 / spread)
    assert rows[X1, "final accuracy"].difference == pytest.approx(0.15)
    assert rows[X5, "best accuracy"].difference == pytest.approx(0.1)


def test_p_is_of_all_signs_and_corrected_for_all_tests(three):
    (table,) = paired(three, "*none*")
    rows = by_key(table)
    # All of one sign: 2 of 8 assignments are as far. Of -0.1, 0.1, 0.3 only two with 0.1 are not.
    expected = {}
    for name, gaps in ((X1, [0.1, 0.2, 0.4]), (X5, [-0.1, 0.1, 0.3])):
        sums = [
            abs(sum(sign * gap for sign, gap in zip(signs, gaps, strict=True)))
            for signs in itertools.product((-1, 1), repeat=3)
        ]
        expected[name] = sum(one >= abs(sum(gaps)) - 1e-12 for one in sums) / 8
    assert rows[X1, "best accuracy"].p_value == expected[X1] == 0.25
    assert rows[X5, "best accuracy"].p_value == expected[X5] == 0.75
    # Four tests: 0.25 twice of x1, 0.75 twice of x5.
    assert [row.p_value_holm for row in table.rows] == [1.0, 1.0, 1.0, 1.0]


def test_the_first_one_named_is_what_others_are_compared_with(three):
    (table,) = paired(three, X1, "*")
    assert table.reference == X1
    assert by_key(table)[NONE, "best accuracy"].difference == pytest.approx(-0.2)
    (named,) = paired(three, X1, "*", reference=X5)
    assert named.reference == X5
    with pytest.raises(ConfigError, match="reference bn_x6: no completed run"):
        paired(three, "*", reference="bn_x6")


def test_what_differs_in_the_config_is_said_with_both_values(three):
    leave(three, [0.1, 0.3, 0.5, 0.6, 0.6], "bn=x1", "optimizer=adam", "learning_rate=0.01")
    (table,) = paired(three, X1)
    (adam,) = [words for name, words in table.differs.items() if "adam" in name]
    rate = compose(["bn=x1"]).config.learning_rate
    assert adam == f"learning_rate 0.01 ({rate}), optimizer.name adam (sgd)"
    assert table.differs[NONE] == "placement none (before), normalization null (batch)"


def test_steps_are_compared_where_all_reach_the_target(three):
    (table,) = paired(three, "*none*", target=0.5)
    rows = by_key(table)
    # x1 is at 0.5 at 200, without normalization at 300.
    assert rows[X1, "steps to 50.00 %"].difference == -100
    assert (X5, "steps to 50.00 %") not in rows
    assert any(f"no difference of steps for {X5}" in note for note in table.notes)


def test_a_diverged_run_counts_as_chance(three):
    leave(three, [0.1, 0.9], "bn=x1", "seed=3", status="diverged", diverged_at_step=150)
    leave(three, [0.1, 0.2, 0.3, 0.5, 0.5], "bn=none", "seed=3")
    row = by_key(paired(three, "*none*")[0])[X1, "best accuracy"]
    assert row.n == 4 and row.interval.low == pytest.approx(0.1 - 0.5)


def test_what_shares_no_seed_is_left_out_or_refused(three):
    lone = leave(three, [0.1, 0.3, 0.5, 0.6, 0.6], "bn=x30", "seed=7").parent.name
    (table,) = paired(three, "*none*")
    assert any(f"left out: {lone}" in note for note in table.notes)
    with pytest.raises(ConfigError, match="share a seed"):
        runs = read_runs(three)
        chosen = runs[runs["name"].isin([lone, X1])]
        tabulate_paired(chosen, read_curves(three))


def test_every_data_set_has_its_own_table(three):
    for bn in ("none", "x1"):
        leave(three, [0.1, 0.3, 0.5, 0.6, 0.6], f"bn={bn}", "data=mnist")
    assert [table.data for table in paired(three)] == ["digits", "mnist"]


def test_above_twenty_seeds_there_is_no_p(tmp_path):
    for seed in range(21):
        leave(tmp_path, [0.1, 0.2, 0.3, 0.4, 0.5], "bn=none", f"seed={seed}")
        leave(tmp_path, [0.1, 0.2, 0.3, 0.4, 0.6 + seed / 100], "bn=x1", f"seed={seed}")
    (table,) = paired(tmp_path)
    assert {row.p_value for row in table.rows} == {row.p_value_holm for row in table.rows} == {None}
    assert "no p above 20 seeds" in paired_rendered([table], "text")


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_holm_is_its_definition(p_values):
    corrected = holm(p_values)
    ranks = sorted(range(len(p_values)), key=lambda place: p_values[place])
    for position, place in enumerate(ranks):
        steps = [(len(p_values) - k) * p_values[ranks[k]] for k in range(position + 1)]
        assert corrected[place] == pytest.approx(min(1, max(steps)))


def test_an_effect_without_spread_has_no_size():
    assert paired_effect_size([0.1, 0.1 + 1e-18, 0.1]) is None
    assert paired_effect_size([0.3]) is None
    assert paired_effect_size([1.0, -1.0]) == 0
    assert paired_effect_size([2.0, 4.0]) == pytest.approx(3 / np.sqrt(2))


def test_the_text_has_a_block_an_experiment_within_eighty_columns(three):
    text = paired_rendered(paired(three, "*none*"), "text", 80)
    assert max(map(len, text.splitlines())) <= 80
    flat = " ".join(text.split())
    assert f"each minus {NONE}, on the same seed" in flat
    assert f"{X1}: differs in placement before (none), normalization batch (null)" in flat
    assert "best accuracy 3 +20.00 points (+10.00 to +40.00) +1.53 0.25 1" in flat
    assert "which cannot be below 0.25 at n = 3; p (Holm): corrected for the 4 tests" in flat


def test_the_csv_has_fractions(three):
    rows = list(csv.DictReader(io.StringIO(paired_rendered(paired(three, "*none*"), "csv"))))
    assert rows[0] | {"effect_size": ""} == {
        "experiment": X1, "reference": NONE, "measure": "best accuracy", "n": "3",
        "difference": "0.2", "difference_low": "0.1", "difference_high": "0.4",
        "coverage_percent": "75", "effect_size": "", "p_value": "0.25", "p_value_holm": "1",
        "data": "digits",
    }  # fmt: skip


def test_markdown_and_latex_have_the_cells_of_the_text(three):
    made = paired(three, "*none*")
    markdown, latex = (paired_rendered(made, form) for form in ("markdown", "latex"))
    assert f"| {X1} | best accuracy | 3 | +20.00 points (+10.00 to +40.00) | +1.53 |" in markdown
    assert f"{X1} & best accuracy & 3 & +20.00 points (+10.00 to +40.00) & +1.53 &" in latex
    whole = rendered(tabulate(read_runs(three), read_curves(three)), "latex")
    assert whole.count("\\begin{tabular}{l") == whole.count("\\end{tabular}") == 1
    read = [line for line in whole.splitlines() if not line.startswith("%")]
    assert any(r"60.00~\%" in line for line in read)
    assert not any(re.search(r"(?<!\\)[%&#_$](?! )", line.replace("$<$", "")) for line in read)


def test_no_letter_is_a_command_to_latex():
    assert escaped("a_b & 5 % #{x} ~^\\ $ < >") == (
        r"a\_b \& 5~\% \#\{x\} \textasciitilde{}\textasciicircum{}\textbackslash{} \$ $<$ $>$"
    )


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no pdflatex here")
def test_latex_takes_it(three, tmp_path):
    table = rendered(tabulate(read_runs(three), read_curves(three)), "latex")
    source = "\\documentclass{article}\\usepackage{booktabs}\\begin{document}\n%s\\end{document}"
    (tmp_path / "t.tex").write_text(source % table)
    command = ["pdflatex", "-halt-on-error", "t.tex"]
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode == 0


def test_the_command_prints_it(three, capsys):
    words = ["table", NONE, X1, "--paired", "--target", "0.5", f"results_dir={three}"]
    assert cli.main(words) == 0
    assert f"{X1}: differs in placement before (none)" in " ".join(capsys.readouterr().out.split())
    assert cli.main([*words, "--format", "latex"]) == 0
    assert "\\toprule" in capsys.readouterr().out
