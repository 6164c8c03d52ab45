"""What TensorBoard shows, read back through its own HTTP API from a real server."""

import functools
import http.server
import json
import re
import shutil
import subprocess
import sys
import threading
import time
import urllib.parse
import urllib.request
from contextlib import contextmanager

import numpy as np
import pytest
from runs import START_SECONDS, start

from bnrepro.measures.tensorboard import thinned
from bnrepro.records.record import CURVE_COLUMNS, read_rows


@contextmanager
def tensorboard(logdir):
    """A server on a free port; gives its address."""
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", str(logdir), "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            for line in process.stderr:
                found = re.search(r"(http://\S+)", line)
                if found:
                    yield found[1].rstrip("/")
                    break
        finally:
            process.terminate()


def get(address, path, **query):
    with urllib.request.urlopen(f"{address}/data/{path}?{urllib.parse.urlencode(query)}") as answer:
        return json.load(answer)


def post(address, path, body):
    request = urllib.request.Request(
        f"{address}/data/{path}",
        json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


@pytest.fixture(scope="module")
def board(tmp_path_factory):
    """Two runs of one grid, and a server that has read them."""
    results = tmp_path_factory.mktemp("board")
    run = ("model=mlp", "train_steps=500", "threads=1")
    processes = [start(results, *run, f"seed={seed}") for seed in (0, 1)]
    for process in processes:
        _, errors = process.communicate()
        assert process.returncode == 0, errors[-3000:]
    with tensorboard(results / "runs") as address:
        end = time.monotonic() + START_SECONDS
        while len(get(address, "runs")) < 2:
            assert time.monotonic() < end
            time.sleep(0.2)
        yield results, address


def runs_of(address):
    return sorted(get(address, "runs"))


def test_every_run_is_listed(board):
    _, address = board
    assert [name.split("/")[1] for name in runs_of(address)] == ["seed_0", "seed_1"]


def test_scalars_are_the_curve_over_steps(board):
    results, address = board
    name = runs_of(address)[1]
    (directory,) = results.glob("runs/*/seed_1")
    rows = read_rows(directory / "curve.csv", CURVE_COLUMNS)
    for tag, column in (
        ("loss/evaluation", "evaluation_loss"),
        ("accuracy/evaluation", "evaluation_accuracy"),
        ("learning_rate", "learning_rate"),
    ):
        shown = get(address, "plugin/scalars/scalars", run=name, tag=tag)
        expected = [(row[0], row[CURVE_COLUMNS.index(column)]) for row in rows]
        assert [(step, pytest.approx(value, rel=1e-6)) for _, step, value in shown] == expected


def test_training_is_shown_from_its_first_evaluation_on(board):
    _, address = board
    shown = get(address, "plugin/scalars/scalars", run=runs_of(address)[0], tag="loss/train")
    assert [step for _, step, _ in shown] == [250, 500]


def test_norms_and_percentiles_are_shown_per_layer(board):
    _, address = board
    tags = set(get(address, "plugin/scalars/tags")[runs_of(address)[0]])
    for layer in ("hidden_1", "hidden_2", "hidden_3"):
        assert f"weight_norm/{layer}/kernel" in tags
        assert f"gradient_norm/{layer}/kernel" in tags
        assert {f"pre_activation_percentile/{layer}/p{p}" for p in (15, 50, 85)} <= tags


def test_pre_activations_are_shown_as_histograms(board):
    _, address = board
    name = runs_of(address)[0]
    tags = get(address, "plugin/histograms/tags")[name]
    assert set(tags) == {f"pre_activation/hidden_{layer}" for layer in (1, 2, 3)}
    shown = get(address, "plugin/histograms/histograms", run=name, tag="pre_activation/hidden_1")
    assert [step for _, step, _ in shown] == [0, 250, 500]


def test_the_resolved_config_is_shown_as_text(board):
    _, address = board
    name = runs_of(address)[0]
    (shown,) = get(address, "plugin/text/text", run=name, tag="config")
    assert "learning_rate" in shown["text"]


def test_hparams_has_one_row_a_run_with_its_status_and_accuracy(board):
    results, address = board
    experiment = post(address, "plugin/hparams/experiment", {"experimentName": ""})
    names = {info["name"] for info in experiment["hparamInfos"]}
    assert {"seed", "learning_rate", "model.name", "placement"} <= names
    request = {
        "experimentName": "",
        "startIndex": 0,
        "sliceSize": 10,
        "allowedStatuses": ["STATUS_SUCCESS", "STATUS_FAILURE", "STATUS_RUNNING"],
        "colParams": [{"metric": {"group": "", "tag": "summary/best_accuracy"}}],
    }
    groups = post(address, "plugin/hparams/session_groups", request)["sessionGroups"]
    assert len(groups) == 2
    assert sorted(group["hparams"]["seed"] for group in groups) == [0, 1]
    for group in groups:
        (session,) = group["sessions"]
        assert session["status"] == "STATUS_SUCCESS"
        best = {m["name"]["tag"]: m["value"] for m in session["metricValues"]}
        seed = int(group["hparams"]["seed"])
        (directory,) = results.glob(f"runs/*/seed_{seed}")
        record = json.loads((directory / "record.json").read_text())
        assert best["summary/best_accuracy"] == pytest.approx(record["best_accuracy"])


# A page around TensorBoard's that writes all its text down: a dump of TensorBoard's own page leaves
# out what its components keep to themselves (their shadow roots).
READER = """<!DOCTYPE html>
<iframe src="{address}/#{page}" width="1400" height="900"></iframe>
<pre></pre>
<script>
const text = (node) => node.nodeType === Node.TEXT_NODE
  ? node.data
  : [...(node.shadowRoot?.childNodes ?? []), ...node.childNodes].map(text).join(" ");
setInterval(() => {{
  const shown = document.querySelector("iframe").contentDocument.body;
  document.querySelector("pre").textContent = text(shown);
}}, 1000);
</script>
"""


@contextmanager
def served(folder):
    """The address at which a web server of our own gives out the files of `folder`."""
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=folder)
    with http.server.ThreadingHTTPServer(("localhost", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://localhost:{server.server_port}"
        server.shutdown()


def test_a_histogram_of_many_values_meets_every_unit_alike():
    values = np.broadcast_to(np.arange(24), (64, 32, 32, 24))
    seen = np.bincount(thinned(values))
    assert len(seen) == 24 and seen.min() > 0.99 * seen.max()
    assert 100_000 < seen.sum() <= 250_000
    few = np.arange(600).reshape(6, 100)
    assert thinned(few).tolist() == list(range(600))


@pytest.mark.slow
@pytest.mark.parametrize("page", ["timeseries", "hparams"])
def test_a_browser_shows_the_runs(board, tmp_path, page):
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("no chromium to open the pages with")
    _, address = board
    (tmp_path / "reader.html").write_text(READER.format(address=address, page=page))
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"]
    flags += ["--disable-background-networking", f"--user-data-dir={tmp_path / 'profile'}"]
    # The reader comes from another port than TensorBoard.
    flags += ["--disable-web-security", "--disable-site-isolation-trials"]
    flags += ["--virtual-time-budget=60000", "--dump-dom"]
    with served(tmp_path) as reader:
        shown = subprocess.run(
            [chromium, *flags, f"{reader}/reader.html"], capture_output=True, text=True, check=True
        ).stdout
    for name in runs_of(address):
        assert name.removesuffix("/tensorboard") in shown
