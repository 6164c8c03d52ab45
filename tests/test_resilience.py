"""What a run survives beside signals: kills at random moments, a full disk, data that changes."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from runs import command, essence, finish, first_checkpoint, only_directory, start, stop, wait_for

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "scripts"))

from kill_hunt import hunt

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]

RUN = ("model=mlp", "train_steps=3000", "checkpoint_every=500", "dropout=0.2", "threads=1")


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 240 KB that can be made larger: a function of its size."""
    disk = tmp_path / "disk"
    disk.mkdir()

    def mount(*options):
        return subprocess.run(["mount", "-t", "tmpfs", *options, "none", disk], check=False)

    if os.geteuid() != 0 or mount("-o", "size=240k").returncode:
        pytest.skip("a small disk can only be mounted by root")
    yield disk, lambda size: mount("-o", f"remount,size={size}").check_returncode()
    subprocess.run(["umount", disk], check=True)


@pytest.mark.parametrize(("backend", "optimizer"), [("tensorflow", "nesterov"), ("jax", "adam")])
def test_a_run_killed_at_random_moments_ends_as_if_nothing_had_happened(backend, optimizer):
    rows, identical = hunt(backend, optimizer, 2)
    assert len(rows) == 2 and identical


def test_a_full_disk_is_one_line_and_the_work_goes_on_when_there_is_room(small_disk, tmp_path):
    disk, resize = small_disk
    full = finish(disk, *RUN, code=1)
    assert full.stderr.splitlines()[-1].endswith("No space left on device")
    assert "Traceback" not in full.stderr
    record = json.loads((only_directory(disk) / "record.json").read_text())
    assert record["status"] == "failed" and "No space left" in record["error"]
    assert list(only_directory(disk).glob("checkpoint/*.ckpt"))
    resize("10m")
    assert "resumed at step" in finish(disk, *RUN).stderr
    finish(tmp_path / "undisturbed", *RUN)
    assert essence(only_directory(disk)) == essence(only_directory(tmp_path / "undisturbed"))


@pytest.mark.parametrize("size", ["4k", "16k"])
def test_a_disk_with_no_room_for_a_record_is_one_line(small_disk, size):
    disk, resize = small_disk
    resize(size)
    full = finish(disk, *RUN, code=1)
    lines = full.stderr.strip().splitlines()
    assert lines[-1] == "bnrepro: No space left on device"
    assert "Traceback" not in full.stderr


@pytest.fixture
def unprivileged():
    """Words before a command that make permissions count for root, too."""
    if os.geteuid() != 0:
        return []
    if not shutil.which("setpriv"):
        pytest.skip("permissions do not bind root, and there is no setpriv to take them away")
    return ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]


@pytest.mark.parametrize("closed", [".", "record.json", "curve.csv"])
def test_what_may_not_be_read_is_one_line_and_left_as_it_is(unprivileged, closed, tmp_path):
    words = ("model=mlp", "train_steps=20", "threads=1")
    finish(tmp_path, *words)
    directory = only_directory(tmp_path)
    before = {path: path.read_bytes() for path in directory.rglob("*") if path.is_file()}
    (directory / closed).chmod(0)
    asked = ["table", f"results_dir={tmp_path}"]
    if closed != "curve.csv":
        asked = command(tmp_path, *words)[3:]
    done = subprocess.run(
        [*unprivileged, sys.executable, "-m", "bnrepro", *asked], capture_output=True, text=True
    )
    (directory / closed).chmod(0o700)
    (line,) = done.stderr.strip().splitlines()
    assert done.returncode in (1, 2) and "Permission denied" in line and str(directory) in line
    assert {path: path.read_bytes() for path in directory.rglob("*") if path.is_file()} == before


def test_a_run_does_not_go_on_with_other_data(tmp_path):
    photographs, results = tmp_path / "photographs", tmp_path / "results"
    random = np.random.default_rng(0)
    for kind in ("cat", "dog"):
        (photographs / kind).mkdir(parents=True)
        for number in range(60):
            pixels = random.integers(0, 255, (16, 16, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(photographs / kind / f"{number}.png")
    words = (*RUN, "data=image_folder", f"data.root={photographs}", "data.image_size=16")
    process = start(results, *words, "train_steps=1000000")
    wait_for(first_checkpoint(results), process)
    stop(process, signal.SIGTERM)
    directory = only_directory(results)
    before = {path: path.read_bytes() for path in directory.rglob("*") if path.is_file()}
    shutil.copy(photographs / "cat" / "0.png", photographs / "cat" / "1.png")
    refused = finish(results, *words, "train_steps=1000000", code=2)
    # Before it stands what was being done, where that took its time.
    line = refused.stderr.strip().splitlines()[-1]
    assert "the data is not what this run was trained on" in line and "force=true" in line
    assert {path: path.read_bytes() for path in before} == before
