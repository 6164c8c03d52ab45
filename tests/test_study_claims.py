"""The verdicts that follow from records, on hand-made ones; nothing here loads TensorFlow."""

import subprocess
import sys
from dataclasses import astuple

import numpy as np
import pandas as pd
import pytest
from hand_made_records import HandMade, write_run

from bnrepro import claims, study
from bnrepro.claims import command, drawing, figure_1, figure_4, placement, studies
from bnrepro.claims.comparison import judge_seeds, nothing, of_steps, of_values
from bnrepro.claims.experiments import EXPERIMENTS
from bnrepro.claims.reasons import reason
from bnrepro.claims.verdict import COLUMNS, Verdict, all_of, judge
from bnrepro.config import ConfigError
from bnrepro.paper import CLAIMS
from bnrepro.paper.criteria import EXACT, FIGURE_2, SEEDS

STEPS = range(0, 1001, 100)
ACCURACIES = ("best_accuracy", "final_accuracy", "final_accuracy_population")
# Best accuracy, and the step at which it is reached on a straight line.
PAPER_LIKE = {
    "inception": (0.722, 1000),
    "bn_baseline": (0.727, 400),
    "bn_x5": (0.730, 100),
    "bn_x30": (0.748, 200),
    "bn_x5_sigmoid": (0.698, 900),
    "inception_x5": (0.30, 1000),
    "inception_sigmoid": (0.1, 100),
}


def frames(networks, seeds=(0, 1, 2), diverged=(), sha256="a", noise=0.001):
    """Runs and curves as `load_runs` and `load_curves` give them."""
    runs, curves = [], []
    for label, (best, at) in networks.items():
        for seed in seeds:
            status = "diverged" if label in diverged else "completed"
            # Seeds differ a little, all networks in the same way.
            top = best + noise * seed
            run = {"label": label, "name": label, "seed": seed, "status": status}
            config = {
                "config.train_steps": STEPS[-1],
                "config.evaluate_every": 100,
                "config.evaluate_every_early": 100,
                "config.early_steps": 0,
            }
            data = {"data.num_classes": 10, "data.sha256": sha256}
            accuracies = dict.fromkeys(ACCURACIES, top)
            runs.append({**run, **config, **data, **accuracies})
            for step in STEPS:
                accuracy = 0.1 + (top - 0.1) * min(1, step / at)
                curve = {**run, "diverged_at_step": None, "step": step}
                curves.append({**curve, "evaluation_accuracy": accuracy})
    return pd.DataFrame(runs), pd.DataFrame(curves)


def crossed(*steps, last=1000):
    """A frame of `statistics.crossings`; None is a run that never reached the target."""
    return pd.DataFrame(
        {
            "seed": range(len(steps)),
            "steps": [last if step is None else step for step in steps],
            "reached": [step is not None for step in steps],
        }
    )


def verdict_of(key, *comparisons):
    return judge_seeds(key, *comparisons).verdict


def seven(runs, curves):
    table = claims.figure_2_verdicts(runs, curves)
    assert tuple(table.columns) == ("claim", "verdict", "measured", "criterion")
    return dict(zip(FIGURE_2, table["verdict"], strict=True)), table


def test_every_criterion_belongs_to_a_claim_that_is_tested():
    for criterion in [*EXACT.values(), *SEEDS.values()]:
        assert criterion.claim in command.TESTED
        assert criterion.section
    tested = {criterion.claim for criterion in [*EXACT.values(), *SEEDS.values()]}
    assert tested == {*EXPERIMENTS, *studies.STUDIES}
    assert len(FIGURE_2) == 7


def test_measures_of_exact_criteria_are_distinct():
    assert len({criterion.measure for criterion in EXACT.values()}) == len(EXACT)


@pytest.mark.parametrize(
    ("key", "value", "verdict"),
    [
        ("C7.mean", 0.0, "reproduced"),
        ("C7.mean", 1e-3, "not reproduced"),
        ("C7.mean", float("nan"), "not reproduced"),
        ("C9.correction", 0.5, "reproduced"),
        ("C9.correction", 0.0, "not reproduced"),
        ("C8.parameters", 2, "reproduced"),
        ("C8.parameters", 1, "not reproduced"),
        ("C8.parameters", 3, "not reproduced"),
    ],
)
def test_a_number_is_held_against_its_bound(key, value, verdict):
    assert judge(key, value).verdict == verdict


def test_of_several_parts_one_failure_decides():
    assert all_of(["reproduced", "reproduced"]) == "reproduced"
    assert all_of(["reproduced", "inconclusive"]) == "inconclusive"
    assert all_of(["inconclusive", "not reproduced", "reproduced"]) == "not reproduced"
    assert all_of([]) == "inconclusive"


@pytest.mark.parametrize(
    ("values", "verdict"),
    [
        ([0.1, 0.2, 0.3], "reproduced"),
        ([-0.1, -0.2, -0.3], "not reproduced"),
        ([0.1, 0.2, -0.3], "inconclusive"),
        ([0.1, 0.2, 0.0], "inconclusive"),
        ([0.1, 0.2], "inconclusive"),
        ([], "inconclusive"),
        # The interval of nine values leaves out the smallest and the largest.
        ([0.1] * 8 + [-0.1], "reproduced"),
        ([-0.1] * 8 + [0.1], "not reproduced"),
        ([0.1] * 5 + [-0.1], "inconclusive"),
        ([0.1, 0.2, float("nan")], "inconclusive"),
    ],
)
def test_all_seeds_or_the_interval_must_agree(values, verdict):
    assert verdict_of("C15.end", of_values("difference", values)) == verdict


def test_below_is_the_mirror_of_above():
    assert verdict_of("C16.inception_sigmoid", of_values("share", [0, 0.01, 0])) == "reproduced"
    shares = of_values("share", [0.5, 0.1, 0.06])
    assert verdict_of("C16.inception_sigmoid", shares) == "not reproduced"


@pytest.mark.parametrize(
    ("reference", "experiment", "verdict"),
    [
        ((900, 800, 1000), (300, 300, 300), "reproduced"),
        ((300, 300, 300), (900, 800, 1000), "not reproduced"),
        # Never reached within 1,000 steps: more than three times as many, however many.
        ((900, None, None), (300, 300, 300), "reproduced"),
        ((900, 900, 900), (None, None, None), "not reproduced"),
        ((None, None, None), (None, None, None), "inconclusive"),
        ((900, 900, 900), (300, 900, 900), "inconclusive"),
        ((900, 900, 900), (300, None, 300), "inconclusive"),
        ((0, 0, 0), (0, 0, 0), "inconclusive"),
    ],
)
def test_steps_are_compared_as_ratios_with_censored_runs(reference, experiment, verdict):
    ratio = of_steps("ratio", crossed(*reference), crossed(*experiment))
    assert verdict_of("figure_2.baseline", ratio) == verdict


def test_what_is_measured_names_median_interval_and_number_of_seeds():
    ratio = of_steps("a over b", crossed(900, 600, 900), crossed(300, 300, 300))
    assert str(ratio).startswith("a over b 3 (2 to 3), n = 3")
    censored = of_steps("a over b", crossed(900, None, None), crossed(300, 300, 300))
    assert str(censored).startswith("a over b > 3.33")
    points = of_values("gain", [0.01, 0.02, 0.03], points=True)
    assert str(points) == "gain 2 points (1 to 3), n = 3"


def test_a_result_like_the_papers_reproduces_all_seven():
    verdicts, table = seven(*frames(PAPER_LIKE))
    assert set(verdicts.values()) == {"reproduced"}
    assert table["measured"][0].startswith("Inception over BN-Baseline to 72.3 %: 2.5")


def test_the_contrary_result_reproduces_none():
    contrary = {
        "inception": (0.75, 100),
        "bn_baseline": (0.74, 400),
        "bn_x5": (0.73, 1000),
        "bn_x30": (0.70, 300),
        "bn_x5_sigmoid": (0.12, 900),
        "inception_x5": (0.8, 100),
        "inception_sigmoid": (0.7, 100),
    }
    assert set(seven(*frames(contrary, noise=0))[0].values()) == {"not reproduced"}


def test_x5_must_be_faster_than_both():
    networks = PAPER_LIKE | {"bn_baseline": (0.727, 100)}
    assert seven(*frames(networks))[0]["figure_2.x5"] == "inconclusive"
    networks = PAPER_LIKE | {"bn_x5": (0.730, 700)}
    assert seven(*frames(networks))[0]["figure_2.x5"] == "not reproduced"


def test_a_diverged_run_counts_as_chance():
    networks = PAPER_LIKE | {"inception_x5": (0.8, 100), "bn_x30": (0.9, 200)}
    verdicts, _ = seven(*frames(networks, diverged=("inception_x5", "bn_x30")))
    assert verdicts["C14.inception_x5"] == "reproduced"
    assert verdicts["figure_2.x30"] == "not reproduced"


def test_missing_networks_leave_their_claims_open_and_are_named():
    networks = {key: value for key, value in PAPER_LIKE.items() if key != "inception_sigmoid"}
    verdicts, table = seven(*frames(networks))
    assert verdicts.pop("C16.inception_sigmoid") == "inconclusive"
    assert set(verdicts.values()) == {"reproduced"}
    assert "no records of Inception, sigmoid" in table["measured"].iloc[-1]
    assert set(seven(pd.DataFrame(), pd.DataFrame())[0].values()) == {"inconclusive"}
    only_x5 = frames({"bn_x5": (0.73, 100)})
    assert set(seven(*only_x5)[0].values()) == {"inconclusive"}


def test_an_inception_that_stays_at_chance_gives_no_measure():
    verdicts, _ = seven(*frames(PAPER_LIKE | {"inception": (0.1, 100)}, noise=0))
    assert verdicts["C16.sigmoid"] == "inconclusive"


def test_failed_runs_are_not_counted():
    runs, curves = frames(PAPER_LIKE)
    runs.loc[runs["label"] == "bn_baseline", "status"] = "failed"
    verdicts, _ = seven(runs, curves)
    assert verdicts["figure_2.baseline"] == "inconclusive"


def test_the_order_of_rows_does_not_matter():
    runs, curves = frames(PAPER_LIKE)
    shuffled = seven(runs.sample(frac=1, random_state=1), curves.sample(frac=1, random_state=2))
    pd.testing.assert_frame_equal(shuffled[1], seven(runs, curves)[1])


def test_runs_of_two_data_sets_are_refused():
    first, second = frames(PAPER_LIKE), frames(PAPER_LIKE, seeds=(3, 4, 5), sha256="b")
    together = [pd.concat(pair, ignore_index=True) for pair in zip(first, second, strict=True)]
    with pytest.raises(ConfigError, match="one data set"):
        claims.figure_2_verdicts(*together)


def test_a_stable_distribution_wanders_less():
    rows = []
    for experiment, swing, growth in (("figure_1_plain", 0.5, 30), ("figure_1_bn", 0.05, 1.5)):
        for seed in range(3):
            for step in (0, 500, 1000):
                median, spread = swing * step / 1000, 1 + (growth - 1) * step / 1000
                percentiles = median - spread / 2, median, median + spread / 2
                rows.append((experiment, seed, "mean", step, *percentiles))
                rows.append((experiment, seed, "0", step, 9, 9, 9))
    columns = ["experiment", "seed", "unit", "step", "p15", "p50", "p85"]
    table = pd.DataFrame(rows, columns=columns)
    assert [verdict.verdict for verdict in figure_1.stability(table)] == ["reproduced"] * 2
    other = {"figure_1_plain": "figure_1_bn", "figure_1_bn": "figure_1_plain"}
    swapped = table.replace({"experiment": other})
    assert [verdict.verdict for verdict in figure_1.stability(swapped)] == ["not reproduced"] * 2


def test_figure_1_is_judged_by_steps_and_final_accuracy():
    networks = {"figure_1_plain": (0.97, 1000), "figure_1_bn": (0.98, 200)}
    assert [v.verdict for v in figure_1.accuracy(*frames(networks))] == ["reproduced"] * 2
    networks = {"figure_1_plain": (0.98, 200), "figure_1_bn": (0.97, 1000)}
    assert [v.verdict for v in figure_1.accuracy(*frames(networks))] == ["not reproduced"] * 2


def scales(plain, normalized, seeds=(0, 1, 2)):
    """Runs of both networks whose final accuracies are functions of the initial scale."""
    rows = []
    for placed, accuracy_of in (("none", plain), ("before", normalized)):
        for scale in (0.01, 0.05, 0.1):
            for seed in seeds:
                rows.append(
                    {
                        "name": f"{placed}-{scale}",
                        "seed": seed,
                        "status": "completed",
                        "data.num_classes": 10,
                        "config.placement": placed,
                        "config.learning_rate": 0.1,
                        "config.data.binary": True,
                        "config.initializer.scale": scale,
                        **dict.fromkeys(ACCURACIES, accuracy_of(scale)),
                    }
                )
    return pd.DataFrame(rows)


def test_the_initial_scale_is_judged_by_the_range_over_scales():
    def steep(scale):
        return 0.5 + 4 * scale

    def flat(scale):
        return 0.97 + 0.01 * scale

    runs = scales(steep, flat)
    base = runs[runs["config.initializer.scale"] == 0.05]
    assert [v.verdict for v in figure_1.initial_scale(base, runs)] == ["reproduced"]
    runs = scales(flat, steep)
    assert [v.verdict for v in figure_1.initial_scale(base, runs)] == ["not reproduced"]
    # Runs at another rate say nothing about the scale.
    elsewhere = runs.assign(**{"config.learning_rate": 0.5})
    assert [v.verdict for v in figure_1.initial_scale(base, elsewhere)] == ["inconclusive"]


def test_placements_are_compared_for_each_network_and_activation():
    rows = []
    for activation, gain in (("sigmoid", 0.01), ("relu", -0.01)):
        for placed, accuracy in (("before", 0.9 + gain), ("after", 0.9), ("none", 0.8)):
            for seed in range(3):
                rows.append(
                    {
                        "seed": seed,
                        "status": "completed",
                        "data.num_classes": 10,
                        "config.placement": placed,
                        "config.model.name": "mlp",
                        "config.activation": activation,
                        **dict.fromkeys(ACCURACIES, accuracy),
                    }
                )
    found = {v.measured.split(":")[0]: v.verdict for v in placement.verdicts(pd.DataFrame(rows))}
    assert found == {"mlp, sigmoid": "reproduced", "mlp, relu": "not reproduced"}


@pytest.mark.parametrize(
    ("ensemble", "verdict"),
    [(0.20, "reproduced"), (0.26, "not reproduced"), (0.225, "inconclusive")],
)
def test_an_ensemble_must_beat_each_of_its_networks(ensemble, verdict):
    errors = [0.22, 0.23, 0.25]
    rows = [
        *((f"network {position}", 1, error, 0.0) for position, error in enumerate(errors)),
        ("mean of the single networks", 1, np.mean(errors), 0.0),
        ("ensemble", 3, ensemble, 0.0),
    ]
    table = pd.DataFrame(rows, columns=["model", "networks", "top1_error", "top5_error"])
    assert figure_4.verdict(table).verdict == verdict


def test_without_records_the_command_that_makes_them_is_named(tmp_path):
    for claim in studies.STUDIES:
        for verdict in studies.run(claim, str(tmp_path)):
            assert verdict.claim == claim
            assert verdict.verdict == "inconclusive"
            assert "no records; bnrepro sweep study=" in verdict.measured
    assert not list(tmp_path.iterdir())


def test_one_network_is_no_ensemble_yet(tmp_path):
    run = study.planned_runs("figure_4", ["scale=cpu"])[0]
    predictions = (np.full((20, 10), 0.1), np.arange(20) % 10)
    write_run(tmp_path, run.composition, HandMade(lambda step: 0.5, predictions=predictions))
    (verdict,) = studies.run("C23", str(tmp_path))
    assert verdict.verdict == "inconclusive"
    assert "bnrepro sweep study=figure_4" in verdict.measured


def test_records_on_disk_are_judged(tmp_path):
    for run in study.plan(["experiment=figure_1_plain,figure_1_bn", "seed=0,1,2", "threads=1"]):
        gain = 0.01 if run.experiment == "figure_1_bn" else 0.0
        spread = 1.0 if gain else 0.01
        made = HandMade(
            accuracy=lambda step, gain=gain: min(0.97, 0.1 + step / 20_000) + gain,
            percentiles=lambda unit, step, low=spread: (0, low * step / 1e5, low + step / 1e5),
        )
        write_run(tmp_path, run.composition, made)
    verdicts = [*studies.run("C11", str(tmp_path)), *studies.run("C12", str(tmp_path))]
    assert {verdict.claim for verdict in verdicts} == {"C11", "C12"}
    assert verdicts[-1].verdict == "reproduced"
    assert "n = 3" in verdicts[-1].measured


def test_unknown_claims_and_formats_are_refused_before_anything_is_made(tmp_path):
    with pytest.raises(ConfigError, match="C99: expected claims among C1"):
        claims.main(["C99"], tmp_path / "results")
    with pytest.raises(ConfigError, match="format pdf"):
        claims.main(["C7"], tmp_path / "results", "pdf")
    assert not (tmp_path / "results").exists()


def test_the_three_formats_say_the_same():
    verdicts = [Verdict("C7", "3", "|mean|, largest: 0", "at most 1e-09", "reproduced")]
    assert command.to_csv(verdicts).splitlines()[0] == ",".join(COLUMNS)
    row = pd.read_csv(pd.io.common.StringIO(command.to_csv(verdicts)), dtype=str).iloc[0]
    assert tuple(row) == astuple(verdicts[0])
    assert r"\|mean\|, largest: 0" in command.to_markdown(verdicts)
    text = command.to_text(verdicts)
    assert "C7 (section 3)" in text
    assert "1 reproduced" in text


@pytest.mark.parametrize("verdict", ["not reproduced", "reproduced"])
def test_the_reason_stands_below_a_claim_that_is_not_reproduced(verdict):
    fine = Verdict("C4", "3.3", "gradient: 0", "at most 1e-09", "reproduced")
    judged = Verdict("C4", "3.3", "share: 0.6", "at least 0.9", verdict)
    text = command.to_text([fine, judged])
    assert ("why: The paper argues" in text) == (verdict == "not reproduced")


def test_the_quarter_circle_law_of_the_reason_holds():
    weights = np.random.default_rng(0).normal(size=(600, 600)) / np.sqrt(600)
    values = np.linalg.svd(weights, compute_uv=False)
    assert values.max() == pytest.approx(2, abs=0.05)
    assert (values > 0.5).mean() == pytest.approx(0.68, abs=0.01)
    assert "68 % of them above 1/2" in reason("C4", ["not reproduced"])


def test_claims_are_tested_in_the_papers_order():
    order = [claim.identifier for claim in CLAIMS]
    assert sorted(command.TESTED, key=order.index) == list(command.TESTED)


def test_figures_are_the_same_bytes_when_drawn_again(tmp_path):
    lines = ["network,step,loss,bias,weights"]
    networks = ("mean outside the gradient", "mean and variance outside", "batch normalization")
    lines += [f"{name},{step},1.0,{step},{step}" for name in networks for step in (0, 10, 20)]
    (tmp_path / "naive_normalization.csv").write_text("\n".join(lines) + "\n")
    first = {path: path.read_bytes() for path in drawing.draw("C1", tmp_path)}
    assert {path.suffix for path in first} == {".png", ".svg"}
    assert {path: path.read_bytes() for path in drawing.draw("C1", tmp_path)} == first


def test_verdicts_on_records_load_no_tensorflow():
    program = (
        "import sys; from bnrepro import claims; claims.figure_2_verdicts; claims.main; "
        "sys.exit(bool({'tensorflow', 'keras', 'jax'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_nothing_to_compare_is_said():
    assert "no records of BN-x5" in str(nothing("BN-x5"))


@pytest.mark.slow
def test_all_claims_are_tested_and_leave_the_same_bytes_twice(tmp_path):
    made = []
    for name in ("first", "second"):
        program = "from bnrepro import claims; claims.main([], 'results', 'csv')"
        (tmp_path / name).mkdir()
        done = subprocess.run(
            [sys.executable, "-c", program], cwd=tmp_path / name, capture_output=True, check=True
        )
        folder = tmp_path / name / "results" / "claims"
        made.append({path.name: path.read_bytes() for path in folder.iterdir()})
        assert done.stdout == made[-1]["verdicts.csv"]
    assert made[0] == made[1]
    exact = [
        row for row in made[0]["verdicts.csv"].decode().splitlines() if "no records" not in row
    ]
    assert len(exact) == 1 + len(EXACT)
