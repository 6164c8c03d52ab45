import datetime
import importlib.util
import json
import math
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from bnrepro import bench
from bnrepro.bench import commands, figures_to_reach, flops, plan, report, sharing, workloads
from bnrepro.bench.commands import CommandError
from bnrepro.bench.figures_to_reach import Figure
from bnrepro.bench.measure import Member, attempt, play_rounds, refuse_other_losses, spread
from bnrepro.bench.processes import Worker, WorkerError
from bnrepro.bench.report import Measured
from bnrepro.config import BACKENDS, ConfigError
from bnrepro.records.loading import load_runs

ROOT = Path(__file__).parents[1]
TODAY = datetime.date(2015, 2, 11)


class Clockwork:
    """A process whose contenders take a fixed time a step, in a diary that all share."""

    def __init__(self, seconds_per_step, losses=(), diary=None, whole=1, fails_at=None):
        self.seconds_per_step = seconds_per_step
        self.losses = list(losses)
        self.diary = [] if diary is None else diary
        self.segment = whole
        self.fails_at = fails_at

    def ask(self, do, **arguments):
        if do == self.fails_at:
            raise WorkerError("out of memory")
        return getattr(self, f"answer_{do}")(**arguments)

    def answer_build(self, member, contender, normalized):
        return {"seconds": 2.0, "batch_size": 60, "flops_per_step": 26_376_000, "runs": 1}

    def answer_losses(self, member, steps):
        return {"losses": self.losses[:steps], "seconds": 3.0}

    def answer_train(self, member, steps):
        self.diary.append((member, steps))
        return {"seconds": steps * self.seconds_per_step}

    def answer_whole(self, member, steps):
        return {"steps": max(1, steps // self.segment) * self.segment}


def member(contender="engine", normalized=True, framework="tensorflow", **clockwork):
    clockwork.setdefault("seconds_per_step", 0.01)
    return Member(Clockwork(**clockwork), framework, contender, normalized)


def ready(contender="engine", normalized=True, framework="tensorflow", **clockwork):
    """A member that has done all but its rounds."""
    made = member(contender, normalized, framework, losses=(2.3, 2.2), **clockwork)
    made.build()
    made.take_first_steps(2)
    made.warm_up_for(1.0)
    return made


def measured(*members, workload="mnist_network", **changes):
    chosen = workloads.find(workload)
    fields = {
        "plan": plan.QUICK, "threads": 2, "device": "Some CPU (R) 9000", "accelerator": None,
        "versions": {"python": "3.11"}, "commit": None, "dirty": None,
        "workloads": [(chosen, list(members))],
    }  # fmt: skip
    return Measured(**{**fields, **changes})


def dense(inputs, units):
    return SimpleNamespace(
        kernel=np.zeros((inputs, units)), output=SimpleNamespace(shape=(None, units))
    )


def test_a_dense_network_s_flops_are_those_counted_by_hand():
    model = SimpleNamespace(
        layers=[SimpleNamespace(), dense(784, 100), dense(100, 100), dense(100, 10)]
    )
    forward = 2 * 60 * (784 * 100 + 100 * 100 + 100 * 10)
    input_gradients = 2 * 60 * (100 * 100 + 100 * 10)
    expected = forward + forward + input_gradients
    assert flops.flops_per_step(flops.products(model), 60) == expected


def test_a_convolution_multiplies_at_every_place_of_its_output():
    output = SimpleNamespace(shape=(None, 16, 8, 5))
    convolution = SimpleNamespace(kernel=np.zeros((3, 3, 4, 5)), output=output)
    model = SimpleNamespace(layers=[dense(7, 2), convolution])
    expected = 2 * (2 * 7 * 2) + 3 * (2 * 3 * 3 * 4 * 5 * 16 * 8)
    assert flops.flops_per_step(flops.products(model), 1) == expected


def test_a_spread_is_the_median_the_least_and_the_most():
    assert spread([3.0, 1.0, 2.0, 10.0]) == {"median": 2.5, "least": 1.0, "most": 10.0}


def test_rounds_take_turns():
    diary = []
    members = [ready(name, diary=diary) for name in ("engine", "keras_loop", "keras_fit")]
    diary.clear()
    play_rounds(members, 2)
    in_turn = ["with/tensorflow/engine", "with/tensorflow/keras_loop", "with/tensorflow/keras_fit"]
    assert [name for name, _ in diary] == in_turn * 2


def test_a_round_lasts_as_long_as_it_should_in_steps_that_suit_the_contender():
    made = ready(seconds_per_step=0.01, whole=30)
    assert made.steps_per_round == 90
    assert made.warm_up == [(30, 0.3)]
    play_rounds([made], 3)
    assert made.seconds == [pytest.approx(0.9)] * 3
    assert made.steps_per_second == pytest.approx({"median": 100, "least": 100, "most": 100})


def test_the_warm_up_grows_until_it_can_be_measured():
    assert [steps for steps, _ in ready(seconds_per_step=0.01).warm_up] == [1, 4, 16, 64]


def test_who_fails_is_refused_with_the_reason_and_the_others_go_on():
    failing, sound = ready("keras_fit", fails_at="never"), ready()
    failing.worker.fails_at = "train"
    play_rounds([failing, sound], 3)
    assert failing.refused == "out of memory"
    assert len(sound.seconds) == 3


def test_a_contender_that_cannot_be_built_is_refused():
    failing, sound = member("keras_fit", fails_at="build"), member()
    assert attempt([failing, sound], Member.build) == [sound]
    assert failing.refused == "out of memory"


def with_losses(contender, losses, normalized=True):
    made = member(contender, normalized, losses=losses)
    made.take_first_steps(len(losses))
    return made


def test_who_has_other_losses_is_refused():
    engine = with_losses("engine", [2.3, 2.2])
    same = with_losses("keras_fit", [2.3, 2.2001])
    other = with_losses("keras_loop", [2.3, 2.19])
    assert refuse_other_losses([engine, same, other], 1e-3) == [engine, same]
    assert other.refused is not None
    assert "at step 2 its loss is 2.19, that of tensorflow engine 2.2" in other.refused


def test_a_loss_that_is_not_a_number_is_refused():
    engine, other = with_losses("engine", [2.3]), with_losses("keras_fit", [math.nan])
    assert refuse_other_losses([engine, other], 1e-3) == [engine]


def test_networks_with_and_without_batch_normalization_are_compared_apart():
    members = [
        with_losses("engine", [2.3]),
        with_losses("engine", [5.0], normalized=False),
        with_losses("keras_loop", [5.0], normalized=False),
    ]
    assert refuse_other_losses(members, 1e-3) == members


def test_a_figure_is_a_ratio_of_facts_and_unknown_where_one_is_missing():
    figure = Figure("engine / fit", "engine", "fit", at_least=4.0)
    assert figure.measure({"engine": 10.0, "fit": 2.0}) == 5.0
    assert figure.measure({"engine": 10.0}) is None
    assert figure.is_reached(4.0)
    assert not figure.is_reached(3.9)
    assert not Figure("cost", "cost", at_most=1.35).is_reached(1.4)


STARTED, DATA = ("mnist_network", "inception"), ("mnist", "cifar10")


def test_every_figure_names_what_the_full_plan_measures():
    members = {
        f"{workload.name}/{'with' if normalized else 'without'}/{framework}/{contender}"
        for workload in workloads.WORKLOADS
        for framework in ("tensorflow", "jax", "torch")
        for contender, normalized in plan.FULL.members(framework, workload, [], True, 2)
    }
    commands_measured = {
        "command/help", "command/table", "sweep/two_workers", "sweep/one_process",
        "building/plain", "building/drawn",
        *(f"{what}/figure_1" for what in ("other_time", "beside")),
        *(f"{what}/scale_cpu" for what in ("other_time", "beside")),
        *(f"{what}/{name}" for what in ("programs", "programs_again") for name in STARTED),
        *(f"memory/cifar10/{backend}" for backend in BACKENDS),
        *(f"memory_compiling/cifar10/{backend}" for backend in BACKENDS),
        *(
            f"{what}/{name}/{backend}"
            for what in ("first_step", "compile", "compile_again")
            for name in STARTED
            for backend in BACKENDS
        ),
    }  # fmt: skip
    of_a_gpu = {"evaluation/scale_gpu", *(f"shared/{count}" for count in sharing.COUNTS)}
    for figure in (*figures_to_reach.ON_TWO_CORES, *figures_to_reach.ON_ONE_GPU):
        for quantity in filter(None, (figure.quantity, figure.over)):
            name = quantity.removesuffix("/share_of_peak")
            assert name in members | commands_measured | of_a_gpu, figure.what


def test_a_quick_call_shows_of_a_second_backend_only_that_it_works():
    both = ["tensorflow", "jax"]
    dense_network, inception = map(workloads.find, ("mnist_network", "inception_025_32"))
    assert plan.QUICK.members("jax", dense_network, both, False) == [("engine", True)]
    assert plan.QUICK.members("jax", inception, both, False) == []
    assert len(plan.QUICK.members("jax", inception, ["jax"], False)) > 1


def test_groups_of_convolutional_networks_are_timed_on_accelerators_alone():
    dense_network, inception = map(workloads.find, ("mnist_network", "inception_025_32"))
    together = ("group_16", True)
    assert together in plan.FULL.members("jax", dense_network, [], False)
    assert together not in plan.FULL.members("jax", inception, [], False)
    assert together in plan.FULL.members("jax", inception, [], True)


def measured_by(chosen, accelerated=False):
    """What a plan measures: workloads with their contenders."""
    return {
        workload.name: {
            name
            for framework in ("tensorflow", "jax", "torch")
            for name, _ in chosen.members(framework, workload, [], accelerated)
        }
        for workload in workloads.WORKLOADS
        if chosen.covers(workload)
    }


def test_only_what_is_named_is_measured():
    by_both = plan.choose(False, "mnist_network,engine,keras_fit")
    assert measured_by(by_both) == {"mnist_network": {"engine", "keras_fit"}}
    assert not by_both.covers_commands
    by_contender = measured_by(plan.choose(False, "torch_eager"))
    assert len(by_contender) == len(workloads.WORKLOADS)
    assert by_contender["cnn"] == {"torch_eager"}
    by_workload = plan.choose(True, "cnn,commands")
    assert set(measured_by(by_workload)) == {"cnn"} and by_workload.covers_commands
    assert measured_by(plan.choose(False, "commands")) == {}
    everything = plan.choose(False, None)
    assert everything == plan.FULL and everything.covers_commands
    assert not by_both.covers_gpu and everything.covers_gpu
    assert measured_by(plan.choose(False, "gpu,commands")) == {}
    assert plan.choose(False, "gpu", rounds=3).rounds == 3
    with pytest.raises(ConfigError, match=r"--only=nobody: expected one of .*mnist_network"):
        plan.choose(False, "engine,nobody")


def test_a_batch_is_split_where_there_are_several_devices_that_can_have_equal_parts():
    inception, dense_network = map(workloads.find, ("inception_1_128", "mnist_network"))
    split = ("engine_all", True)
    named = plan.choose(quick=False, only="engine,engine_all")

    def offered(chosen, workload, accelerated, num_devices):
        return split in chosen.members("jax", workload, [], accelerated, num_devices)

    assert offered(plan.FULL, inception, True, 8)
    assert not offered(plan.FULL, inception, True, 1)
    assert not offered(plan.FULL, inception, True, 3)
    # 60 examples a batch.
    assert offered(plan.FULL, dense_network, True, 4)
    assert not offered(plan.FULL, dense_network, True, 8)
    # A processor that plays several devices has no more cores than before.
    assert not offered(plan.FULL, inception, False, 8)
    assert offered(named, inception, False, 8)
    assert not offered(named, inception, False, 1)
    assert split not in plan.FULL.members("tensorflow", inception, [], True, 1)


def test_what_needs_an_accelerator_is_measured_there_alone():
    assert "torch_compile" in measured_by(plan.FULL, accelerated=True)["cnn"]
    assert "torch_compile" not in measured_by(plan.FULL)["cnn"]


def test_batch_sizes_that_are_held_against_each_other_are_the_engines():
    for name in ("mnist_network_64", "mnist_network_65", "inception_025_64", "inception_025_65"):
        assert measured_by(plan.FULL, accelerated=True)[name] == {"engine"}
        assert workloads.find(name).compose(True, []).config.batch_size == int(name[-2:])


def test_the_steps_of_a_group_are_counted_together():
    made = ready("group_16", framework="jax")
    made.runs = 16
    play_rounds([made], 1)
    assert made.steps_per_second["median"] == pytest.approx(1600)


def played(**changes):
    members = [
        ready(seconds_per_step=0.001),
        ready("keras_fit", seconds_per_step=0.005),
        ready("torch_eager", framework="torch"),
    ]
    members[2].refused = "at step 1 its loss is 3"
    play_rounds(members[:2], 3)
    return measured(*members, peaks={"tensorflow float32": 52.752e9}, **changes)


def test_the_report_has_every_round_and_every_figure():
    content = report.to_json(played(commands={"command/help": 0.2}), TODAY)
    assert json.loads(json.dumps(content, allow_nan=False)) == content
    (only,) = content["workloads"]
    engine, fit, eager = only["contenders"]
    assert len(engine["seconds"]) == 3
    assert engine["steps_per_second"]["median"] == pytest.approx(1000)
    assert fit["images_per_second"]["median"] == pytest.approx(200 * 60)
    assert eager["refused"] == "at step 1 its loss is 3"
    assert eager["steps_per_second"] is None
    figures = {figure["what"]: figure for figure in content["figures"]}
    ratio = figures["MNIST network with batch normalization: engine / Keras `fit`"]
    assert ratio["measured"] == pytest.approx(5)
    assert ratio["reached"] is True
    share = figures["MNIST network: the engine's share of the matrix-product peak"]
    assert share["measured"] == pytest.approx(0.5)
    assert share["reached"] is False
    eager = figures["MNIST network: engine / PyTorch eager"]
    assert (eager["measured"], eager["reached"]) == (None, None)


def test_the_table_says_what_was_measured_beside_what_was_wanted():
    text = report.to_markdown(played(commands={"command/help": 0.2}), TODAY)
    assert "| `bnrepro --help` | 0.2 s | at most 0.4 s | yes |" in text
    assert "| peak memory of a CIFAR-10 run, jax | not measured | at most 1.2 GB |  |" in text
    assert "refused: at step 1 its loss is 3" in text
    widths = {line.count("|") for line in text.splitlines() if line.startswith("| what")}
    assert widths == {3, 5}


def test_a_gpu_has_figures_of_its_own():
    assert played(accelerator="Some GPU").figures == figures_to_reach.ON_ONE_GPU


def test_files_are_named_after_the_device_and_the_day(tmp_path):
    (tmp_path / "bench").mkdir()
    path = report.write(played(), str(tmp_path), TODAY)
    assert path.name == "some-cpu-9000-2015-02-11-quick.md"
    assert json.loads(path.with_suffix(".json").read_text())["schema_version"] == 1


def test_what_measures_a_part_writes_over_no_other_file(tmp_path):
    (tmp_path / "bench").mkdir()
    part = replace(played(), plan=plan.choose(False, "gpu,engine,mnist_network"))
    path = report.write(part, str(tmp_path), TODAY)
    assert path.name == "some-cpu-9000-2015-02-11-mnist_network-gpu.md"


@pytest.mark.slow
def test_runs_at_once_are_faster_together_than_half_of_them_alone():
    speeds = sharing.time_shared(["threads=1"], 0.3, workloads.find("mnist_network"), (1, 2))
    assert set(speeds) == {"shared/1", "shared/2"}
    assert speeds["shared/2"] > speeds["shared/1"] / 2


def test_made_up_images_are_the_same_everywhere_and_can_be_told_apart():
    workload = workloads.find("inception_025_32")
    dataset = workloads.make_dataset(workload)
    again = workloads.make_dataset(workload)
    assert dataset.train.images.shape == (12_800, 32, 32, 3)
    assert dataset.train.images.dtype == np.uint8
    assert np.array_equal(dataset.train.images, again.train.images)
    assert set(dataset.evaluation.labels) == set(range(10))
    first = dataset.train.images[dataset.train.labels == 0].mean(axis=0)
    second = dataset.train.images[dataset.train.labels == 1].mean(axis=0)
    assert np.abs(first - second).mean() > 10


@pytest.mark.parametrize("workload", workloads.WORKLOADS, ids=lambda workload: workload.name)
@pytest.mark.parametrize("normalized", [True, False])
def test_a_workload_composes_and_leaves_out_what_only_bnrepro_does(workload, normalized):
    config = workload.compose(normalized, []).config
    assert config == config.accelerated()
    assert (config.dropout, config.l2, config.distortion) == (0, 0, 0)
    assert (config.normalization == "batch") is normalized


def test_bad_overrides_and_absent_backends_are_refused_before_anything_is_made(tmp_path):
    for words in (["learning_rat=1"], ["backend=theano"]):
        with pytest.raises(ConfigError):
            bench.main(words, plan=plan.QUICK, results_dir=str(tmp_path / "results"))
    assert not (tmp_path / "results").exists()


def test_the_table_command_is_timed_over_records_that_can_be_read(tmp_path):
    commands.write_records(tmp_path, 8)
    runs = load_runs(tmp_path)
    assert sorted(set(runs["label"])) == ["bn_baseline", "bn_x30", "bn_x5", "inception"]
    assert len(runs) == 8


def test_other_time_is_that_of_a_whole_run_over_as_much_training():
    seconds = {
        "train": 100.0, "evaluate": 10.0, "score": 6.0, "checkpoint": 4.0, "population": 1.0,
    }  # fmt: skip
    record = SimpleNamespace(seconds=seconds)
    whole = commands._shares("figure_1", record, evaluations=1, checkpoints=1)
    assert whole == pytest.approx({"beside/figure_1": 0.08, "other_time/figure_1": 0.15})
    # Of a part: twice as many evaluations for so much training, half the checkpoints.
    part = commands._shares("scale_cpu", record, evaluations=2, checkpoints=0.5, populations=0.1)
    assert part == pytest.approx({"beside/scale_cpu": 0.10, "other_time/scale_cpu": 0.221})


@pytest.mark.slow
def test_a_start_is_watched_and_a_second_seed_compiles_nothing():
    if not all(Path(os.environ.get("BNREPRO_DATA", ""), name).is_dir() for name in DATA):
        pytest.skip("BNREPRO_DATA names no folder with mnist/ and cifar10/")
    facts = commands.time_starts(["threads=1"], "jax")
    for name in STARTED:
        assert 0 < facts[f"compile/{name}/jax"] < facts[f"first_step_ever/{name}/jax"]
        assert facts[f"programs/{name}"] > 5
        assert facts[f"programs_again/{name}"] == 0
    assert 0.3 < facts["memory/cifar10/jax"] < 3


@pytest.mark.slow
def test_other_time_of_figure_1_is_that_of_a_whole_run():
    if not Path(os.environ.get("BNREPRO_DATA", ""), "mnist").is_dir():
        pytest.skip("BNREPRO_DATA names no folder with mnist/")
    shares = commands.time_figure_1_run(["train_steps=1000"])
    assert 0 < shares["other_time/figure_1"] < 2
    with pytest.raises(CommandError):
        commands.time_figure_1_run(["data.root=absent"])


def test_a_process_answers_a_bad_request_with_the_reason_and_tells_when_it_is_gone():
    worker = Worker("tensorflow", "mnist_network", [])
    try:
        with pytest.raises(WorkerError, match="AttributeError"):
            worker.ask("sing")
        worker._process.kill()
        with pytest.raises(WorkerError, match="the tensorflow process ended"):
            worker.ask("device")
    finally:
        worker.close()


def test_the_process_that_measures_loads_no_framework_that_trains():
    probe = (
        "import sys; from bnrepro import bench; bench._choose_frameworks([]);"
        "print(sorted({'tensorflow', 'keras', 'jax', 'torch'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", probe], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.slow
def test_a_contender_with_another_learning_rate_is_refused():
    workload = workloads.find("mnist_network")
    steps = workload.agreement_steps
    members = []
    for contender, overrides in (("engine", []), ("keras_loop", ["learning_rate=0.11"])):
        worker = Worker("tensorflow", workload.name, overrides)
        try:
            made = Member(worker, "tensorflow", contender, True)
            made.build()
            made.take_first_steps(steps)
            members.append(made)
        finally:
            worker.close()
    assert refuse_other_losses(members, workload.tolerance) == members[:1]


@pytest.mark.slow
@pytest.mark.timeout(4800)
def test_a_quick_call_measures_every_contender_and_leaves_its_files(tmp_path, capsys):
    assert bench.main([], plan=plan.QUICK, results_dir=str(tmp_path)) == 0
    (path,) = (tmp_path / "bench").glob("*.json")
    content = json.loads(path.read_text())
    assert [workload["name"] for workload in content["workloads"]] == [
        "mnist_network",
        "inception_025_32",
    ]
    for workload in content["workloads"]:
        for contender in workload["contenders"]:
            assert contender["refused"] is None
            assert contender["steps_per_second"]["median"] > 0
    reached = [figure for figure in content["figures"] if figure["measured"] is not None]
    assert len(reached) >= 10
    assert path.with_suffix(".md").read_text() in capsys.readouterr().out


def test_a_measurement_is_put_onto_the_page_of_results():
    page = "# Results\n\n## How fast\nIn one call ([everything it measured](bench/old.md)):\n\n| a |\n\nThe rest.\n\n## More\n| b |\n"  # noqa: E501
    measured = "# Some CPU\n\n2 threads\n\n| what | measured |\n| --- | --- |\n| x | 1 |\n\n| c |\n"
    found = show_bench().shown(page, measured, "bench/new.md")
    assert found == page.replace("old.md", "new.md").replace(
        "| a |\n", "| what | measured |\n| --- | --- |\n| x | 1 |\n"
    )
    published = (ROOT / "results/published/README.md").read_text()
    (file,) = re.findall(r"\[everything it measured\]\((\S+?)\)", published)
    text = (ROOT / "results/published" / file).read_text()
    assert show_bench().shown(published, text, file) == published


def show_bench():
    spec = importlib.util.spec_from_file_location("show_bench", ROOT / "scripts/show_bench.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
