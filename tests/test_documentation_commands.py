"""Every command and program on the pages, run in a fresh copy, in the order of the pages.

What would take hours is only planned, and what needs the network, a GPU or data that is not here is
left out: `instead` has the rules.
"""

import os
import re
import socket
import subprocess
import sysconfig
import venv
from importlib.util import find_spec

import pages
import pytest
from pages import ROOT
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

pytestmark = pytest.mark.slow

SHELL, PYTHON = ("", "sh"), "python"
BLOCKS = [block for page in pages.GUIDES for block in pages.blocks(page)]
HOURS = r"make (test|check|test-slow|mutants|lock|reproduce|sweep)\b"
NETWORK = r"git clone |cd bnrepro$|bnrepro data download |.* pip install "


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """A copy of what is committed, with an environment that `make` takes for made."""
    folder = tmp_path_factory.mktemp("fresh") / "bnrepro"
    files = pages.committed_files()
    if not files:
        pytest.skip("not a git clone")
    for name in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes((ROOT / name).read_bytes())
    environment = folder / ".venv"
    venv.create(environment, with_pip=False)
    (packages,) = environment.glob("lib/python*/site-packages")
    # What it depends on is taken from this environment; bnrepro itself from the copy alone.
    (packages / "here.pth").write_text(f"{folder}\n{sysconfig.get_paths()['purelib']}\n")
    script = environment / "bin" / "bnrepro"
    script.write_text('#!/bin/sh\nexec "$(dirname "$0")/python" -m bnrepro "$@"\n')
    script.chmod(0o755)
    for lock in ("requirements.lock", "requirements-cuda.lock"):
        (environment / f"made-from-{lock}").touch()
    (environment / "ready").touch()
    return folder


def instead(line):
    """What is run for a line of a shell."""
    command = pages.without_comment(line)
    words = re.sub(r"^(\w+=\S* )*bnrepro ", "", command).split()
    if re.match(NETWORK, command):
        return "true"
    if re.match(HOURS, command):
        return command.replace("make ", "make -n ", 1)
    if command == "bnrepro tensorboard":
        return "true"  # has a test of its own below
    if "--launcher slurm" in command:
        return f"{command} --dry-run"  # tests of its own start a cluster
    if command == "bnrepro data verify" and "BNREPRO_DATA" not in os.environ:
        return "true"
    absent = "jax" in command and find_spec("jax") is None
    long = any(word.startswith(("study=", "scale=", "data=")) for word in words)
    long = long and "--config-dir" not in words  # a study of one's own is short
    if words[:1] == ["evaluate"] and long:
        return "true"  # of a run that is only planned here
    if words[:1] == ["sweep"] and (long or absent):
        return f"{command} --status"
    if words[:1] == ["plan"] and (long or absent):
        return f"{command.replace(' plan ', ' sweep ', 1)} --status"
    if words[:1] == ["run"] and (long or absent):
        return f"{command} --cfg job"
    return command


def run_instead(program):
    """The lines that are run for a shell's program; a file that it writes is left as it is."""
    ending = None
    for line in program.splitlines():
        yield line if ending else instead(line)
        if ending is None and (here := re.search(r"<<'(\w+)'$", line)):
            ending = here[1]
        elif line == ending:
            ending = None


def environment():
    """That of this process, without what would bring in another bnrepro."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


def run(program, clone, language):
    """Run a block as its reader would, in a shell that has the environment."""
    if language == PYTHON:
        command = [str(clone / ".venv" / "bin" / "python"), "-c", program]
    else:
        script = "\n".join(["set -e", "source .venv/bin/activate", *run_instead(program)])
        command = ["bash", "-c", script]
    done = subprocess.run(
        command, cwd=clone, env=environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, (program, done.stderr[-3000:])
    return done.stdout


@pytest.mark.parametrize(
    "block",
    [block for block in BLOCKS if block.language in (*SHELL, PYTHON)],
    ids=lambda block: block.label,
)
def test_a_block_does_what_it_says(block, clone):
    printed = run(block.text, clone, block.language)
    commands = pages.command_lines(block)
    if commands and commands[-1].startswith("bnrepro table") and "markdown" in commands[-1]:
        assert_alike(shown_below(block), printed)


def shown_below(block):
    """The part of a command's output that a page shows below it, to the end of its table."""
    below = block.page.read_text().split(f"```{block.language}\n{block.text}```\n\n")[1]
    return re.match(r".*?^\|.*?(?=\n\n)", below, re.MULTILINE | re.DOTALL)[0]


NUMBER = re.compile(r"(?:[<>] )?(\d[\d,]*(?:\.\d+)?)\+?( %)?")
INTERVAL = re.compile(r" \((?:up to )?[\d,.]+(?:\+|-[\d,.]+)?\)")
# Of processors and their threads; how long something takes is not shown.
MACHINE = re.compile(r"· [^·\n]*, \d+ threads?$", re.MULTILINE)


def assert_alike(shown, printed):
    """Hold a page to what was printed here: another processor gives slightly other numbers.

    The words are the same, but for the machine's name. Percentages differ by 2 points at most,
    steps and factors by a factor of 2; intervals over seeds are not compared.
    """
    begin = "\n".join(printed.splitlines()[: len(shown.splitlines())])
    expected, received = (INTERVAL.sub("", MACHINE.sub("", text)) for text in (shown, begin))
    assert NUMBER.sub("#", expected) == NUMBER.sub("#", received)
    for one, other in zip(NUMBER.findall(expected), NUMBER.findall(received), strict=True):
        a, b = (float(number.replace(",", "")) for number, _ in (one, other))
        assert abs(a - b) <= 2 if one[1] else a <= 2 * b and b <= 2 * a, (one, other)


def test_the_readme_says_what_tensorboard_shows(clone):
    ratios, spreads = ({bn: of_lesson(clone, bn)[part] for bn in ("none", "x1")} for part in (0, 1))
    assert 250 < ratios["none"] < 1_000 and 1 < ratios["x1"] < 2.2
    assert all(high - low < 0.5 and low > -4 and high < -2 for low, high in spreads["none"])
    assert all(low < -1 and high > 1 for low, high in spreads["x1"])


def of_lesson(clone, bn):
    """Of the README's first run: the last layer's gradient over the first's at step 0, and the 15th
    and 85th percentiles of the last sigmoids' inputs at steps 300 to 800."""
    name = f"mlp-digits-{bn}-rate1-steps5000-evaluate50"
    (file,) = (clone / "results" / "runs" / name / "seed_0" / "tensorboard").iterdir()
    points = {}
    for event in EventFileLoader(str(file)).Load():
        for value in event.summary.value:
            if value.tensor.float_val:
                points[value.tag, event.step] = value.tensor.float_val[0]
    first, last = (
        next(size for (tag, step), size in points.items() if step == 0 and re.search(layer, tag))
        for layer in ("gradient.*hidden_1/kernel", "gradient.*logits/kernel")
    )
    tags = [f"pre_activation_percentile/hidden_3/{percent}" for percent in ("p15", "p85")]
    return last / first, [[points[tag, step] for tag in tags] for step in (300, 500, 800)]


def test_tensorboard_prints_an_address(clone):
    script = str(clone / ".venv" / "bin" / "bnrepro")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    process = subprocess.Popen(
        [script, "tensorboard", "--port", port],
        cwd=clone,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert any("http://" in line for line in process.stdout)
    finally:
        process.terminate()
        process.communicate()
