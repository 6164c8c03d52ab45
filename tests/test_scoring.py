"""`bnrepro evaluate`: finished networks on other images, held to scores made here."""

import csv
import io
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from engine_process import JAX_AND_SLOWLY_TENSORFLOW, ask
from hand_made_records import HandMade, write_run

from bnrepro import cli
from bnrepro.api import scoring
from bnrepro.api.scoring import COLUMNS, Score
from bnrepro.config.composition import compose

WORDS = [
    "model=mlp", "bn=x1", "train_steps=40", "evaluate_every=40", "data.evaluation_split=tuning",
]  # fmt: skip
ASKED = [
    ([], None, None),
    ([], None, "population"),
    ([], "train", None),
    (["data.evaluation_split=pilot"], None, None),
    (["data.image_size=16"], None, None),
]


@cache
def answer(backend, *words):
    return ask("evaluated", [*WORDS, *words], ASKED, backend=backend, precision="float32")


@JAX_AND_SLOWLY_TENSORFLOW
def test_a_network_scores_as_at_the_end_of_its_training(backend):
    found = answer(backend)
    own, population, *_ = found["scores"]
    row = found["last row"]
    assert (own["loss"], own["accuracy"]) == (row[3], row[4])
    assert population["accuracy"] == found["record"]["final_accuracy_population"]
    assert population["loss"] != own["loss"]
    assert [one["inference"] for one in (own, population)] == ["moving_average", "population"]
    assert {(one["data"], one["split"]) for one in (own, population)} == {("digits", "tuning")}


@JAX_AND_SLOWLY_TENSORFLOW
def test_on_what_it_was_trained_on_the_score_is_that_of_its_logits(backend):
    found = answer(backend)
    logits, labels = found["train"]
    logits = logits.astype(float)
    each = np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(labels)), labels]
    score = found["scores"][2]
    assert score["images"] == len(labels) and score["split"] == "train"
    assert score["loss"] == pytest.approx(each.mean(), rel=1e-5)
    assert score["accuracy"] == pytest.approx((logits.argmax(axis=1) == labels).mean())


def test_images_that_it_was_trained_on_are_named():
    own, population, train, pilot, _ = answer("jax")["scores"]
    assert [one["caution"] for one in (own, population, train)] == [""] * 3
    # A fifth of the training images, of which the run held half out.
    expected = "the pilot images are of the training set, and this network was trained on some of"
    assert pilot["caution"].startswith(expected)
    assert pilot["images"] == 2 * own["images"] == pytest.approx(0.2 * 1438, abs=2)


def test_what_a_network_does_not_take_is_refused():
    assert "data.image_size=16" in answer("jax")["scores"][-1]
    expected = "no weights; expected those of a run that was trained here"
    assert expected in answer("jax")["without a model"]


def test_bad_weights_are_named_and_the_others_scored():
    scored, said = answer("jax")["beside bad ones"]
    assert scored == ["seed_0"]
    damaged, foreign = said.splitlines()
    assert damaged.startswith("left out: ") and "seed_8/model.keras: cut short" in damaged
    assert "seed_9/model.keras: not the weights of the network in config.yaml" in foreign


@pytest.mark.slow
def test_without_batch_normalization_there_are_no_population_statistics():
    asked, words = ASKED[:2], [*WORDS, "bn=none"]
    found = ask("evaluated", words, asked, backend="jax", precision="float32")
    own, refused = found["scores"]
    assert own["inference"] is None
    assert refused == "inference=population: RUN has no batch normalization; leave inference out"


SCORE = Score(Path("runs/mlp/seed_3"), "digits", "test", 359, "moving_average", 0.25, 0.9722)


def test_a_score_is_a_line_and_the_run_below_it():
    assert scoring.lines_of(SCORE) == (
        "97.22 %  loss 0.2500  digits test, 359 images, moving average statistics",
        "    mlp seed 3",
    )


def test_the_csv_has_fractions(tmp_path):
    directory = write_run(tmp_path, compose(["seed=3"]), HandMade(lambda step: 0.5))
    score = Score(directory, "digits", "train", 1438, None, 0.25, 0.9722)
    (row,) = csv.DictReader(io.StringIO(scoring.to_csv([score])))
    assert tuple(row) == COLUMNS
    assert (row["seed"], row["split"], row["images"], row["inference"]) == (
        "3",
        "train",
        "1438",
        "",
    )
    assert (row["loss"], row["accuracy"]) == ("0.25", "0.9722")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "evaluate: expected runs, such as"),
        (["mlp"], "mlp: no run; expected a run's directory or a name below"),
        (
            ["mlp", "split=validation"],
            "split validation: expected one of train, test",
        ),
        (["mlp", "inference=batch"], "inference batch: expected one of moving_average"),
        (["mlp", "learning_rate=1"], "`bnrepro evaluate` takes only results_dir, data"),
        (["mlp", "data=digits,mnist"], "expected one value for one run"),
    ],
)
def test_bad_words_are_refused(words, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["evaluate", *words]) == 2
    assert message in capsys.readouterr().err
