"""Spellings of numbers that people and programs read as different numbers, refused wherever they
stand: in words of a command line, in files of `--config-dir`, after a flag.

`0100` is a hundred to a person and 64 to YAML, `1:40` is a hundred in its base 60.
"""

import re

from bnrepro.config.messages import ConfigError, shown

_DIGITS = r"[0-9][0-9_]*"
_BASE = re.compile(r"[+-]?0[xXoObB][0-9a-fA-F_]+")
_BASE_60 = re.compile(rf"[+-]?{_DIGITS}(:[0-9_]+)+(\.[0-9_]*)?")
_DECIMAL = re.compile(
    rf"(?P<sign>[+-]?)(?P<whole>{_DIGITS})?(?P<rest>\.[0-9_]*)?(?P<exponent>[eE][+-]?[0-9]+)?"
)


def refuse_misread(name: str, text: str) -> None:
    """Refuse what is, or looks like, a number and could be taken for another one.

    Raises:
        ConfigError: naming `name`, the text and, where there is one, the plain spelling.
    """
    problem = _problem(text)
    if problem:
        raise ConfigError(f"{name}{shown(text)}: expected {problem}")


def _problem(text: str) -> str | None:
    if _BASE.fullmatch(text):
        return "a number in decimal digits"
    if _BASE_60.fullmatch(text):
        return "a number without colons (YAML reads it in base 60)"
    parts = _DECIMAL.fullmatch(text)
    if parts is None or not (parts["whole"] or (parts["rest"] or "").strip("._")):
        return None
    if "_" in text:
        return f"digits alone; write {text.replace('_', '')}"
    whole = parts["whole"] or "0"
    if len(whole) > 1 and whole.startswith("0"):
        plain = (whole.lstrip("0") or "0") + (parts["rest"] or "") + (parts["exponent"] or "")
        return f"no leading zero; write {parts['sign']}{plain}"
    return _out_of_range(float(text), parts["whole"], parts["rest"])


def _out_of_range(value: float, *digits: str | None) -> str | None:
    if abs(value) == float("inf"):
        return "a finite number: a floating-point number goes up to 1.8e308"
    if value == 0 and any(letter in "123456789" for part in digits for letter in part or ""):
        return "0, or a number that floating point does not round to 0"
    return None
