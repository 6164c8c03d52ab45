"""What is printed before a run and after it."""

from dataclasses import replace

import pytest
from hand_made_records import RECORD

from bnrepro.cli.summary import device_line, differences, result_row, summary
from bnrepro.config.composition import compose


def test_the_summary_says_what_is_trained_on_what():
    lines = summary(compose(["experiment=bn_x5", "learning_rate=0.02"]), 100).splitlines()
    assert lines == [
        "bn_x5-smoke-rate0.02  seed 0",
        "  data      digits",
        "  model     inception, width 0.25, relu, batch normalization before the activation",
        "  training  400 steps of 32 examples, momentum, rate 0.02 x 5, exponential",
        "  differs   learning_rate=0.02",
        "  engine    tensorflow, float32",
    ]


@pytest.mark.parametrize("columns", [80, 160])
def test_the_summary_is_as_wide_as_the_terminal_and_breaks_no_word(columns):
    words = ["model=inception", "optimizer=adam", "train_steps=70", "batch_size=7", "l2=0.01"]
    composition = compose([*words, "dropout=0.25", "activation=tanh", "evaluate_every=50"])
    lines = summary(composition, columns).splitlines()
    assert max(map(len, lines)) <= columns
    unbroken = summary(composition, 1000)
    assert " ".join(lines).split() == unbroken.split()
    assert all(line.startswith("  ") for line in lines[1:])


@pytest.mark.parametrize(
    ("words", "different"),
    [
        # What a run is: nothing differs from it.
        ("", ""),
        ("model=inception bn=x5", ""),
        ("model=cnn data=mnist bn=none", ""),
        ("experiment=bn_x5", ""),
        ("experiment=bn_x30 scale=cpu", ""),
        # What is no part of it.
        ("seed=3 threads=1 results_dir=elsewhere force=true tensorboard=false", ""),
        # A value is one if the run without the word has another.
        ("train_steps=300 evaluate_every=100", "train_steps=300 evaluate_every=100"),
        ("learning_rate=0.1 batch_size=60", ""),
        ("model=cnn learning_rate=0.1", "learning_rate=0.1"),
        ("experiment=bn_x5 scale=smoke train_steps=400 learning_rate=0.5", "learning_rate=0.5"),
        ("normalization=batch placement=before", ""),
        ("normalization=group", "normalization=group"),
        ("bn=x5 accelerate=[]", "accelerate=[]"),
        ("bn=x1 accelerate=[]", ""),
        # A further choice is one if it changes what the model or the experiment means by itself.
        ("optimizer=adam", "optimizer=adam"),
        ("model=inception optimizer=momentum", ""),
        ("optimizer=adam optimizer.epsilon=1e-7", "optimizer=adam"),
        ("optimizer=adam optimizer.epsilon=1e-3", "optimizer=adam optimizer.epsilon=0.001"),
        ("experiment=bn_x5 bn=none", "bn=none"),
        ("experiment=bn_x5 model=mlp", "model=mlp"),
        ("experiment=bn_x5 model=inception bn=x5", ""),
    ],
)
def test_only_what_the_user_set_and_what_changes_something_differs(words, different):
    assert " ".join(differences(compose(words.split()))) == different


def test_the_device_is_the_accelerator_or_the_threads_of_the_processor():
    config = compose(["threads=1"]).config
    assert device_line(None, config, 80) == "  device    CPU, 1 thread"
    assert device_line("NVIDIA H100", config, 80) == "  device    NVIDIA H100"


def test_the_row_of_a_completed_run():
    assert result_row(RECORD) == (
        "bn_x5-smoke · seed 3 · completed 2,000 steps · best accuracy 97.22 % at step 1,750 · "
        "final 96.94 % · with population statistics 96.67 % · 500 steps/s, 4.0 s of training"
    )


def test_the_row_of_a_diverged_run_claims_no_final_accuracy():
    record = replace(
        RECORD,
        status="diverged",
        train_steps=431,
        diverged_at_step=431,
        best_accuracy=0.3,
        best_accuracy_step=0,
        final_accuracy=0.1,
        final_accuracy_population=None,
        seconds={"train": 0.0},
    )
    assert result_row(record) == (
        "bn_x5-smoke · seed 3 · diverged at step 431 · best accuracy 30.00 % at step 0 before that"
    )


def test_the_row_of_a_run_that_diverged_before_anything_was_measured_has_no_accuracy():
    record = replace(
        RECORD, status="diverged", train_steps=1, diverged_at_step=1, best_accuracy=None,
        best_accuracy_step=None, final_accuracy=None, final_accuracy_population=None, seconds={},
    )  # fmt: skip
    assert result_row(record) == "bn_x5-smoke · seed 3 · diverged at step 1"


def test_the_row_of_a_failed_run_gives_the_reason():
    record = replace(
        RECORD, status="failed", train_steps=1, best_accuracy=None, final_accuracy=None,
        final_accuracy_population=None, seconds={}, error="OSError: disk full",
    )  # fmt: skip
    assert result_row(record) == ("bn_x5-smoke · seed 3 · failed after 1 step (OSError: disk full)")
