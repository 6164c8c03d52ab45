"""A table of texts as Markdown."""

from collections.abc import Iterable, Sequence


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """The lines of the table, without a line's end behind the last."""
    lines = [header, ["---"] * len(header), *rows]
    # A bar would end the cell.
    escaped = [[cell.replace("|", r"\|") for cell in line] for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in escaped)
