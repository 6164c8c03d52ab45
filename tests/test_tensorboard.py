"""What TensorBoard shows, read back through its own HTTP API from a real server."""

import functools
import http.server
import json
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.parse
import urllib.request
from contextlib import contextmanager

import pytest
from runs import START_SECONDS, first_checkpoint, start, stop, wait_for
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData
from tensorboard.plugins.scalar.summary import scalar_pb
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from bnrepro.cli.tensorboard import link_runs
from bnrepro.config.composition import compose
from bnrepro.measures import hparams
from bnrepro.measures.tensorboard import TensorBoardObserver
from bnrepro.records.record import CURVE_COLUMNS, CurveRow, read_rows

RUN = ("model=mlp", "train_steps=500", "threads=1")


@contextmanager
def tensorboard(results, *words):
    """`bnrepro tensorboard` in a process of its own; gives it and the first line that it prints."""
    command = [sys.executable, "-m", "bnrepro", "tensorboard", f"results_dir={results}", *words]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as process:
        try:
            yield process, process.stdout.readline()
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
def results(tmp_path_factory):
    """Two runs of one grid."""
    results = tmp_path_factory.mktemp("board")
    processes = [start(results, *RUN, f"seed={seed}") for seed in (0, 1)]
    for process in processes:
        _, errors = process.communicate()
        assert process.returncode == 0, errors[-3000:]
    return results


@pytest.fixture(scope="module")
def board(results):
    """A server that has read them."""
    with tensorboard(results) as (_, line):
        address = line.split()[0].rstrip("/")
        wait_until(lambda: len(get(address, "runs")) == 2)
        yield results, address


def wait_until(condition):
    end = time.monotonic() + START_SECONDS
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.2)


def runs_of(address):
    return sorted(get(address, "runs"))


def events(results, seed=0):
    """All summaries of a run's event files by tag, each with its step, in the order of writing."""
    found = {}
    for path in sorted(results.glob(f"runs/*/seed_{seed}/tensorboard/events.out.tfevents.*")):
        for event in EventFileLoader(str(path)).Load():
            for value in event.summary.value:
                found.setdefault(value.tag, []).append((event.step, value))
    return found


def test_every_run_is_listed_under_the_name_that_tables_give_it(board):
    _, address = board
    name = compose(RUN).name
    assert runs_of(address) == [f"{name} seed 0", f"{name} seed 1"]


def test_the_groups_of_the_page_begin_with_accuracy_and_loss(results):
    # TensorBoard's page (`groupCardIdWithMetadata`) sorts by tag and cuts it at its first slash.
    groups = list(dict.fromkeys(tag.split("/")[0] for tag in sorted(events(results))))
    assert [group for group in groups if group not in ("_hparams_", "config")] == [
        "accuracy",
        "loss",
        "lr",
        "norms",
        "pre_activation",
        "pre_activation_percentile",
        "summary",
    ]


def test_scalars_are_the_curve_over_steps(board):
    results, address = board
    name = runs_of(address)[1]
    (directory,) = results.glob("runs/*/seed_1")
    rows = read_rows(directory / "curve.csv", CURVE_COLUMNS)
    for tag, column in (
        ("loss/evaluation", "evaluation_loss"),
        ("accuracy/evaluation", "evaluation_accuracy"),
        ("lr/learning_rate", "learning_rate"),
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
        assert f"norms/weight/{layer}/kernel" in tags
        assert f"norms/gradient/{layer}/kernel" in tags
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
    columns = experiment["hparamInfos"]
    shown = [column["displayName"] for column in columns]
    # TensorBoard's page ticks the first five.
    assert shown[:5] == ["bn", "placement", "normalization", "learning_rate", "optimizer"]
    assert shown[5:7] == ["model", "activation"] and "seed" in shown[7:]
    assert [column.get("differs", False) for column in columns[:8]] == [True] * 7 + [False]
    assert columns[0]["domainDiscrete"] == ["none", "x1", "x5", "x30", "other"]
    assert [info["displayName"] for info in experiment["metricInfos"]] == [
        "best accuracy",
        "final accuracy",
    ]
    request = {
        "experimentName": "",
        "startIndex": 0,
        "sliceSize": 10,
        "allowedStatuses": ["STATUS_SUCCESS", "STATUS_FAILURE", "STATUS_RUNNING"],
        "colParams": [{"metric": {"group": "", "tag": "summary/best_accuracy"}}],
    }
    groups = post(address, "plugin/hparams/session_groups", request)["sessionGroups"]
    name = compose(RUN).name
    assert sorted(group["name"] for group in groups) == [f"{name} seed 0", f"{name} seed 1"]
    for group in groups:
        (session,) = group["sessions"]
        assert session["status"] == "STATUS_SUCCESS"
        best = {m["name"]["tag"]: m["value"] for m in session["metricValues"]}
        seed = int(group["hparams"]["seed"])
        (directory,) = results.glob(f"runs/*/seed_{seed}")
        record = json.loads((directory / "record.json").read_text())
        assert best["summary/best_accuracy"] == pytest.approx(record["best_accuracy"])


CONFIGS = (
    ["bn=none"],
    ["bn=x1", "placement=after", "batch_size=all", "data.train_examples=100"],
    ["experiment=bn_x5", "scale=cpu", "accelerate=[]"],
    ["bn=x1", "normalization=group", "learning_rate=1"],
)


def test_every_run_describes_the_same_columns():
    def columns(words):
        (value,) = hparams.experiment(compose(words).config).value
        content = HParamsPluginData.FromString(value.metadata.plugin_data.content).experiment
        content.time_created_secs = 0
        return content

    first, *others = [columns(words) for words in CONFIGS]
    assert all(other == first for other in others)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["bn=none"], "none"),
        (["bn=x1"], "x1"),
        (["bn=x5"], "x5"),
        (["bn=x30"], "x30"),
        (["placement=before", "learning_rate_multiplier=1", "accelerate=[]"], "x1"),
        (["bn=x1", "normalization=batch"], "x1"),
        (["bn=x1", "normalization=group"], "other"),
        (["bn=x1", "placement=after"], "other"),
        (["bn=x5", "accelerate=[l2]"], "other"),
        (["bn=x1", "learning_rate_multiplier=5"], "other"),
    ],
    ids=" ".join,
)
def test_the_column_bn_is_the_papers_variant(words, expected):
    (value,) = hparams.session_start("name", compose(words).config).value
    start = HParamsPluginData.FromString(value.metadata.plugin_data.content).session_start_info
    assert start.hparams["1_bn"].string_value == expected


def test_whole_numbers_are_shown_without_decimals_and_in_their_order():
    def batch_size(number):
        (value,) = hparams.session_start("a", compose([f"batch_size={number}"]).config).value
        start = HParamsPluginData.FromString(value.metadata.plugin_data.content).session_start_info
        return start.hparams["batch_size"].string_value

    numbers = [2, 9, 10, 32, 100, 1000]
    texts = [batch_size(number) for number in numbers]
    assert [text.strip() for text in texts] == [str(number) for number in numbers]
    assert sorted(texts) == texts


HEAD = ("_hparams_/experiment", "_hparams_/session_start_info", "config")
PAST = [CurveRow(step, 0.5, 0.8, 0.4, 0.9, 0.1, 1.0) for step in (0, 20, 40)]


def go_on(directory, state, past):
    """A run that goes on from step 40 with an evaluation at 60; gives what its observer keeps."""
    composition = compose([*RUN, f"results_dir={directory.parents[3]}"])
    observer = TensorBoardObserver(directory, composition, past)
    # Norms and histograms, which only an engine has, are not due.
    observer.restore({"next_detail": 10**9, **state})
    observer.on_evaluation(None, PAST[0]._replace(step=60)._asdict())
    return observer.state()


@pytest.fixture
def event_folder(tmp_path):
    folder = tmp_path / "runs" / "name" / "seed_0" / "tensorboard"
    folder.parent.mkdir(parents=True)
    return folder


def test_event_files_that_are_gone_are_written_from_the_first_step_on(event_folder, tmp_path):
    go_on(event_folder, {"sizes": {"events.out.tfevents.1.gone": 5000}}, PAST)
    found = events(tmp_path)
    assert all(len(found[tag]) == 1 for tag in HEAD)
    for tag in ("loss/train", "accuracy/evaluation", "lr/learning_rate"):
        assert [step for step, _ in found[tag]] == [0, 20, 40, 60]


def test_what_a_remaining_file_has_is_not_written_twice(event_folder, tmp_path):
    state = go_on(event_folder, {}, PAST)
    go_on(event_folder, state, [*PAST, PAST[0]._replace(step=60)])
    found = events(tmp_path)
    assert all(len(found[tag]) == 1 for tag in HEAD)
    assert [step for step, _ in found["loss/train"]] == [0, 20, 40, 60, 60]
    first, second = sorted(event_folder.iterdir())
    first.unlink()
    # TensorBoard forgets what it read at later steps where a later file begins at an earlier one.
    go_on(event_folder, {"sizes": {second.name: second.stat().st_size}}, PAST)
    found = events(tmp_path)
    assert all(len(found[tag]) == 1 for tag in HEAD)
    assert [step for step, _ in found["loss/train"]] == [60, 60]


def test_a_file_that_lost_its_end_is_not_filled_with_zeros(event_folder):
    state = go_on(event_folder, {}, PAST)
    (path,) = event_folder.iterdir()
    whole = path.read_bytes()
    path.write_bytes(whole[:-7])
    go_on(event_folder, state, PAST)
    assert path.read_bytes() == whole[:-7]


@pytest.mark.slow
def test_a_run_whose_event_files_were_deleted_writes_its_whole_curve_when_it_goes_on(tmp_path):
    words = (*RUN, "train_steps=60000", "evaluate_every=20", "checkpoint_every=100")
    process = start(tmp_path, *words)
    wait_for(first_checkpoint(tmp_path), process)
    stop(process, signal.SIGINT)
    (directory,) = tmp_path.glob("runs/*/seed_0/tensorboard")
    before = events(tmp_path)["loss/evaluation"][-1][0]
    shutil.rmtree(directory)
    process = start(tmp_path, *words)
    wait_for(lambda: events(tmp_path).get("loss/evaluation", [(0, 0)])[-1][0] > before, process)
    stop(process, signal.SIGINT)
    found = events(tmp_path)
    rows = read_rows(directory.parent / "curve.csv", CURVE_COLUMNS)
    assert all(len(found[tag]) == 1 for tag in HEAD)
    assert [step for step, _ in found["loss/evaluation"]] == [row[0] for row in rows]


def test_links_follow_the_runs_whatever_they_are_called(tmp_path):
    folder, runs = tmp_path / "links", tmp_path / 'it\'s: a, "re[s]ult"' / "runs"
    folder.mkdir()
    assert link_runs(runs, folder) == 0
    for name in ("mlp-digits-x1", "copy of (mine), zwei;\u00fc$*"):
        (runs / name / "seed_3" / "tensorboard").mkdir(parents=True)
    (runs / "without" / "seed_0").mkdir(parents=True)
    assert link_runs(runs, folder) == 2
    names = {"mlp-digits-x1 seed 3", "copy of (mine), zwei;\u00fc$* seed 3"}
    assert {link.name for link in folder.iterdir()} == names
    assert all(link.is_dir() for link in folder.iterdir())
    shutil.rmtree(runs / "mlp-digits-x1")
    (runs / "later" / "seed_0" / "tensorboard").mkdir(parents=True)
    assert link_runs(runs, folder) == 2
    assert {link.name for link in folder.iterdir()} == names - {"mlp-digits-x1 seed 3"} | {
        "later seed 0"
    }


@pytest.fixture
def one_run(tmp_path):
    """A results folder with a run whose name is odd, of one scalar."""
    directory = tmp_path / "results" / "runs" / "it's, a: run" / "seed_0" / "tensorboard"
    write_scalar(directory)
    return tmp_path / "results"


def write_scalar(directory):
    writer = EventFileWriter(str(directory))
    writer.add_event(Event(step=1, summary=scalar_pb("loss/train", 0.5)))
    writer.close()


@pytest.mark.slow
def test_the_address_comes_first_and_nothing_of_a_library(one_run, tmp_path):
    with tensorboard(one_run) as (process, line):
        assert re.fullmatch(
            rf"http://localhost:\d+/  1 run of {re.escape(str(one_run))}, "
            "new ones as they come; Ctrl-C ends it\n",
            line,
        )
        address = line.split()[0].rstrip("/")
        wait_until(lambda: runs_of(address) == ["it's, a: run seed 0"])
        write_scalar(one_run / "runs" / "another" / "seed_12" / "tensorboard")
        wait_until(lambda: runs_of(address) == ["another seed 12", "it's, a: run seed 0"])
        port = str(urllib.parse.urlsplit(address).port)
        with tensorboard(one_run) as (_, second):  # the next free port
            assert urllib.parse.urlsplit(second.split()[0]).port > int(port)
        with tensorboard(one_run, "--port", port) as (refused, nothing):
            assert refused.wait(START_SECONDS) == 2 and nothing == ""
            (message,) = refused.stderr.read().splitlines()
            assert message.startswith(f"bnrepro: --port {port}: in use; ")
        process.send_signal(signal.SIGINT)
        assert process.wait(START_SECONDS) == 0
        assert process.stdout.read() == process.stderr.read() == ""


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_a_signal_leaves_no_links_behind(number, code, one_run, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with tensorboard(one_run) as (process, _):
        assert list(tmp_path.glob("bnrepro-*"))
        process.send_signal(number)
        assert process.wait(START_SECONDS) == code
    assert not list(tmp_path.glob("bnrepro-*"))


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
        assert name in shown
