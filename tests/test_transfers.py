"""Exactly what goes to an accelerator and comes from it: in a segment, and when it is looked at.

A processor's memory is everybody's, but what would be copied is known there, too.
"""

import json
import os
import subprocess
import sys
from collections import Counter
from functools import cache
from pathlib import Path

from engine_process import JAX_AND_SLOWLY_TENSORFLOW

ROOT = Path(__file__).parents[1]
COUNT = Path(__file__).with_name("count_transfers.py")
MLP = ("model=mlp", "data=digits", "bn=x1", "threads=1", "measures=[percentiles,norms]")
UNITS, LAYERS, WEIGHTS, STEPS = 100, 3, 11, 500
# Two order statistics for each of three percentiles of a unit; least and greatest; 29 inner edges.
SUMMARY = [4 * UNITS * 3 * 2, 4 * 2, 4 * 29]
# Of the 359 images of the evaluation split: sums of 32 losses, hits, how many were told.
SCORE = [4 * 12, 4, 4]


@cache
def counted(backend):
    """By part: of each time that the host waits, the bytes of each array; how often it sends."""
    done = subprocess.run(
        [sys.executable, str(COUNT), f"backend={backend}", *MLP],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    sent, part = Counter(), ""
    for line in done.stderr.splitlines():
        if line.startswith("== "):
            part = line.removeprefix("== ")
        sent[part] += "host-to-device transfer" in line
    return json.loads(done.stdout), sent


@JAX_AND_SLOWLY_TENSORFLOW
def test_a_segment_sends_its_inputs_and_fetches_what_it_saw(backend):
    """Indices, rates and the number of steps; losses and hits, and whether weights are finite."""
    fetched, sent = counted(backend)
    for part in ("segment 0", "segment 10"):
        assert fetched[part] == [[4 * STEPS, 4 * STEPS], [1]]
        assert sent[part] == 3


@JAX_AND_SLOWLY_TENSORFLOW
def test_an_evaluation_sends_one_batch_of_indices_and_waits_once_for_each_question(backend):
    """No image goes up: the gradient's batch is chosen among those that lie there."""
    fetched, sent = counted(backend)
    norms = [[4 * WEIGHTS]] * 2
    for part in ("evaluation 0", "evaluation 10"):
        assert fetched[part] == [SCORE, SUMMARY, *norms, SUMMARY * LAYERS]
        assert sent[part] == 1


def test_the_population_pass_waits_three_times():
    """For the averages, for the moving ones that they replace, and for the score."""
    fetched, sent = counted("jax")
    statistics = [4 * UNITS] * 2 * LAYERS
    for part in ("population 0", "population 10"):
        assert fetched[part] == [statistics, statistics, SCORE]
        # Which images; the averages are put in place, and the moving ones back.
        assert sent[part] == 1 + 2 * len(statistics)
