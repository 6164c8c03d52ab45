"""The wheel, installed into an environment of its own, outside the repository."""

import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.slow
def test_the_wheel_trains_and_tabulates_from_any_directory(tmp_path, monkeypatch):
    monkeypatch.delenv("PYTHONPATH", raising=False)
    built = tmp_path / "wheel"
    pip = [sys.executable, "-m", "pip"]
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(built)]
    subprocess.run([*pip, "wheel", *options, str(ROOT)], check=True)
    (wheel,) = built.glob("bnrepro-*.whl")
    environment = tmp_path / "environment"
    venv.create(environment, with_pip=False)
    python = environment / "bin" / "python"
    (packages,) = environment.glob("lib/python*/site-packages")
    subprocess.run(
        [*pip, "install", "--quiet", "--no-deps", "--target", str(packages), str(wheel)], check=True
    )
    # What it depends on is taken from this environment; bnrepro itself from the wheel alone.
    (packages / "here.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()

    def bnrepro(*words):
        command = [str(python), "-m", "bnrepro", *words]
        return subprocess.run(
            command, cwd=elsewhere, capture_output=True, text=True, check=True
        ).stdout

    where = "import bnrepro; print(bnrepro.__file__)"
    found = subprocess.run(
        [str(python), "-c", where], cwd=elsewhere, capture_output=True, text=True, check=True
    ).stdout.strip()
    assert Path(found).is_relative_to(packages)
    assert "completed 50 steps" in bnrepro("run", "model=mlp", "train_steps=50")
    assert "mlp-digits-x1" in bnrepro("table")
    assert (elsewhere / "results" / "runs").is_dir()
