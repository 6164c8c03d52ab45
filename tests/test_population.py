"""Algorithm 2, from mini-batches to the number in the record, against NumPy in float64.

And what it is there for: a network that inference with moving averages makes useless.
"""

from functools import cache

import numpy as np
import numpy_training
import pytest
from engine_process import BACKENDS, ask

from bnrepro import data
from bnrepro.config.composition import compose
from bnrepro.records.record import CURVE_COLUMNS

EVERY, STEPS = 20, 60
RUN = (
    "model=mlp", "batch_size=20", "model.hidden_layers=2", "model.width=0.3",
    f"train_steps={STEPS}", f"evaluate_every={EVERY}", f"checkpoint_every={EVERY}",
    "learning_rate=0.2", "schedule=exponential", "schedule.decay_steps=30",
    "schedule.decay_rate=0.5", "distortion=0.5", "batch_normalization.momentum=0.98",
)  # fmt: skip
FEW_BATCHES = "batch_normalization.population_batches=3"
POPULATION = "batch_normalization.inference=population"


def training_of(overrides, variables):
    config = compose(list(overrides)).config
    return numpy_training.Training(config, data.load(config.data), variables)


@cache
def recorded(backend, *overrides, interrupt_at=None):
    return ask("recorded", (*RUN, *overrides), interrupt_at, backend=backend)


def expected_curve(training, evaluate):
    """The rows of `curve.csv` but for the times, and the training at its end."""
    rows, losses, hits = [], [], []
    for step in range(STEPS + 1):
        if step % EVERY == 0:
            loss = np.mean(losses) if losses else np.nan
            accuracy = np.sum(hits) / (20 * len(hits)) if hits else np.nan
            rate = numpy_training.rate(training.config, step)
            rows.append((step, loss, accuracy, *evaluate(training), rate))
            losses, hits = [], []
        if step < STEPS:
            loss, correct = training.step(step)
            losses.append(loss)
            hits.append(correct)
    return rows


def assert_is_recorded(answer, curve):
    """The answer's curve, and of its record what is read off a curve."""
    received = [[row[name] for name in CURVE_COLUMNS[:-1]] for row in answer["curve"]]
    np.testing.assert_allclose(received, curve, rtol=1e-5, atol=1e-9)
    accuracies = [row[4] for row in curve]
    best = int(np.argmax(accuracies))
    record = answer["record"]
    assert record["final_accuracy"] == pytest.approx(accuracies[-1], abs=1e-12)
    assert record["best_accuracy"] == pytest.approx(accuracies[best], abs=1e-12)
    assert record["best_accuracy_step"] == EVERY * best


@BACKENDS
def test_every_number_of_a_resumed_runs_record_follows_the_formulas(backend):
    answer = recorded(backend, interrupt_at=EVERY)
    training = training_of(RUN, answer["before"])
    curve = expected_curve(training, numpy_training.Training.evaluation)
    assert_is_recorded(answer, curve)
    population = training.population_evaluation()[1]
    recorded_population = answer["record"]["final_accuracy_population"]
    assert recorded_population == pytest.approx(population, abs=1e-12)
    assert abs(population - curve[-1][4]) > 0.02  # averages that remember the beginning
    for path, value in training.network.values("statistics").items():
        np.testing.assert_allclose(answer["after"][path], value, rtol=1e-6, err_msg=path)


@BACKENDS
def test_algorithm_2_of_the_mean_alone_follows_the_formulas(backend):
    words = ("normalization=mean_only", "reparametrization=weight_from_data", FEW_BATCHES)
    answer = recorded(backend, *words)
    training = training_of((*RUN, *words), answer["before"])
    curve = expected_curve(training, numpy_training.Training.evaluation)
    assert_is_recorded(answer, curve)
    population = training.population_evaluation()[1]
    assert answer["record"]["final_accuracy_population"] == pytest.approx(population, abs=1e-12)
    assert population != curve[-1][4]


@BACKENDS
def test_a_curve_with_population_statistics_follows_the_formulas(backend):
    answer = recorded(backend, FEW_BATCHES, POPULATION)
    training = training_of((*RUN, FEW_BATCHES), answer["before"])
    curve = expected_curve(training, numpy_training.Training.population_evaluation)
    assert_is_recorded(answer, curve)
    assert answer["record"]["final_accuracy_population"] == answer["record"]["final_accuracy"]


@pytest.mark.slow
@BACKENDS
def test_a_signal_during_an_evaluation_changes_nothing_but_when_it_is_made(backend):
    """Four batches an evaluation, three of them for the statistics; at the end once more."""
    overrides = (*RUN, FEW_BATCHES, POPULATION)
    in_the_first, in_the_second, at_once, at_the_end = 2, 4 + 3, 1, 3 * 4 + 2
    signals = (in_the_first, in_the_second, at_once, at_the_end)
    *left, last = ask("recorded_after_signals", overrides, signals, backend=backend)
    assert [one["record"]["status"] for one in left] == ["interrupted"] * 4
    assert [one["record"]["train_steps"] for one in left] == [0, EVERY, EVERY, STEPS]
    assert [len(one["curve"]) for one in left] == [0, 1, 1, 4]
    undisturbed = recorded(backend, FEW_BATCHES, POPULATION)
    rows = [list(row.values())[:-1] for row in undisturbed["curve"]]
    np.testing.assert_array_equal(last["curve"], rows)
    for key in ("status", "weights_digest", "final_accuracy_population", "best_accuracy_step"):
        assert last["record"][key] == undisturbed["record"][key]


@BACKENDS
def test_statistics_behind_a_dropout_are_of_what_nothing_drops(backend):
    """Algorithm 2's are of the network that infers; the moving averages saw the dropout (X12)."""
    words = ("hidden_dropout=0.5", FEW_BATCHES)
    answer = ask("inferences", (*RUN, *words), 5, backend=backend)
    training = training_of((*RUN, *words), answer["after"])
    for received, expected in zip(
        answer["statistics"], training.population().values(), strict=True
    ):
        np.testing.assert_allclose(received, expected, rtol=1e-6)


def test_there_are_no_population_statistics_without_batch_normalization():
    answer = recorded("jax", "normalization=layer", POPULATION)
    assert answer["record"]["final_accuracy_population"] is None
    training = training_of((*RUN, "normalization=layer"), answer["before"])
    assert_is_recorded(answer, expected_curve(training, numpy_training.Training.evaluation))


def test_a_batch_normalization_of_any_name_has_population_statistics():
    """What decides is the network, not the name of its normalization."""
    plain = recorded("jax", POPULATION)
    named = ask("recorded_under_another_name", (*RUN, POPULATION, "normalization=layer"),
                backend="jax")  # fmt: skip
    for key in ("final_accuracy", "final_accuracy_population", "weights_digest"):
        assert named["record"][key] == plain["record"][key] is not None


# The sigmoid CNN that collapses under moving averages (results/published/placement/NOTES.md).

COLLAPSE_STEPS = 75
COLLAPSING = ("model=cnn", "model.width=0.1", "activation=sigmoid", "learning_rate=0.5")


def trained(overrides, variables):
    """The training in NumPy at its end."""
    training = training_of(overrides, variables)
    for step in range(COLLAPSE_STEPS):
        training.step(step)
    return training


@cache
def collapsed(placement):
    overrides = (*COLLAPSING, f"placement={placement}")
    return trained(overrides, ask("scored", overrides, backend="jax")["weights"])


@BACKENDS
def test_both_inferences_of_a_sigmoid_cnn_follow_the_formulas(backend):
    answer = ask("inferences", COLLAPSING, COLLAPSE_STEPS, backend=backend)
    training = trained(COLLAPSING, answer["before"])
    np.testing.assert_allclose(answer["moving_average"], training.evaluation(), rtol=1e-6)
    np.testing.assert_allclose(answer["population"], training.population_evaluation(), rtol=1e-6)
    for received, expected in zip(
        answer["statistics"], training.population().values(), strict=True
    ):
        np.testing.assert_allclose(received, expected, rtol=1e-6)
    assert answer["unchanged"]


def test_moving_averages_make_a_sigmoid_cnn_useless_and_population_statistics_do_not():
    training = collapsed("before")
    assert training.evaluation()[1] < 0.5
    assert training.population_evaluation()[1] > 0.85


def test_averages_are_off_by_whole_deviations_where_what_is_normalized_lies_far_from_0():
    """In the hidden layer after the average pool.

    Sigmoids are above 0, and their averages over a map are nearly one common part: training takes
    it away exactly, inference as well as the averages know it.
    """
    before, before_error = offset_and_error(collapsed("before"))
    after, after_error = offset_and_error(collapsed("after"))
    assert before > 10 > 5 > after
    assert before_error > 1 > 0.2 > after_error


def offset_and_error(training):
    """Of the last batch normalization, in standard deviations of what it normalizes.

    How far from 0 that lies (median over units), and how far off the moving mean is (largest).
    """
    *_, (layer, (mean, variance)) = training.population().items()
    deviation = np.sqrt(variance)
    error = np.abs(layer.statistics["moving_mean"] - mean) / deviation
    return np.median(np.abs(mean) / deviation), error.max()
