"""The pages: their length, their links, and that every command on them is one."""

import re
import shlex
import subprocess

import pages
import pytest
from pages import DOCS, GUIDES, PAGES, README, ROOT

from bnrepro import cli, load_runs
from bnrepro.config import CHOICES, GROUPS
from bnrepro.config.overrides import CONFIG_DIRECTORY_VARIABLE, choices_of


def shown(page):
    return str(page.relative_to(ROOT))


def test_the_readme_is_short():
    assert len(README.read_text().split()) <= 1_000


def test_the_index_lists_every_page_of_its_folder():
    index = ROOT / "docs" / "README.md"
    assert {page.name for page in DOCS} - {"README.md"} <= set(pages.links(index))


@pytest.mark.parametrize("page", PAGES, ids=shown)
def test_every_link_leads_somewhere(page):
    for link in pages.links(page):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in pages.anchors(target), link


# The folders of the repository, and what `make` leaves of them in a sentence.
PATH = re.compile(r"`((?:bnrepro|conf|docs|results/published|scripts|tests)/[\w./*-]*)`")


@pytest.mark.parametrize("page", [*GUIDES, ROOT / "ARCHITECTURE.md"], ids=shown)
def test_every_path_named_in_a_sentence_is_there(page):
    for path in PATH.findall(page.read_text()):
        if path != "bnrepro/conf":  # of the wheel
            assert list(ROOT.glob(path.rstrip("/"))), path


def commands():
    """Every call of bnrepro on the pages, with what it starts by and its words."""
    found = {}
    for page in GUIDES:
        lines = [line for block in pages.blocks(page) for line in pages.command_lines(block)]
        found |= dict.fromkeys([*lines, *pages.inline_commands(page)], shown(page))
    return sorted(found.items())


def planned(words):
    """The same words with nothing to start: data and GPU need not be there."""
    if words[0] == "run":
        return [*words, "--cfg", "job"] if "--cfg" not in words else words
    if words[0] in ("sweep", "plan"):  # a plan looks whether the data is there
        return ["sweep", *words[1:], "--status"]
    return words


@pytest.mark.parametrize(("line", "page"), commands())
def test_every_command_shown_is_understood(line, page, tmp_path, monkeypatch):
    # A page makes the folder `mine` before it uses it.
    for name, text in heredocs():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    # `--config-dir` sets it for the whole process.
    monkeypatch.setenv(CONFIG_DIRECTORY_VARIABLE, "")
    monkeypatch.delenv(CONFIG_DIRECTORY_VARIABLE)
    words = shlex.split(line)
    words = words[words.index("bnrepro") + 1 :]
    if words[0] == "tensorboard":
        pytest.skip("it wants runs that the pages make first")
    assert callable(cli.parse(planned(words)))


def heredocs():
    """(file, text) of every file that a page writes."""
    texts = (block.text for page in GUIDES for block in pages.blocks(page))
    return [
        found
        for text in texts
        for found in re.findall(r"> (\S+) <<'END'\n(.*?)^END$", text, re.M | re.S)
    ]


def test_the_table_of_choices_names_them_all():
    page = (ROOT / "docs" / "using.md").read_text()
    rows = dict(re.findall(r"^\| `(\w+)`.*?\| (.*) \|$", page, re.MULTILINE))
    groups = {name: set(choices_of(name)) for name in GROUPS if name != "experiment"}
    keys = ("normalization", "placement", "activation", "precision", "backend")
    for name, expected in (groups | {key: set(CHOICES[key]) for key in keys}).items():
        missing = {choice for choice in expected if choice and f"`{choice}`" not in rows[name]}
        assert (name, missing) == (name, set())


def test_every_target_of_make_that_is_shown_is_one():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in GUIDES:
        named = re.findall(
            r"(?:^|`)make (?:[A-Z_]+=\S+ )*([a-z-]+)", page.read_text(), re.MULTILINE
        )
        assert set(named) <= targets, shown(page)


def test_make_run_ends_by_saying_how_to_have_the_command():
    command = ["make", "--no-print-directory", "-n", "run"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    steps = done.stdout.splitlines()
    activate = "source .venv/bin/activate"
    assert activate in steps[-1] and activate in README.read_text()


def test_the_page_on_gpus_counts_the_records_made_on_one():
    runs = load_runs(ROOT / "results" / "published")
    (numbers,) = re.findall(r"(\d+) of the (\d+) \[published\]", (ROOT / "docs/gpu.md").read_text())
    on_a_gpu = runs["environment.device"].str.startswith("NVIDIA")
    assert numbers == (str(on_a_gpu.sum()), str(len(runs)))
