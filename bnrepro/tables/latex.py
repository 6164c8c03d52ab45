"""A table of texts as LaTeX."""

from collections.abc import Iterable, Sequence

_ESCAPED = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"$<$",
    ">": r"$>$",
    "\N{EN DASH}": "--",
    **{letter: rf"\{letter}" for letter in "&%$#_{}"},
}


def latex_table(
    header: Sequence[str], rows: Iterable[Sequence[str]], remarks: Iterable[str] = ()
) -> str:
    """A `tabular` with the rules of the package booktabs, to be put into a `table`.

    The remarks stand above it as comments. Numbers are aligned on the right, the first column on
    the left.
    """
    comments = [f"% {remark}" for remark in ("needs \\usepackage{booktabs}", *remarks)]
    return "\n".join(
        [
            *comments,
            f"\\begin{{tabular}}{{l{'r' * (len(header) - 1)}}}",
            r"\toprule",
            _line(header),
            r"\midrule",
            *map(_line, rows),
            r"\bottomrule",
            r"\end{tabular}",
        ]
    )


def _line(cells: Iterable[str]) -> str:
    return " & ".join(map(escaped, cells)) + r" \\"


def escaped(text: str) -> str:
    """A text in which no letter is a command to LaTeX; a number stays with its percent sign."""
    return "".join(_ESCAPED.get(letter, letter) for letter in text).replace(r" \%", r"~\%")
