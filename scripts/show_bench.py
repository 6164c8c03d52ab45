"""Put the table of a measurement of `bnrepro bench` onto the page of results.

    python scripts/show_bench.py results/published/bench/amd-epyc-2026-11-21.md

The section "How fast" of `results/published/README.md` then has the file's rows, and its link leads
to the file. The sentences around the table are left as they are.
"""

import argparse
import re
from pathlib import Path

PAGE = Path(__file__).parents[1] / "results" / "published" / "README.md"
HEADING = "\n## How fast\n"
TABLE = re.compile(r"(?:^\|.*\n)+", re.MULTILINE)
LINK = re.compile(r"\[everything it measured\]\(\S+?\)")


def shown(page: str, measured: str, link: str) -> str:
    """The page with the first table of `measured` in its section, and the link to it."""
    before, heading, after = page.partition(HEADING)
    section, rest = re.split(r"(?=^## )", after, maxsplit=1, flags=re.MULTILINE)
    table = TABLE.search(measured)
    if table is None or not heading or not TABLE.search(section):
        raise SystemExit("expected a table in the file, and one on the page below its heading")
    section = TABLE.sub(lambda _: table[0], section, count=1)
    section = LINK.sub(lambda _: f"[everything it measured]({link})", section)
    return before + heading + section + rest


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("file", type=Path)
    file = parser.parse_args().file
    link = f"bench/{file.name}"
    PAGE.write_text(shown(PAGE.read_text(), file.read_text(), link))


if __name__ == "__main__":
    main()
