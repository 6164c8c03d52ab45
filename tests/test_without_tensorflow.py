"""Where TensorFlow is absent, the JAX backend trains, watches, saves and resumes all the same."""

import json
import os
import subprocess

from runs import command, only_directory


def test_jax_trains_where_tensorflow_cannot_be_imported(tmp_path):
    absent = tmp_path / "absent"
    absent.mkdir()
    (absent / "tensorflow.py").write_text(
        "from pathlib import Path\n"
        "Path(__file__).with_name('asked').touch()\n"
        'raise ModuleNotFoundError("No module named \'tensorflow\'", name="tensorflow")\n'
    )
    results = tmp_path / "results"
    done = subprocess.run(
        command(results, "backend=jax", "train_steps=60", "evaluate_every=20"),
        env={**os.environ, "PYTHONPATH": str(absent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    directory = only_directory(results)
    record = json.loads((directory / "record.json").read_text())
    assert (record["status"], record["environment"]["backend"]) == ("completed", "jax")
    assert (directory / "model.keras").stat().st_size > 0
    assert any((directory / "tensorboard").iterdir())
    # Nobody has asked for it: where it is there, seconds and its notes on standard error are saved.
    assert not (absent / "asked").exists()
