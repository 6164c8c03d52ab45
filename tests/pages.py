"""The pages that people read, and what stands on them: links, commands, programs."""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
RESULTS = ROOT / "results" / "published" / "README.md"
DOCS = sorted((ROOT / "docs").glob("*.md"))
NOTES = sorted((ROOT / "results" / "published").glob("*/*.md"))
GUIDES = [README, *DOCS, RESULTS]
PAGES = [*GUIDES, *NOTES, ROOT / "ARCHITECTURE.md", ROOT / "CHANGELOG.md"]


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text, and where it stands."""

    page: Path
    number: int
    language: str
    text: str

    @property
    def label(self) -> str:
        """For the names of tests."""
        return f"{self.page.relative_to(ROOT)}:{self.number}:{self.language}"


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page, in order."""
    found = re.findall(r"^```(\w*)\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)
    return [Block(page, number, *block) for number, block in enumerate(found, 1)]


def command_lines(block: Block) -> list[str]:
    """Each line that calls bnrepro in a block of a shell, without its comment."""
    lines = block.text.splitlines() if block.language in ("", "sh") else []
    return [
        line for line in map(without_comment, lines) if re.match(r"([A-Z_]+=\S* )*bnrepro ", line)
    ]


def inline_commands(page: Path) -> list[str]:
    """Each `bnrepro ...` within a sentence or a table."""
    prose = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    return re.findall(r"`(bnrepro [^`\n]+)`", prose)


def without_comment(line: str) -> str:
    return re.sub(r"\s+# .*", "", line).strip()


def links(page: Path) -> list[str]:
    """The targets of a page's links and pictures, but for addresses of other sites."""
    targets = re.findall(
        r"\]\(([^)\s]+)\)", re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.M | re.S)
    )
    return [target for target in targets if not re.match("https?:", target)]


def anchors(page: Path) -> set[str]:
    """What a link may name after `#`: the headings, in lower case, with - between words."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def committed_files() -> list[str]:
    """What a clone holds once everything here that git does not ignore is committed."""
    listing = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    done = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=False)
    return [name for name in done.stdout.split("\0") if name and (ROOT / name).is_file()]
