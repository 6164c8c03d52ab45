"""Widths, wrapped lines and the line at the foot, in real terminals and in pipes."""

import io
import subprocess
import sys
import time

import pytest
from terminal import terminal

from bnrepro.cli import line_of, main
from bnrepro.screen import beside, duration, fitted, percent, printed, width, wrapped
from bnrepro.screen import foot as foot_room
from bnrepro.screen.foot import Bar, Foot


def test_a_width_is_the_terminals_and_100_where_there_is_none(tmp_path):
    for columns in (80, 160):
        with terminal(columns) as (stream, _):
            assert width(stream) == columns
    with terminal(0) as (stream, _):
        assert width(stream) == 100
    with (tmp_path / "file").open("w") as stream:
        assert width(stream) == width(io.StringIO()) == 100


def test_no_word_and_no_number_with_its_unit_is_broken():
    text = "accuracy 97.21 % after /a/path/that/is-longer/than-a/line of 2,000 steps"
    lines = wrapped(text, 14, indent=2).splitlines()
    assert lines == [
        "accuracy",
        "  97.21 %",
        "  after",
        "  /a/path/that/is-longer/than-a/line",
        "  of",
        "  2,000 steps",
    ]


def test_a_line_is_wrapped_for_people_and_whole_for_programs():
    line = "bnrepro: " + "word " * 30 + "end"
    assert printed(line, io.StringIO()) == line
    with terminal(80) as (stream, _):
        lines = printed(line, stream).splitlines()
    assert len(lines) == 3 and max(map(len, lines)) <= 80
    assert " ".join(lines).split() == line.split()


def test_what_stands_beside_a_word_keeps_its_column():
    assert beside("  key", "one two three", 8, 16) == "  key   one two\n        three"
    assert beside("  longer_key", "one two", 8, 16) == "  longer_key\n        one two"
    assert beside("  key", "", 8, 16) == "  key"


def test_of_parts_the_first_ones_that_fit_are_shown():
    parts = ["step 1 of 2", "loss 0.5", "accuracy 50.00 %"]
    assert fitted(parts, 100) == "step 1 of 2  loss 0.5  accuracy 50.00 %"
    assert fitted(parts, 30) == "step 1 of 2  loss 0.5"
    assert fitted(parts, 5) == ""


def test_numbers_are_printed_as_people_read_them():
    assert percent(0.97214) == "97.21 %"
    assert [duration(seconds) for seconds in (0.4, 59.4, 200, 7500)] == [
        "0 s", "59 s", "3 min 20 s", "2 h 05 min",
    ]  # fmt: skip


def test_a_message_is_never_cut_inside_a_word():
    line = line_of(ValueError("experiment " * 300))
    assert len(line) <= 2_004 and line.endswith(" experiment ...")
    assert line_of(ValueError("x" * 5_000)).endswith("xxx ...")


@pytest.mark.parametrize("words", [["--help"], ["run", "--help"]])
@pytest.mark.parametrize("columns", [80, 160])
def test_help_is_as_wide_as_the_terminal(words, columns, capsys):
    with terminal(columns) as (stream, shown):
        process = subprocess.Popen([sys.executable, "-m", "bnrepro", *words], stdout=stream)
        text = ""
        while process.poll() is None:
            text += shown()
            time.sleep(0.01)
        text += shown()
    assert max(map(len, text.splitlines())) <= columns
    main(words)
    page = capsys.readouterr().out
    assert max(map(len, page.splitlines())) <= 100
    # The same words, whole, but that examples stand below what they show where it is narrow.
    assert sorted(text.split()) == sorted(page.split())


def test_in_a_terminal_what_is_done_is_shown_at_once_and_wiped_away():
    with terminal(80) as (stream, shown):
        foot = Foot(stream)
        with foot.doing("evaluating"):
            assert "evaluating" in shown()
            foot.reached(3, 50)
            time.sleep(0.6)
            assert "evaluating, 3 of 50 batches" in shown()
        after = shown()
        assert "\N{ESCAPE}[2K" in after
        stream.write("a line")
        stream.flush()
        time.sleep(0.6)
        assert shown() == "a line"
        assert "\N{ESCAPE}[?25l" not in after  # no killed process leaves a terminal without cursor


def test_elsewhere_only_what_takes_long_has_a_line(monkeypatch):
    monkeypatch.setattr(foot_room, "_SECONDS_BEFORE_A_LINE", 0.2)
    stream = io.StringIO()
    foot = Foot(stream)
    with foot.doing("reading the data"):
        pass
    foot.show(Bar(1, 2, ("step 1 of 2",)))
    with foot.doing("compiling"):
        time.sleep(0.5)
    assert stream.getvalue() == "compiling ...\n"


@pytest.mark.parametrize(("columns", "last"), [(80, "loss 0.2815"), (160, "4.6 steps/s")])
def test_a_bar_has_room_for_what_matters_most(columns, last):
    parts = ("step 1,250 of 20,000", "accuracy 97.21 %", "12 min 30 s left", "loss 0.2815")
    with terminal(columns) as (stream, shown):
        foot = Foot(stream)
        foot.show(Bar(1250, 20_000, (*parts, "4.6 steps/s")))
        line = shown()
        foot.show(None)
    assert last in line
    assert ("steps/s" in line) == (columns == 160)


def test_a_long_pass_stands_beside_the_bar(monkeypatch):
    monkeypatch.setattr(foot_room, "_SECONDS_BESIDE_A_BAR", 0.0)
    with terminal(80) as (stream, shown):
        foot = Foot(stream)
        foot.show(Bar(1, 2, ("step 1 of 2", "loss 0.5")))
        shown()
        with foot.doing("evaluating"):
            time.sleep(0.6)
            assert "step 1 of 2  evaluating  loss 0.5" in shown()
        foot.show(None)
