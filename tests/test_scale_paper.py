"""The paper's own network at its own size of image, on photographs that stream: few steps of it."""

import json
import signal
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from runs import essence, first_checkpoint, only_directory, stop, wait_for

pytestmark = pytest.mark.slow

# Photographs stream where they do not fit into memory; this process has none to spare.
STREAMING = """
import sys
from bnrepro.data import image_folder
image_folder.available_memory = lambda: 0
from bnrepro import cli
sys.exit(cli.main(["run", *sys.argv[1:]]))
"""
CLASSES, TRAIN, VAL = 4, 8, 2


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    """JPEGs of ImageNet's usual size: a colour for each class, with noise of all sizes on it."""
    root, random = tmp_path_factory.mktemp("photographs"), np.random.default_rng(0)
    for part, count in (("train", TRAIN), ("val", VAL)):
        for label in range(CLASSES):
            folder = root / part / f"class_{label}"
            folder.mkdir(parents=True)
            for number in range(count):
                pixels = np.full((384, 512, 3), 60.0 + 40 * label)
                for size in (1, 4, 16, 64):
                    noise = random.normal(0, 15, (384 // size, 512 // size, 3))
                    pixels += noise.repeat(size, axis=0).repeat(size, axis=1)
                image = Image.fromarray(pixels[:375, :500].clip(0, 255).astype(np.uint8))
                image.save(folder / f"{number}.JPEG", quality=90)
    return root


@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_twenty_steps_of_the_papers_own_network_are_the_same_with_a_stop_between(
    backend, photographs, tmp_path
):
    words = ("experiment=bn_x5", "scale=paper", f"data.root={photographs}", f"backend={backend}",
             "batch_size=4", "train_steps=20", "checkpoint_every=5", "threads=1")  # fmt: skip

    def start(folder):
        command = [sys.executable, "-c", STREAMING, f"results_dir={folder}", *words]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def finish(folder):
        process = start(folder)
        _, said = process.communicate()
        assert process.returncode == 0, said[-3000:]
        return said

    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    finish(whole)
    process = start(stopped)
    wait_for(first_checkpoint(stopped), process)
    assert stop(process, signal.SIGTERM) == 143
    assert "resumed at step " in finish(stopped)
    assert essence(only_directory(stopped)) == essence(only_directory(whole))
    record = json.loads((only_directory(whole) / "record.json").read_text())
    config = record["config"]
    assert (config["model"]["width"], config["data"]["image_size"]) == (1.0, 224)
    assert (record["status"], record["train_steps"]) == ("completed", 20)
