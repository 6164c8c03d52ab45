"""A1 to A3 from hand-made records: what is measured and drawn where the answer is known."""

import csv
import html
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hand_made_records import HandMade, write_run

from bnrepro import cli
from bnrepro.config.study import planned_runs
from bnrepro.exhibits import making
from bnrepro.exhibits.claims import run as verdicts_on
from bnrepro.exhibits.smoothness import covariate_shift_claims, landscape_claims
from bnrepro.exhibits.smoothness.networks import BN, NOISE, NOISY, PLAIN, labelled
from bnrepro.measures.covariate_shift import CovariateShift
from bnrepro.measures.distributions import BINS, Distributions
from bnrepro.measures.landscape import Landscape
from bnrepro.records.loading import read_runs
from bnrepro.records.record import CURVE_COLUMNS, write_rows
from bnrepro.report import why_it_works

PUBLISHED = Path(__file__).parent.parent / "results" / "published"
ORDER = ("error_surface", "noisy_batch", "covariate_shift", "smoothness")
LAST = 400
# Training accuracy after half of the steps and after all.
ACCURACY = {PLAIN: (0.2, 0.3), BN: (0.5, 0.62), NOISY: (0.4, 0.6), NOISE: (0.1, 0.12)}
# How far a unit's mean moves in a step, by layer.
CHANGES = {PLAIN: (0.01, 0.02), BN: (0.02, 0.02), NOISY: (0.08, 0.2), NOISE: (0.3, 0.3)}
SEEDS = range(6)


def landscape(network, step):
    """The rows of one step: twice as rough without batch normalization, but flat early."""
    rough = {PLAIN: 0.1 if step <= LAST / 5 else 8.0, BN: 2.0}[network]
    loss, weights, gradient = 2.0, 10.0, 1.0
    along = [loss, weights, gradient, 1.0, 1.0 * 10**rough, 0.1, rough, rough / 2, 0.5]
    single = [loss, weights, gradient, 1.5, 1.5, rough, rough, rough, 0.5]
    rows = [["gradient", step, *along]]
    rows += [[f"relative {share}", step, *single] for share in ("0.001", "0.01", "0.1")]
    if network == BN:
        rows += [["kernels", step, *along], ["kernels times 10", step, *along[:-2], 0.01, 0.5]]
    return rows


def distributions(network, step):
    histogram = [step % 3 + 1] * BINS
    return [
        [layer, step, 0.1, 1.0, change if step else float("nan"), 0.1, 0.1, -1.0, 1.0, *histogram]
        for layer, change in zip(("convolution_1", "hidden_2"), CHANGES[network], strict=True)
    ]


def shifts(network, step):
    relative = {PLAIN: 1.0, BN: 0.8}[network]
    return [
        [kernel, step, 2.0, 2 * relative * factor, relative * factor, 0.5]
        for kernel, factor in (("convolution_5/kernel", 1), ("hidden_2/kernel", 0.5))
    ]


def write_study(folder, words=()):
    for planned in planned_runs("smoothness", words):
        composition = planned.composition
        last = composition.config.train_steps
        directory = write_run(folder, composition, HandMade(lambda step: step / 1000))
        normalization = composition.config.normalization
        network = {"batch": BN, "noisy_batch": NOISY, "noise": NOISE}.get(normalization, PLAIN)
        half, final = ACCURACY[network]
        of_step = {0: float("nan"), last // 4: half, last // 2: half, last: final}
        rows = [(at, 1.0, value, 1.0, at / 1000, 0.1, 0.0) for at, value in of_step.items()]
        write_rows(directory / "curve.csv", CURVE_COLUMNS, rows)
        made = {Distributions: distributions, Landscape: landscape, CovariateShift: shifts}
        for measure, values in made.items():
            if measure.name in composition.config.measures:
                steps = (0, 1, last // 20, last // 20 + 1, last // 4, last // 2, last)
                rows = [row for at in steps for row in values(network, at)]
                write_rows(directory / f"{measure.name}.csv", measure.columns, rows)
    return str(folder)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return write_study(tmp_path_factory.mktemp("results"))


def measured(results, claim):
    """What each verdict says, without its criterion."""
    return {each.measured: each.verdict for each in verdicts_on(claim, results)}


def test_networks_are_told_apart(results):
    runs = labelled(read_runs(results))
    assert dict(runs["label"].value_counts()) == dict.fromkeys((PLAIN, BN, NOISY, NOISE), 6)


def test_a1_is_what_the_curves_and_distributions_say(results):
    said = measured(results, "A1")
    numbers = [text.split("median ")[1].split()[0] for text in said]
    # 0.4 - 0.3; |0.6 - 0.62|; the least of 8 and 10; (0.3 - 0.12) / (0.3 - 0.1).
    assert numbers == ["0.1", "0.02", "8", "0.9"]
    assert set(said.values()) == {"reproduced"}


def test_a2_is_what_the_landscapes_say(results):
    said = measured(results, "A2")
    numbers = [float(text.split("median ")[1].split()[0]) for text in said]
    # Over all seven steps the median is an early one, 0.1; after the first fifth 8. Batch
    # normalization has 2 throughout.
    assert numbers == pytest.approx([-1.9, 0.05, 0.05, 0.05, 6, 4, 4, 4])
    early, late = list(said.values())[:4], list(said.values())[4:]
    assert set(early) == {"not reproduced"} and set(late) == {"reproduced"}


def test_what_is_not_finite_is_the_worst(results):
    runs = labelled(read_runs(results))
    rows = landscape_claims.measured(runs, "landscape")
    nothing = dict.fromkeys(("highest_loss", "greatest_change", "beta"), float("nan"))
    worst = landscape_claims.per_step(rows.assign(**nothing))
    assert (worst[["range", "relative_range", "relative_change", "beta"]] == float("inf")).all(
        axis=None
    )


def test_a3_of_the_vgg_network_is_what_the_gradients_say(results):
    (verdict, *linear) = verdicts_on("A3", results)
    assert "median 0.8 " in verdict.measured and verdict.verdict == "reproduced"
    assert len(linear) == 3 and all("no records" in each.measured for each in linear)


def test_the_deep_linear_network_is_judged_at_its_layer_and_rate(tmp_path):
    tables = tmp_path / "laboratory" / "deep_linear"
    tables.mkdir(parents=True)
    cosines = {PLAIN: 0.995, BN: 0.5}
    shift_rows, loss_rows = [], []
    for seed in SEEDS:
        for network, cosine in cosines.items():
            for step in range(0, 101, 10):
                # Before a tenth of the steps batch normalization may be behind.
                loss = {PLAIN: 10.0, BN: 20.0 if step <= 10 else 9.0}[network]
                loss_rows += [[1e-7, network, seed, step, loss], [1e-6, network, seed, step, 1e9]]
                for layer, value in ((9, 0.0), (17, cosine)):
                    shift_rows += [[1e-7, network, layer, seed, step, 1.0, 1.0, 1.0, value]]
    write_rows(tables / "losses.csv", ["rate", "network", "seed", "step", "loss"], loss_rows)
    columns = ["rate", "network", "layer", "seed", "step", "gradient_norm", "difference"]
    write_rows(tables / "shifts.csv", [*columns, "relative", "cosine"], shift_rows)
    (tables / "record.json").write_text(
        '{"study": "", "question": "", "seconds": 1, "environment": {}}'
    )
    found = covariate_shift_claims.LINEAR.verdicts(
        covariate_shift_claims.LINEAR.tables(str(tmp_path))
    )
    numbers = [each.measured.split("median ")[1].split()[0] for each in found]
    assert numbers == ["0.995", "0.5", "0.9"]
    assert {each.verdict for each in found} == {"reproduced"}


@pytest.mark.parametrize("name", ["noisy_batch", "smoothness"])
def test_the_exhibits_are_written_with_their_tables(results, name, capsys):
    assert cli.main(["figure", name, f"results_dir={results}"]) == 0
    shown = capsys.readouterr().out
    made = making.exhibit(name, results)
    assert all(finding in shown for finding in made.findings)
    with (Path(results) / name / "verdicts.csv").open() as file:
        assert len(list(csv.DictReader(file))) == len(
            verdicts_on(made.tables[0].rows[0][0], results)
        )


@pytest.mark.parametrize("name", ["noisy_batch", "smoothness"])
def test_a_small_training_is_drawn_beside_the_published_one(tmp_path, name, capsys):
    results = write_study(tmp_path, ["scale=smoke"])
    assert cli.main(["figure", name, "scale=smoke", f"results_dir={results}"]) == 0
    assert "missing" not in capsys.readouterr().err
    assert not (tmp_path / name).exists() and (tmp_path / f"{name}-smoke" / "verdicts.csv").exists()
    (part,) = making.parts(name, "smoke")
    made = part.make(results)
    assert made.commands == [
        "bnrepro sweep study=smoothness scale=smoke", f"bnrepro figure {name} scale=smoke"
    ]  # fmt: skip
    # Two seeds decide nothing.
    column = list(made.tables[0].columns).index("verdict")
    assert {row[column] for row in made.tables[0].rows} == {"inconclusive"}
    assert cli.main(["figure", name, f"results_dir={results}"]) == 2


@pytest.mark.slow
def test_the_small_training_itself_is_drawn(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    program = [sys.executable, "-m", "bnrepro"]
    for words in (
        ["sweep", "study=smoothness", "scale=smoke", "seed=0"],
        ["laboratory", "deep_linear", "scale=smoke"],
        *(["figure", name, "scale=smoke"] for name in ORDER[1:]),
    ):
        subprocess.run([*program, *words], check=True, capture_output=True)
    drawn = {path.parent.name for path in (tmp_path / "results").glob("*-smoke/*.svg")}
    assert drawn == {f"{name}-smoke" for name in ORDER[1:]}


def test_the_exhibit_of_two_studies_asks_for_what_is_absent(results, capsys):
    assert cli.main(["figure", "covariate_shift", f"results_dir={results}"]) == 2
    assert "bnrepro laboratory deep_linear" in capsys.readouterr().err


@pytest.mark.slow
def test_the_report_tells_them_in_order_with_what_both_studies_cost(results, tmp_path):
    shutil.copytree(results, tmp_path, dirs_exist_ok=True)
    shutil.copytree(PUBLISHED / "laboratory", tmp_path / "laboratory")
    body = html.unescape(why_it_works.section(str(tmp_path)).body)
    places = [body.index(f'<h3 id="{name}">') for name in ORDER]
    assert places == sorted(places)
    # The argument before them names five of their drawings, in the order in which they stand.
    argument = body[: places[0]]
    linked = re.findall(r'<li>[^<]+ <a href="#([\w-]+)">', argument)
    assert len(linked) == 5
    anchors = [body.index(f'<h4 id="{anchor}">') for anchor in linked]
    assert anchors == sorted(anchors) and places[0] < anchors[0]
    (smooth,) = making.exhibit("smoothness", str(tmp_path)).drawings
    assert f'"#smoothness-landscape">{smooth.title}</a>' in argument
    shift = body[places[2] : places[3]]
    assert "min of a core, on" in shift and "12 runs, " in shift
    for name in ORDER:
        made = making.exhibit(name, str(tmp_path))
        leads = [lead[:40] for each in made.drawings for lead in each.lead]
        assert [lead for lead in leads if lead not in body] == []
