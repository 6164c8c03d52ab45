"""Loss surfaces: the curves against Keras and X13, the study at its smallest, tables, the page."""

import itertools
import json
import re
import shutil
import subprocess
from functools import cache

import numpy as np
import pandas as pd
import pytest
from engine_process import JAX_AND_SLOWLY_TENSORFLOW, ask

from bnrepro import cli
from bnrepro.drawing import surfaces
from bnrepro.drawing.surfaces import Plane
from bnrepro.exhibits import making
from bnrepro.exhibits.surfaces import claims
from bnrepro.exhibits.surfaces.claims import CRITERIA, FROZEN, PLAIN, SKIP, SKIPINIT, SOUND
from bnrepro.lab import surfaces as study
from bnrepro.records.laboratory import SMOKE

NETWORK = (
    *("model=resnet", "model.blocks=1", "model.width=0.2", "bn=x1", "batch_size=20"),
    *("learning_rate=0.05", "batch_normalization.momentum=0.5"),
    # So small an epsilon that a kernel's scale shows nowhere.
    *("input_normalization=false", "batch_normalization.epsilon=1e-12"),
)


@cache
def around(backend):
    return ask("around_trained", NETWORK, backend=backend)


# What is computed.


@JAX_AND_SLOWLY_TENSORFLOW
def test_lines_and_planes_are_what_keras_says_at_those_weights(backend):
    answer = around(backend)
    np.testing.assert_allclose(answer["line"], answer["line_by_keras"], rtol=1e-10)
    np.testing.assert_allclose(answer["plane"], answer["plane_by_keras"], rtol=1e-10)
    assert np.ptp(answer["line"]) > 0.1


@JAX_AND_SLOWLY_TENSORFLOW
def test_the_scale_of_a_normalized_kernel_is_not_seen(backend):
    """X13: with the mini-batch's statistics; with frozen ones it is."""
    answer = around(backend)
    np.testing.assert_allclose(answer["scaled"]["batch"], answer["as_is"]["batch"], rtol=1e-6)
    ratio = answer["scaled"]["frozen"] / answer["as_is"]["frozen"]
    assert np.abs(ratio - 1).max() > 0.01


@JAX_AND_SLOWLY_TENSORFLOW
def test_the_largest_curvature_is_the_second_difference_along_its_direction(backend):
    answer = around(backend)
    steepest, random = answer["curvatures_by_differences"]
    assert answer["curvature"] == pytest.approx(steepest, rel=1e-4)
    assert steepest > 10 * abs(random)


@JAX_AND_SLOWLY_TENSORFLOW
def test_every_filter_of_a_direction_is_as_long_as_the_networks(backend):
    answer = around(backend)
    for path, direction in answer["direction"].items():
        weights = answer["weights"][path]
        if weights.ndim < 2:
            assert not direction.any()
        else:
            axes = tuple(range(weights.ndim - 1))
            lengths = [np.sqrt((each**2).sum(axes)) for each in (direction, weights)]
            np.testing.assert_allclose(*lengths, rtol=1e-6)


SHARES = (-0.1, 0.0, 0.3, 1.0, 1.1)


@cache
def between(backend):
    words = ("model=mlp", "model.width=0.1", "bn=x1", "batch_size=20", "activation=relu")
    return ask("between_trained", words, SHARES, backend=backend)


@JAX_AND_SLOWLY_TENSORFLOW
def test_between_two_solutions_weights_and_moving_averages_lie_on_the_line(backend):
    """At 0 and 1 stand the two networks, and beside them what Keras has at those variables."""
    answer = between(backend)
    moving, anew = answer["own"].swapaxes(0, 1)
    np.testing.assert_array_equal(answer["moving"][[1, 3]], moving)
    np.testing.assert_array_equal(answer["anew"][[1, 3]], anew)
    np.testing.assert_allclose(answer["moving"], answer["by_keras"], rtol=1e-10)
    assert np.ptp(answer["moving"][:, 0]) > 0.1
    assert np.abs(answer["moving"] - answer["anew"])[:, 0].min() > 1e-3


@JAX_AND_SLOWLY_TENSORFLOW
def test_between_a_network_and_itself_nothing_changes_nor_does_the_engine(backend):
    answer = between(backend)
    np.testing.assert_allclose(answer["constant"], [answer["constant"][1]] * len(SHARES))
    assert answer["undisturbed"]


@JAX_AND_SLOWLY_TENSORFLOW
def test_a_finer_grid_around_ones_own_run_computes_its_new_points_alone(backend):
    words = ("model=mlp", "model.width=0.05", "bn=x1", "train_steps=4", "evaluate_every=4")
    answer = ask("surfaces_of_a_run", words, backend=backend)
    # Three modes of a line and a plane; the center of the plane is not the line's.
    assert answer["computed"] == [3 * (5 + 9), 3 * (4 + 16), 0, 3 * (9 + 25)]
    coarse, fine = answer["lines"]
    assert len(fine) == 3 * 9
    assert all(row in fine for row in coarse)
    assert answer["files"] == [
        *("lines.csv", "plane.csv", "surface.png", "surface.svg", "interactive.html"),
    ]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "surface: expected runs, such as"),
        (["--points", "10"], "--points 10: expected an odd number of at least 3"),
        (["--plane", "1"], "--plane 1: expected an odd number of at least 3"),
        (["--modes", "frozen,moving"], "--modes=moving: expected one of batch, frozen, population"),
        ([], "no run"),
    ],
)
def test_what_the_command_cannot_do_is_said(words, message, tmp_path, capsys):
    runs = [] if "expected runs" in message else ["mlp-digits-x1"]
    assert cli.main(["surface", *runs, *words, f"results_dir={tmp_path}"]) == 2
    assert message in capsys.readouterr().err


# What is measured.


def bowl(curvatures, points=5):
    lengths = np.linspace(-1, 1, points)
    first, second = np.meshgrid(lengths, lengths, indexing="ij")
    losses = 1 + curvatures[0] * first**2 + curvatures[1] * second**2
    return Plane("bowl", lengths, losses)


def test_the_share_that_bends_down_counts_saddles_and_holes_and_no_bowl():
    assert surfaces.nonconvex_share(bowl((1, 1))) == 0
    assert surfaces.nonconvex_share(bowl((1, -0.1))) == 1
    holed = bowl((1, 1))
    holed.losses[0, 0] = np.nan
    assert surfaces.nonconvex_share(holed) == pytest.approx(1 / 9)
    # x y bends down along one diagonal only.
    lengths = holed.lengths
    saddle = Plane("saddle", lengths, 2 + np.outer(lengths, lengths))
    assert surfaces.nonconvex_share(saddle) == 1


def test_levels_are_common_and_hold_all_that_is_finite():
    one, other = bowl((1, 1)), bowl((30, 1))
    one.losses[0, 0] = np.inf
    found = surfaces.levels([one, other])
    assert found[0] <= 1 and found[-1] >= 32
    np.testing.assert_allclose(found[1:] / found[:-1], 10**0.25)
    assert len(surfaces.levels([bowl((1e6, 1))])) < 15


def tables(rise, nonconvex=(0, 0), frozen=2.0):
    """Lines of three seeds that rise by `rise(network, layers)` at |a| = 0.5, dented or not."""
    rows = []
    lengths = np.linspace(-1, 1, 9)
    for network, layers, seed, mode in itertools.product(
        (SKIP, PLAIN, SKIPINIT), (8, 14), range(3), (FROZEN, SOUND)
    ):
        if network == SKIPINIT and mode == SOUND:
            continue
        factor = frozen if mode == FROZEN else 1.0
        losses = 0.1 + 4 * factor * rise(network, layers) * lengths**2
        if nonconvex[network == PLAIN]:
            losses[[0, -1]] = losses[[1, -2]]
        rows += [
            (network, layers, seed, 0, mode, length, loss)
            for length, loss in zip(lengths, losses, strict=True)
        ]
    columns = ["network", "layers", "seed", "direction", "mode", "length", "loss"]
    return {"lines": pd.DataFrame(rows, columns=columns)}


def as_claimed(network, layers):
    return {SKIP: 1.0, PLAIN: layers / 4, SKIPINIT: 1.0}[network]


def holds(found):
    verdicts = zip(CRITERIA, claims.JUDGED.verdicts(found), strict=True)
    return {key for key, verdict in verdicts if verdict.verdict == "hint: holds"}


def test_what_is_as_claimed_holds():
    assert holds(tables(as_claimed, nonconvex=(0, 1))) == set(CRITERIA)


@pytest.mark.parametrize(
    ("changes", "failing"),
    [
        ({"rise": lambda *_: 1.0}, {"B1.rise", "B1.rise_frozen", "B1.depth"}),
        ({"rise": lambda network, _: {PLAIN: 2.0}.get(network, 1.0)}, {"B1.depth"}),
        ({"nonconvex": (0, 0)}, {"B1.nonconvex"}),
        ({"frozen": 0.9}, {"B2.frozen"}),
    ],
)
def test_without_its_mechanism_a_criterion_fails(changes, failing):
    found = tables(**{"rise": as_claimed, "nonconvex": (0, 1), **changes})
    assert set(CRITERIA) - holds(found) == failing


def test_a_loss_that_is_not_finite_is_an_infinite_rise():
    found = tables(as_claimed)["lines"]
    found.loc[(found["network"] == PLAIN) & (found["length"].abs() == 0.5), "loss"] = np.nan
    assert np.isinf(claims.rises(found).xs(PLAIN, level="network")).all()


@pytest.mark.slow
def test_the_study_at_its_smallest_is_drawn_without_verdicts(tmp_path):
    folder = tmp_path / "laboratory" / "surfaces"
    folder.mkdir(parents=True)
    study.compute(folder, SMOKE)
    (folder / "record.json").write_text(
        '{"study": "", "question": "", "seconds": 1, "environment": {}, "scale": "smoke"}'
    )
    lines, planes = (pd.read_csv(folder / f"{name}.csv") for name in ("lines", "planes"))
    center = lines[(lines["length"] == 0) & (lines["mode"] == FROZEN)]
    middle = planes[(planes["first"] == 0) & (planes["second"] == 0) & (planes["mode"] == FROZEN)]
    np.testing.assert_allclose(center["loss"].to_numpy(), middle["loss"].to_numpy(), rtol=1e-4)
    made = making.exhibit("surfaces", str(tmp_path))
    (verdicts,) = [table for table in made.tables if table.name == "verdicts"]
    assert {row[-1] for row in verdicts.rows} == {"inconclusive"}
    assert len(made.write(tmp_path)) == 4


# The page.

DRIVER = """<pre id="found"></pre><script>
const before = figures[0].canvas.toDataURL();
figures[0].canvas.dispatchEvent(new KeyboardEvent("keydown", {key: "ArrowLeft", bubbles: true}));
byId = (id) => document.getElementById(id);
byId("found").textContent = JSON.stringify({
  turned: before !== figures[0].canvas.toDataURL(),
  captions: figures.map((one) => one.caption.textContent),
  names: [...figures[0].select.options].map((one) => one.textContent),
});
</script></body>"""


def test_the_page_turns_and_says_what_it_shows(tmp_path):
    if shutil.which("chromium") is None:
        pytest.skip("no chromium to open the page with")
    holed = bowl((3, 2))
    holed.losses[0, 0] = np.inf
    text = surfaces.page("A </script> title", "Text.", [holed, bowl((9, 1))])
    assert "http" not in text
    file = tmp_path / "driven.html"
    file.write_text(text.replace("</body>", DRIVER))
    command = [shutil.which("chromium"), "--headless", "--no-sandbox", "--disable-gpu"]
    command += ["--no-first-run", "--disable-background-networking"]
    command += [f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", file.as_uri()]
    shown = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found = json.loads(re.search('<pre id="found">(.*?)</pre>', shown)[1])
    assert found["turned"] and found["names"] == ["bowl", "bowl"]
    assert "loss 1 at the trained weights, 1 to 6 within" in found["captions"][0]
    assert "1 to 11 within" in found["captions"][1]
