"""The mean of class probabilities against NumPy, and what is refused."""

import shlex
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hand_made_records import HandMade, write_run

from bnrepro import cli
from bnrepro.config import ConfigError, study
from bnrepro.config.composition import compose
from bnrepro.records import predictions
from bnrepro.records.record import RecordError, read_record, write_record
from bnrepro.tables import ensemble

NUM_EXAMPLES, NUM_CLASSES = 300, 10
LABELS = np.random.default_rng(7).integers(0, NUM_CLASSES, NUM_EXAMPLES)


def probabilities_of(seed: int, num_examples: int = NUM_EXAMPLES) -> np.ndarray:
    draws = np.random.default_rng(seed).dirichlet(np.ones(NUM_CLASSES), num_examples)
    return draws.astype(np.float16)


def write_member(
    results: Path,
    seed: int,
    *overrides: str,
    probabilities: np.ndarray | None = None,
    labels: np.ndarray = LABELS,
) -> Path:
    """A run of the default network with predictions."""
    composition = compose([f"seed={seed}", "save_predictions=true", *overrides])
    found = probabilities_of(seed) if probabilities is None else probabilities
    return write_run(results, composition, HandMade(lambda step: 0.5, predictions=(found, labels)))


def change_record(directory: Path, **fields: object) -> None:
    write_record(directory, replace(read_record(directory), **fields))


def error_by_sorting(probabilities: np.ndarray, labels: np.ndarray, k: int) -> float:
    best = np.argsort(-probabilities, axis=1, kind="stable")[:, :k]
    return float(np.mean([label not in row for label, row in zip(labels, best, strict=True)]))


@pytest.mark.parametrize("k", [1, 2, 5, 10])
def test_errors_are_those_of_a_stable_sort(k: int) -> None:
    probabilities = probabilities_of(0)
    assert predictions.top_error(probabilities, LABELS, k) == pytest.approx(
        error_by_sorting(probabilities, LABELS, k)
    )


@pytest.mark.parametrize("k", [1, 5])
def test_equal_probabilities_are_in_the_order_of_classes(k: int) -> None:
    probabilities = np.full((NUM_EXAMPLES, NUM_CLASSES), 0.1)
    expected = np.mean([label >= k for label in LABELS])
    assert predictions.top_error(probabilities, LABELS, k) == pytest.approx(expected)
    assert error_by_sorting(probabilities, LABELS, k) == pytest.approx(expected)


def test_the_mean_is_arithmetic_and_in_double_precision(tmp_path: Path) -> None:
    members = predictions.read(*(write_member(tmp_path, seed) for seed in range(6)))
    expected = sum(probabilities_of(seed).astype(np.float64) for seed in range(6)) / 6
    mean = predictions.mean_probabilities(members)
    assert mean.dtype == np.float64
    np.testing.assert_allclose(mean, expected, rtol=1e-14)


def test_the_table_has_every_network_their_mean_error_and_the_ensemble(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    directories = [write_member(tmp_path, seed) for seed in range(3)]
    assert ensemble.main([str(directory) for directory in directories], str(tmp_path)) == 0
    header, *lines = capsys.readouterr().out.splitlines()
    assert header.split() == ["model", "networks", "top-1", "error", "top-5", "error"]
    singles = [error_by_sorting(probabilities_of(seed), LABELS, 1) for seed in range(3)]
    mean = np.mean([probabilities_of(seed).astype(float) for seed in range(3)], axis=0)
    for line, error in zip(
        lines, [*singles, np.mean(singles), error_by_sorting(mean, LABELS, 1)], strict=True
    ):
        assert f"{100 * error:.2f} %" in line
    assert lines[-1].split()[:2] == ["ensemble", "3"]


def test_runs_are_found_by_name_pattern_and_directory(tmp_path: Path) -> None:
    directories = [write_member(tmp_path, seed).resolve() for seed in (0, 1, 10)]
    name = directories[0].parent.name
    results = str(tmp_path)
    assert ensemble.find(name, results) == directories
    assert ensemble.find("mlp-*", results) == directories
    assert ensemble.find(f"{name}/seed_1", results) == [directories[1]]
    assert ensemble.find(f"{name}/seed_*", results) == directories
    assert ensemble.find(str(directories[1]), results) == [directories[1]]
    assert ensemble.find(str(directories[0].parent), results) == directories


def test_a_run_named_twice_counts_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = (write_member(tmp_path, seed) for seed in (0, 1))
    ensemble.main([str(first), first.parent.name, str(second)], str(tmp_path))
    assert capsys.readouterr().out.splitlines()[-1].split()[:2] == ["ensemble", "2"]


def test_runs_that_were_moved_aside_are_left_out(tmp_path: Path) -> None:
    kept, moved = (write_member(tmp_path, seed) for seed in (0, 1))
    aside = moved.rename(moved.with_name("seed_1.123.aside"))
    for run in (kept.parent.name, str(kept.parent)):
        assert ensemble.find(run, str(tmp_path)) == [kept.resolve()]
    assert ensemble.find(str(aside), str(tmp_path)) == [aside.resolve()]


def test_an_unknown_run_names_those_there_are(tmp_path: Path) -> None:
    write_member(tmp_path, 0)
    with pytest.raises(ConfigError, match="no run; expected .*mlp-digits"):
        ensemble.main(["resnet"], str(tmp_path))
    with pytest.raises(ConfigError, match="none yet"):
        ensemble.main(["resnet"], str(tmp_path / "elsewhere"))


def test_one_run_is_no_ensemble(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="an ensemble of 1: expected at least two"):
        ensemble.main([str(write_member(tmp_path, 0))], str(tmp_path))
    with pytest.raises(ConfigError, match="an ensemble of 0"):
        ensemble.main([], str(tmp_path))


def test_runs_without_predictions_are_refused_in_one_line_with_the_remedy_and_its_cost(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = write_member(tmp_path, 9)
    for seed in range(7):
        directory = write_run(
            tmp_path, compose(["bn=x5", f"seed={seed}"]), HandMade(lambda step: 0.5)
        )
        change_record(directory, seconds={"total": 300.0})
    assert cli.main(["ensemble", "mlp-*", f"results_dir={tmp_path}"]) == 2
    captured = capsys.readouterr()
    (line,) = captured.err.splitlines()
    names = ", ".join(f"mlp-digits-x5 seed {seed}" for seed in range(5))
    assert line.startswith(f"bnrepro: {names} and 2 more: no predictions, ")
    assert "about 5 minutes a run: " in line
    again = shlex.split(line.split(" a run: ")[1])
    assert again[:2] == ["bnrepro", "sweep"]
    planned = study.plan(again[2:])
    assert [run.composition.config.save_predictions for run in planned] == [True] * 7
    found = HandMade(lambda step: 0.5, predictions=(probabilities_of(0), LABELS))
    for run in planned:
        write_run(tmp_path, run.composition, found)
    assert cli.main(["ensemble", planned[0].name, str(kept), f"results_dir={tmp_path}"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].split()[:2] == ["ensemble", "8"]


def test_predictions_that_are_gone_are_made_again_in_their_place(tmp_path: Path) -> None:
    directory = write_member(tmp_path, 0)
    (directory / "predictions.npz").unlink()
    with pytest.raises(
        ConfigError, match=r"a run: bnrepro run .*save_predictions=true .*force=true"
    ):
        predictions.read(directory)


def test_a_run_that_diverged_is_to_be_left_out(tmp_path: Path) -> None:
    directory = write_run(tmp_path, compose([]), HandMade(lambda step: 0.5))
    end = read_record(directory).train_steps
    change_record(directory, status="diverged", diverged_at_step=end)
    with pytest.raises(ConfigError, match="seed 0: no predictions, for it diverged; leave it out"):
        predictions.read(directory)


def test_other_data_other_splits_and_other_lengths_are_refused(tmp_path: Path) -> None:
    first = write_member(tmp_path, 0)
    other = write_member(tmp_path, 1, "data=mnist")
    with pytest.raises(ConfigError, match="different data .digits and mnist"):
        ensemble.main([str(first), str(other)], str(tmp_path))
    split = write_member(tmp_path, 2, "data.evaluation_split=tuning")
    with pytest.raises(ConfigError, match="different evaluation splits .test and tuning"):
        ensemble.main([str(first), str(split)], str(tmp_path))
    short = write_member(tmp_path, 3, probabilities=probabilities_of(3)[:-1], labels=LABELS[:-1])
    with pytest.raises(ConfigError, match=r"different examples \(300 and 299"):
        ensemble.main([str(first), str(short)], str(tmp_path))
    turned = write_member(tmp_path, 4, labels=LABELS[::-1])
    with pytest.raises(ConfigError, match="in another order"):
        ensemble.main([str(first), str(turned)], str(tmp_path))


def test_probabilities_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    broken = probabilities_of(0)
    broken[3, 4] = np.nan
    with pytest.raises(RecordError, match="not finite"):
        predictions.read(write_member(tmp_path, 0, probabilities=broken))


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    directory = write_member(tmp_path, 0)
    path = directory / "predictions.npz"
    whole = path.read_bytes()
    middle = len(whole) // 2
    turned = whole[:middle] + bytes(byte ^ 255 for byte in whole[middle : middle + 50])
    for content in (whole[:200], b"", b"no archive", turned + whole[middle + 50 :]):
        path.write_bytes(content)
        with pytest.raises(RecordError, match=r"predictions\.npz: cannot be read"):
            predictions.read(directory)
    np.save(path.with_suffix(".npy"), probabilities_of(0))
    path.with_suffix(".npy").rename(path)
    with pytest.raises(RecordError, match=r"predictions\.npz: cannot be read"):
        predictions.read(directory)


def test_labels_beyond_the_classes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="labels beyond the 10 classes"):
        predictions.read(write_member(tmp_path, 0, labels=LABELS + 1))


def test_shapes_that_do_not_fit_are_named(tmp_path: Path) -> None:
    directory = write_member(tmp_path, 0, labels=LABELS[:-1])
    with pytest.raises(RecordError, match=r"received \(300, 10\) and \(299,\)"):
        predictions.read(directory)
