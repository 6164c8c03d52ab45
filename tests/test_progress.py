"""What is shown while a run trains: numbers, dashes where nothing was measured, the time left."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bnrepro.config import with_values
from bnrepro.config.composition import compose
from bnrepro.measures.progress import Pace, ProgressObserver, evaluations_after
from bnrepro.records.record import CurveRow

CONFIG = compose(["train_steps=1000", "evaluate_every=100"]).config


class Losses:
    """What the observer reads of a segment."""

    def __init__(self, *losses):
        self.loss = np.array(losses)


def row(step, accuracy=0.9721, train_loss=0.5):
    return CurveRow(step, train_loss, 0.5, 0.5, accuracy, 0.1, 1.0)


def observer(folder, step=0, curve=(), **seconds):
    return ProgressObserver(
        folder, CONFIG, step, list(curve), {"train": 0.0, "evaluate": 0.0, **seconds}
    )


def test_before_anything_is_measured_there_are_dashes(tmp_path):
    shown = observer(tmp_path)._parts()
    assert shown == ["step 0 of 1,000", "accuracy -", "- left", "loss -", "- steps/s"]


def test_after_the_first_evaluation_only_its_accuracy_is_known(tmp_path):
    first = row(0, train_loss=math.nan)
    watching = observer(tmp_path)
    watching.on_evaluation(None, first._asdict())
    assert watching._parts()[1::2] == ["accuracy 97.21 %", "loss -"]
    resumed = observer(tmp_path, curve=[first])
    assert resumed._parts()[1::2] == ["accuracy 97.21 %", "loss -"]


def test_a_resumed_run_shows_what_was_known_last(tmp_path):
    curve = [row(0, 0.1, math.nan), row(100)]
    shown = observer(tmp_path, step=125, curve=curve, train=30.0, evaluate=2.0)._parts()
    assert shown == [
        "step 125 of 1,000", "accuracy 97.21 %", "- left", "loss 0.5000", "- steps/s",
    ]  # fmt: skip


def test_what_was_not_a_number_is_a_dash_or_the_last_known_value_also_after_a_resume(tmp_path):
    nothing = row(0, accuracy=math.nan)
    watching = observer(tmp_path, curve=[nothing])
    assert watching._parts()[1] == "accuracy -"
    watching.on_evaluation(None, nothing._asdict())
    assert (watching._parts()[1], watching._facts()["accuracy"]) == ("accuracy -", None)
    resumed = observer(tmp_path, step=100, curve=[row(0), row(100, accuracy=math.nan)])
    assert resumed._parts()[1] == "accuracy 97.21 %"


def test_what_is_measured_is_shown_in_percent_and_steps_per_second(tmp_path):
    seconds = {"train": 0.0, "evaluate": 0.5}
    watching = ProgressObserver(tmp_path, CONFIG, 0, [row(0)], seconds)
    seconds["train"] = 2.0
    watching.on_segment(50, 2.0, Losses(0.2, 0.4))
    assert watching._parts() == [
        "step 50 of 1,000", "accuracy 97.21 %", "- left", "loss 0.3000", "25.0 steps/s",
    ]  # fmt: skip


def test_the_time_left_is_of_steady_training_and_of_the_evaluations_to_come():
    seconds = {"train": 0.0, "evaluate": 0.0, "compile": 60.0}
    curve = []
    pace = Pace(CONFIG, 0, curve, seconds)
    assert pace.seconds_left() is None
    curve.append(row(0))
    seconds["evaluate"] += 3
    seconds["train"] += 40  # the first segment of a process is slow
    pace.on_segment(50)
    assert pace.seconds_left() is None
    seconds["train"] += 5
    pace.on_segment(100)
    assert pace.steps_per_second == 10
    # 900 steps at 10 a second; evaluations at 200, 300, ..., 1000 of 3 seconds.
    assert pace.seconds_left() == 900 / 10 + 9 * 3


@pytest.mark.parametrize("step", [0, 100, 999])
def test_a_run_that_went_on_knows_its_evaluations_from_before(step):
    seconds = {"train": 100.0, "evaluate": 8.0}
    curve = [row(0), row(100)]
    pace = Pace(CONFIG, step, curve, seconds)
    for at in (step + 1, step + 2):
        seconds["train"] += 1
        pace.on_segment(at)
    assert pace.seconds_left() is not None


@given(
    st.integers(0, 60), st.integers(0, 80), st.integers(1, 20), st.integers(1, 20),
    st.integers(0, 60),
)  # fmt: skip
def test_the_evaluations_to_come_are_counted(last, early, every, early_every, step):
    values = {"train_steps": last, "early_steps": early, "evaluate_every": every}
    config = with_values(CONFIG, {**values, "evaluate_every_early": early_every})
    number, at = 0, step
    while at < last:
        at = config.next_evaluation(at)
        number += 1
    assert evaluations_after(config, step) == number
