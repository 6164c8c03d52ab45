"""A number that a person would misread is refused by name, in words, files and after flags."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bnrepro import cli
from bnrepro.config import ConfigError
from bnrepro.config.numerals import refuse_misread

# What it is to Python, to YAML 1.1 or to a person is not the same.
MISREAD = ["0100", "-007", "00.5", "1:40", "1:40:30.5", "0x10", "0b11", "0o17", "1_000", "1_0.5",
           "1e400", "-1e400", "1e-400", "9" * 400]  # fmt: skip
PLAIN = ["0", "-1", "+5", "0.5", ".5", "5.", "1e4", "1e-3", "0e0", "0.0", "100"]


@pytest.fixture
def refusal(tmp_path, capsys):
    """The line that refuses a value of `train_steps` or `learning_rate` in a file."""

    def refuse(key, text):
        (tmp_path / "experiment").mkdir(exist_ok=True)
        path = tmp_path / "experiment" / "mine.yaml"
        path.write_text(f"# @package _global_\nseed: 1\n{key}: {text}\n")
        words = ["--config-dir", str(tmp_path), "experiment=mine", "--cfg", "job"]
        assert cli.main(["run", *words]) == 2
        error = capsys.readouterr().err
        assert str(path) in error
        return error

    return refuse


@pytest.mark.parametrize("key", ["train_steps", "learning_rate"])
@pytest.mark.parametrize("text", MISREAD)
def test_numbers_in_files_that_are_not_what_they_look_like(
    text, key, refusal, monkeypatch, tmp_path
):
    monkeypatch.setenv("BNREPRO_CONFIG_DIR", str(tmp_path))
    assert text[:20] in refusal(key, text)


@pytest.mark.parametrize("key", ["train_steps", "learning_rate", "batch_size"])
@pytest.mark.parametrize("text", MISREAD)
def test_numbers_in_words_that_are_not_what_they_look_like(text, key, capsys):
    assert cli.main(["run", f"{key}={text}", "--cfg", "job"]) == 2
    assert key in capsys.readouterr().err


@pytest.mark.parametrize("words", [["table", "--target=00.5"], ["sweep", "--workers=010"]])
def test_numbers_after_flags_that_are_not_what_they_look_like(words, capsys):
    assert cli.main(words) == 2
    assert "no leading zero" in capsys.readouterr().err


@pytest.mark.parametrize("text", [*PLAIN, "", "e5", ".e5", "a_1", "0x", "12:", "2001-02-03", "1-2"])
def test_what_cannot_be_misread_is_not_refused(text):
    refuse_misread("key=", text)


@settings(max_examples=50)
@given(st.from_regex(r"[+-]?[0-9_:.eExob]{1,12}", fullmatch=True))
def test_any_spelling_is_one_number_or_refused(text):
    try:
        refuse_misread("key=", text)
    except ConfigError:
        return
    for read in (int, lambda digits: int(digits, 0), float):
        try:
            value = read(text)
        except ValueError:
            continue
        assert value == float(text)
