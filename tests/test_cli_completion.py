"""Tab completion: what may follow a line, and the three shells."""

import os
import pty
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from runs import START_SECONDS

from bnrepro.cli.commands import COMMANDS
from bnrepro.cli.completion import complete, script

BNREPRO = Path(sys.executable).parent / "bnrepro"


def words(line):
    return complete(line, COMMANDS)


def needs(shell):
    found = shutil.which(shell) and BNREPRO.exists()
    return pytest.mark.skipif(not found, reason=f"{shell} or the command bnrepro is absent")


def test_commands():
    assert words("bnrepro ") == [*COMMANDS, "help", "--help", "--version"]
    assert words("bnrepro help ta") == ["table"]
    assert words("bnrepro s") == ["sweep", "surface"]
    assert words("bnrepro sweep") == ["sweep"]


def test_flags_of_a_command():
    assert "--dry-run" in words("bnrepro sweep --")
    assert words("bnrepro sweep --st") == ["--status"]
    assert words("bnrepro table --format ") == ["text", "csv", "markdown", "latex"]
    assert words("bnrepro run --cfg j") == ["job"]
    assert words("bnrepro run --st") == []


def test_groups_and_keys():
    found = words("bnrepro run ")
    assert {"model=", "bn=", "experiment=", "learning_rate=", "optimizer."} <= set(found)
    assert words("bnrepro run learning_rate") == ["learning_rate=", "learning_rate_multiplier="]
    assert words("bnrepro run optimizer.") == [
        f"optimizer.{key}=" for key in ("momentum", "rho", "beta_1", "beta_2", "epsilon")
    ]


def test_choices_and_values():
    assert words("bnrepro run model=") == [
        f"model={name}"
        for name in ("application", "cnn", "inception", "lstm", "mlp", "resnet", "vgg_a")
    ]
    assert words("bnrepro run bn=x1 model=in") == ["model=inception"]
    assert words("bnrepro run tensorboard=") == ["tensorboard=true", "tensorboard=false"]
    assert words("bnrepro run placement=b") == ["placement=before"]
    assert words("bnrepro run learning_rate=") == []


def test_the_values_of_a_grid():
    assert words("bnrepro sweep bn=none,x3") == ["bn=none,x30"]


def test_studies():
    assert "study=" in words("bnrepro sweep ")
    assert "study=figure_1" in words("bnrepro table study=figure_")
    assert "study=" not in words("bnrepro run ")


def test_folders(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "results/runs").mkdir(parents=True)
    assert words("bnrepro run results_dir=res") == ["results_dir=results/"]
    assert words("bnrepro table results_dir=results/") == ["results_dir=results/runs/"]
    assert words("bnrepro run --config-dir res") == ["results/"]


def test_plain_words():
    assert words("bnrepro data d") == ["download", "data.root="]
    assert words("bnrepro completion z") == ["zsh"]


@pytest.mark.parametrize(
    "line", ["", "b", "bnrepro", "bnrepro bogus x", "bnrepro run 'a", "x y z "]
)
def test_what_cannot_be_completed(line):
    assert isinstance(words(line), list)


def in_bash(line):
    """COMPREPLY after the line, with the words as bash itself splits them."""
    pieces = line.replace("=", " = ").split() + ([""] if line[-1] in " =" else [])
    quoted = " ".join(f"'{piece}'" for piece in pieces)
    text = f"""
        {script("bash")}
        COMP_LINE='{line}' COMP_POINT={len(line)} COMP_WORDS=({quoted}) COMP_CWORD={len(pieces) - 1}
        COMP_WORDBREAKS=$' \\t\\n"\\'><=;|&(:'
        compopt() {{ :; }}
        _bnrepro
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    path = f"{BNREPRO.parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", text], capture_output=True, text=True, env={**os.environ, "PATH": path}
    )
    assert done.stderr == ""
    return done.stdout.split()


@needs("bash")
def test_bash():
    assert in_bash("bnrepro sw") == ["sweep"]
    assert in_bash("bnrepro run model=c") == ["cnn"]
    assert in_bash("bnrepro run bn=x5 model=inc") == ["inception"]
    assert in_bash("bnrepro run learning_rate_") == ["learning_rate_multiplier="]


def typed(command, prompt, keys, expected, tmp_path):
    """Type keys into an interactive shell until its screen shows what is expected."""
    environment = {
        **os.environ,
        "PATH": f"{BNREPRO.parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "TERM": "dumb",
        "PS1": prompt,
    }
    terminal, inner = pty.openpty()
    shell = subprocess.Popen(
        command, stdin=inner, stdout=inner, stderr=inner, env=environment, start_new_session=True
    )
    os.close(inner)
    screen, deadline = "", time.monotonic() + START_SECONDS

    def read_until(text):
        nonlocal screen
        while text not in screen and time.monotonic() < deadline:
            if select.select([terminal], [], [], 0.1)[0]:
                screen += os.read(terminal, 4096).decode(errors="replace")

    try:
        read_until(prompt)
        screen = ""
        os.write(terminal, keys.encode())
        read_until(expected)
    finally:
        shell.kill()
        shell.wait()
        os.close(terminal)
    return screen


@pytest.mark.slow
@needs("bash")
def test_bash_with_a_real_tab(tmp_path):
    (tmp_path / "rc").write_text('eval "$(bnrepro completion bash)"\nPS1="ready>"\n')
    command = ["bash", "--rcfile", str(tmp_path / "rc"), "-i"]
    screen = typed(command, "ready>", "bnrepro run model=inc\t", "model=inception", tmp_path)
    assert "model=inception" in screen


@needs("zsh")
def test_zsh():
    text = f"""
        compdef() {{ :; }}
        compadd() {{ for name in ${{@[-1]}}; do print -l -- ${{(P)name}}; done }}
        {script("zsh")}
        words=({BNREPRO} run model=in) CURRENT=3
        _bnrepro
    """
    done = subprocess.run(["zsh", "-fc", text], capture_output=True, text=True)
    assert done.stdout.split() == ["model=inception"]
    assert done.stderr == ""


@pytest.mark.slow
@needs("zsh")
def test_zsh_with_a_real_tab(tmp_path):
    (tmp_path / ".zshrc").write_text(
        'autoload -Uz compinit; compinit -u\neval "$(bnrepro completion zsh)"\nPS1="ready>"\n'
    )
    screen = typed(["zsh", "-i"], "ready>", "bnrepro run model=inc\t", "model=inception", tmp_path)
    assert "model=inception" in screen


@needs("fish")
def test_fish(tmp_path):
    text = f"{script('fish')}\ncomplete -C '{BNREPRO} run model=in'"
    path = f"{BNREPRO.parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["fish", "-c", text],
        capture_output=True,
        text=True,
        env={**os.environ, "PATH": path, "HOME": str(tmp_path)},
    )
    assert done.stdout.split() == ["model=inception"]
    assert done.stderr == ""
