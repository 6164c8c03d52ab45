"""The verdicts that follow from records, on hand-made ones, and what all verdicts share."""

import csv
import itertools
import subprocess
import sys
from dataclasses import astuple, replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from exact_criteria import EXACT
from hand_made_records import HandMade, write_run

from bnrepro import claims
from bnrepro.config import ConfigError, study
from bnrepro.exhibits import claims as studies
from bnrepro.exhibits.claims import CRITERIA as SEEDS
from bnrepro.exhibits.figure_1 import claims as figure_1
from bnrepro.exhibits.figure_2 import claims as figure_2
from bnrepro.exhibits.figure_2.claims import FIGURE_2
from bnrepro.exhibits.figure_4 import claims as figure_4
from bnrepro.exhibits.placement import claims as placement
from bnrepro.exhibits.selection import selection_of
from bnrepro.lab import figures
from bnrepro.lab.exact import EXACT_CLAIMS
from bnrepro.paper import CLAIMS, LABORATORY, LAWS
from bnrepro.records.predictions import ErrorRow
from bnrepro.statistics import Interval, judged, speedup
from bnrepro.verdicts.comparison import judge_seeds, nothing, of_steps, of_values
from bnrepro.verdicts.criteria import Criterion
from bnrepro.verdicts.reasons import CAUTION, reason
from bnrepro.verdicts.untested import REASONS
from bnrepro.verdicts.verdict import COLUMNS, Verdict, all_of, count_outcomes, judge

SIX = tuple(range(6))
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


def frames(networks, seeds=SIX, diverged=(), sha256="a", noise=0.001):
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
    return judge_seeds(SEEDS[key], *comparisons).verdict


def ratio_of(name, reference, experiment):
    return of_steps(name, reference, experiment, speedup(reference, experiment))


LATER = {each.identifier for each in LABORATORY}
COMPUTED = [
    criterion for study in studies.LABORATORY.values() for criterion in study.criteria.values()
]


def of_figure_2(runs, curves):
    table = figure_2.figure_2_verdicts(selection_of(runs, curves))
    assert tuple(table.columns) == ("claim", "verdict", "measured", "criterion")
    return dict(zip(FIGURE_2, table["verdict"], strict=True)), table


def test_every_criterion_belongs_to_a_claim_that_is_tested():
    for criterion in [*EXACT.values(), *SEEDS.values()]:
        assert criterion.claim in claims.TESTED
        # What later work claims stands in no section of the paper.
        assert criterion.section or criterion.claim in (*LATER, "C25")
    tested = {criterion.claim for criterion in [*EXACT.values(), *SEEDS.values()]}
    assert tested == {*EXACT_CLAIMS, *studies.STUDIES}
    assert [key for key in FIGURE_2 if SEEDS[key].after_records] == ["C14.x5_end"]


def published():
    """The lines of the published `verdicts.csv` that are of a claim with a verdict."""
    path = Path(__file__).parent.parent / "results" / "published" / "claims" / "verdicts.csv"
    with path.open(newline="") as file:
        return [Verdict(**row) for row in csv.DictReader(file) if row["verdict"] != "no verdict"]


@pytest.mark.parametrize("verdict", published(), ids=lambda verdict: verdict.measured[:40])
def test_every_published_verdict_is_by_a_criterion_that_still_reads_so(verdict):
    said = (verdict.claim, verdict.section, verdict.group, verdict.criterion)
    known = [
        each.measure if isinstance(each, Criterion) else each.sentence
        for each in (*EXACT.values(), *SEEDS.values(), *COMPUTED)
        if (each.claim, each.section, each.group, each.text) == said
    ]
    assert [words for words in known if f"{words}: " in verdict.measured]


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
    assert judge(EXACT[key], value).verdict == verdict


def test_of_several_parts_one_failure_decides():
    assert all_of(["reproduced", "reproduced"]) == "reproduced"
    assert all_of(["reproduced", "inconclusive"]) == "inconclusive"
    assert all_of(["inconclusive", "not reproduced", "reproduced"]) == "not reproduced"
    assert all_of([]) == "inconclusive"
    assert all_of(["reproduced", "hint: holds"]) == "hint: holds"
    assert all_of(["hint: holds", "inconclusive"]) == "inconclusive"
    assert all_of(["inconclusive", "hint: does not hold"]) == "hint: does not hold"
    assert all_of(["not reproduced", "hint: does not hold"]) == "not reproduced"


@pytest.mark.parametrize(
    ("values", "verdict"),
    [
        ([0.1, 0.2, 0.3] * 2, "reproduced"),
        ([-0.1, -0.2, -0.3] * 2, "not reproduced"),
        ([0.1] * 5, "hint: holds"),
        ([0.1, 0.2, 0.3], "hint: holds"),
        ([-0.1, -0.2, -0.3], "hint: does not hold"),
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
    shares = of_values("share", [0, 0.01, 0] * 2)
    assert verdict_of("C16.inception_sigmoid", shares) == "reproduced"
    shares = of_values("share", [0.5, 0.1, 0.06] * 2)
    assert verdict_of("C16.inception_sigmoid", shares) == "not reproduced"
    assert verdict_of("C16.inception_sigmoid", of_values("share", [0, 0.01, 0])) == "hint: holds"


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
    ratio = ratio_of("ratio", crossed(*reference * 2), crossed(*experiment * 2))
    assert verdict_of("figure_2.baseline", ratio) == verdict


@pytest.mark.parametrize(("n", "verdict"), [(5, "inconclusive"), (6, "reproduced")])
def test_an_interval_decides_only_where_there_are_seeds_enough_for_a_verdict(n, verdict):
    values = of_values("difference", [0.1] * (n - 1) + [-0.1])
    above = replace(values, interval=Interval(0.05, 0.2, 0.9))
    assert verdict_of("C15.end", above) == verdict


def test_what_is_measured_names_median_interval_and_number_of_seeds():
    ratio = ratio_of("a over b", crossed(900, 600, 900), crossed(300, 300, 300))
    assert str(ratio) == "a over b 3 (2 to 3, coverage 75 %), n = 3"
    censored = ratio_of("a over b", crossed(900, None, None), crossed(300, 300, 300))
    assert str(censored).startswith("a over b > 3.33")
    points = of_values("gain", [0.01, 0.02, 0.03], points=True)
    assert str(points) == "gain 2 points (1 to 3, coverage 75 %), n = 3"
    six = ratio_of("a over b", crossed(*[900] * 6), crossed(*[300] * 6))
    assert str(six) == "a over b 3 (3 to 3, coverage 94 %), n = 6"


def test_a_result_like_the_papers_reproduces_all():
    verdicts, table = of_figure_2(*frames(PAPER_LIKE))
    assert set(verdicts.values()) == {"reproduced"}
    assert table["measured"][0].startswith("Inception over BN-Baseline to 72.")
    assert table["measured"][0].endswith(" %: 2.5 (2.5 to 2.5, coverage 94 %), n = 6")


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
    assert set(of_figure_2(*frames(contrary, noise=0))[0].values()) == {"not reproduced"}


def test_x5_must_be_faster_than_both():
    networks = PAPER_LIKE | {"bn_baseline": (0.727, 100)}
    assert of_figure_2(*frames(networks))[0]["figure_2.x5"] == "inconclusive"
    networks = PAPER_LIKE | {"bn_x5": (0.730, 700)}
    assert of_figure_2(*frames(networks))[0]["figure_2.x5"] == "not reproduced"


def test_x5_that_ends_below_the_baseline_is_a_finding_of_its_own():
    verdicts, table = of_figure_2(*frames(PAPER_LIKE | {"bn_baseline": (0.76, 400)}))
    assert verdicts["C14.x5_end"] == "not reproduced"
    assert table["criterion"].iloc[-1].endswith("; written after the records were seen")


def test_shares_are_of_the_same_seeds_inception():
    runs, curves = frames(PAPER_LIKE, noise=0)
    at = (runs["label"] == "inception") & (runs["seed"] == 5)
    runs.loc[at, "best_accuracy"] = 0.4
    table = of_figure_2(runs, curves)[1]
    measured = table["measured"][FIGURE_2.index("C16.sigmoid")]
    # (0.698 - 0.1) over (0.722 - 0.1), and over (0.4 - 0.1).
    assert "0.961 (0.961 to 1.99, coverage 97 %), n = 6" in measured


def test_a_diverged_run_counts_as_chance():
    networks = PAPER_LIKE | {"inception_x5": (0.8, 100), "bn_x30": (0.9, 200)}
    verdicts, _ = of_figure_2(*frames(networks, diverged=("inception_x5", "bn_x30")))
    assert verdicts["C14.inception_x5"] == "reproduced"
    assert verdicts["figure_2.x30"] == "not reproduced"


def test_missing_networks_leave_their_claims_open_and_are_named():
    networks = {key: value for key, value in PAPER_LIKE.items() if key != "inception_sigmoid"}
    verdicts, table = of_figure_2(*frames(networks))
    assert verdicts.pop("C16.inception_sigmoid") == "inconclusive"
    assert set(verdicts.values()) == {"reproduced"}
    measured = table["measured"][FIGURE_2.index("C16.inception_sigmoid")]
    assert measured == "no records of Inception, sigmoid"
    only_x5 = frames({"bn_x5": (0.73, 100)})
    assert set(of_figure_2(*only_x5)[0].values()) == {"inconclusive"}


def test_an_inception_that_stays_at_chance_gives_no_measure():
    verdicts, _ = of_figure_2(*frames(PAPER_LIKE | {"inception": (0.1, 100)}, noise=0))
    assert verdicts["C16.sigmoid"] == "inconclusive"


def test_failed_runs_are_not_counted():
    runs, curves = frames(PAPER_LIKE)
    runs.loc[runs["label"] == "bn_baseline", "status"] = "failed"
    verdicts, _ = of_figure_2(runs, curves)
    assert verdicts["figure_2.baseline"] == "inconclusive"


def test_the_order_of_rows_does_not_matter():
    runs, curves = frames(PAPER_LIKE)
    shuffled = of_figure_2(
        runs.sample(frac=1, random_state=1), curves.sample(frac=1, random_state=2)
    )
    pd.testing.assert_frame_equal(shuffled[1], of_figure_2(runs, curves)[1])


def test_runs_of_two_data_sets_are_refused():
    first, second = frames(PAPER_LIKE), frames(PAPER_LIKE, seeds=(3, 4, 5), sha256="b")
    together = [pd.concat(pair, ignore_index=True) for pair in zip(first, second, strict=True)]
    with pytest.raises(ConfigError, match="one data set"):
        figure_2.figure_2_verdicts(selection_of(*together))


def test_a_stable_distribution_wanders_less():
    rows = []
    for experiment, swing, growth in (("figure_1_plain", 0.5, 30), ("figure_1_bn", 0.05, 1.5)):
        for seed in SIX:
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
    assert [v.verdict for v in figure_1.accuracy(selection_of(*frames(networks)))] == [
        "reproduced"
    ] * 2
    networks = {"figure_1_plain": (0.98, 200), "figure_1_bn": (0.97, 1000)}
    assert [v.verdict for v in figure_1.accuracy(selection_of(*frames(networks)))] == [
        "not reproduced"
    ] * 2


def scales(plain, normalized, seeds=SIX):
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
    return judged(pd.DataFrame(rows))


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
            for seed in SIX:
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
    runs = judged(pd.DataFrame(rows))
    found = {v.measured.split(":")[0]: v.verdict for v in placement.verdicts(runs)}
    assert found == {"mlp, sigmoid": "reproduced", "mlp, relu": "not reproduced"}


@pytest.mark.parametrize(
    ("ensemble", "verdict"),
    [(0.20, "reproduced"), (0.26, "not reproduced"), (0.225, "inconclusive")],
)
def test_an_ensemble_must_beat_each_of_its_networks(ensemble, verdict):
    errors = [0.22, 0.23, 0.25] * 2
    rows = [
        *(ErrorRow(f"network {index}", 1, error, 0.0) for index, error in enumerate(errors)),
        ErrorRow("mean of the single networks", 1, float(np.mean(errors)), 0.0),
        ErrorRow("ensemble", 6, ensemble, 0.0),
    ]
    found = figure_4.verdict(rows)
    assert found.verdict == verdict
    # Six networks of one ensemble are no six ensembles.
    assert "one ensemble of 6 networks" in found.measured
    assert "coverage" not in found.measured
    assert "interval" not in found.criterion


def test_without_records_the_command_that_makes_them_is_named(tmp_path):
    for claim in studies.STUDIES:
        for verdict in studies.run(claim, str(tmp_path)):
            assert verdict.claim == claim
            assert verdict.verdict == "inconclusive"
            assert "no records; bnrepro sweep study=" in verdict.measured or (
                claim in LATER and "no records; bnrepro laboratory " in verdict.measured
            )
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
    # 3.556 / 0.062 of the unit that the paper drew without, 3.956 / 2.299 with normalization.
    assert "by the paper's curves, of one unit, 33.3, here a ratio of" in verdicts[1].measured
    assert verdicts[-1].verdict == "hint: holds"
    assert "n = 3" in verdicts[-1].measured


def test_unknown_claims_and_formats_are_refused_before_anything_is_made(tmp_path):
    with pytest.raises(ConfigError, match="C99: expected claims among C1"):
        claims.main(["C99"], tmp_path / "results")
    with pytest.raises(ConfigError, match="format pdf"):
        claims.main(["C7"], tmp_path / "results", "pdf")
    assert not (tmp_path / "results").exists()


def test_the_three_formats_say_the_same():
    verdicts = [
        Verdict("C7", "3", "exact experiment", "|mean|, largest: 0", "at most 1e-09", "reproduced")
    ]
    assert claims.to_csv(verdicts).splitlines()[0] == ",".join(COLUMNS)
    row = pd.read_csv(pd.io.common.StringIO(claims.to_csv(verdicts)), dtype=str).iloc[0]
    assert tuple(row) == astuple(verdicts[0])
    assert r"\|mean\|, largest: 0" in claims.to_markdown(verdicts)
    text = claims.to_text(verdicts)
    assert "C7 (section 3)" in text
    assert "identities and small exact experiments: 1 reproduced" in text
    assert CAUTION in text


@pytest.mark.parametrize("verdict", ["not reproduced", "reproduced"])
def test_the_reason_stands_below_a_claim_that_is_not_reproduced(verdict):
    fine = Verdict("C4", "3.3", "exact experiment", "gradient: 0", "at most 1e-09", "reproduced")
    judged = Verdict("C4", "3.3", "exact experiment", "share: 0.6", "at least 0.9", verdict)
    text = claims.to_text([fine, judged])
    assert ("why: The paper argues" in text) == (verdict == "not reproduced")


def test_the_quarter_circle_law_of_the_reason_holds():
    weights = np.random.default_rng(0).normal(size=(600, 600)) / np.sqrt(600)
    values = np.linalg.svd(weights, compute_uv=False)
    assert values.max() == pytest.approx(2, abs=0.05)
    assert (values > 0.5).mean() == pytest.approx(0.68, abs=0.01)
    assert "68 % of them above 1/2" in reason("C4", ["not reproduced"])


def test_every_claim_has_a_verdict_or_a_reason_why_not():
    assert {*claims.TESTED, *REASONS} == {claim.identifier for claim in (*CLAIMS, *LABORATORY)}
    assert not {*claims.TESTED} & {*REASONS}


def test_a_claim_without_a_verdict_is_printed_with_the_reason(tmp_path, capsys):
    assert claims.main(["C18"], tmp_path / "results") == 0
    printed = capsys.readouterr().out
    assert "C18 (section 4.2.1)" in printed
    assert f"  NO VERDICT           {REASONS['C18']}\n" in printed
    assert "criterion:" not in printed
    assert "without a verdict: C18" in printed


def test_verdicts_are_counted_by_what_they_rest_on():
    rows = [
        ("C2", "exact experiment", "reproduced"),
        ("C25", "no verdict", "no verdict"),
        ("C4", "beyond the claim", "not reproduced"),
        ("C12", "training", "inconclusive"),
        ("C12", "training", "hint: holds"),
        ("C13", "training", "reproduced"),
        ("C13", "training", "hint: holds"),
        ("C14", "after the records", "not reproduced"),
        ("C3", "no verdict", "no verdict"),
    ]
    assert count_outcomes(rows) == [
        "identities and small exact experiments: 1 reproduced",
        "what trainings show: 1 reproduced, 2 hint: holds, 1 inconclusive",
        "beyond what the paper claims: 1 not reproduced",
        "by a criterion that was written after the records were seen: 1 not reproduced",
        "without a verdict: C25, C3",
    ]
    assert count_outcomes([]) == []


def test_criteria_say_what_they_ask_beyond_the_paper_and_which_came_after_the_records():
    beyond = {key for key, criterion in EXACT.items() if criterion.group == "beyond the claim"}
    assert beyond == {"C4.relu", "C4.depth"}
    assert "beyond the claim: the paper conjectures" in judge(EXACT["C4.relu"], 0.3).criterion
    assert "beyond" not in judge(EXACT["C4.layer"], 0.6).criterion
    (after,) = [key for key, criterion in SEEDS.items() if criterion.group == "after the records"]
    assert SEEDS[after].text.endswith("; written after the records were seen")
    assert "after the records" not in SEEDS["C15.end"].text


def test_the_chance_of_a_hint_is_that_of_all_seeds_on_one_side():
    signs = list(itertools.product([-1, 1], repeat=3))
    assert np.mean([min(each) > 0 for each in signs]) == 0.125
    assert "3 seeds lie on the claim's side by chance in 12.5 % of the cases, 6 in 1.6 %" in CAUTION


def test_claims_are_tested_in_the_papers_order():
    order = [claim.identifier for claim in (*CLAIMS, *LABORATORY)]
    assert sorted(claims.TESTED, key=order.index) == list(claims.TESTED)


def test_figures_are_the_same_bytes_when_drawn_again(tmp_path):
    lines = ["network,step,loss,bias,weights"]
    networks = ("mean outside the gradient", "mean and variance outside", "batch normalization")
    lines += [f"{name},{step},1.0,{step},{step}" for name in networks for step in (0, 10, 20)]
    (tmp_path / "naive_normalization.csv").write_text("\n".join(lines) + "\n")
    first = {path: path.read_bytes() for path in figures.draw("C1", tmp_path)}
    assert {path.suffix for path in first} == {".png", ".svg"}
    assert {path: path.read_bytes() for path in figures.draw("C1", tmp_path)} == first


def test_verdicts_on_records_load_no_tensorflow():
    program = (
        "import sys, bnrepro.claims, bnrepro.exhibits.figure_2.claims; "
        "sys.exit(bool({'tensorflow', 'keras', 'jax'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


@pytest.mark.parametrize(("names", "code"), [(["C7"], 2), ([], 2), (["C12", "C25"], 0)])
def test_without_tensorflow_exact_experiments_are_refused_and_records_judged(names, code, tmp_path):
    program = (
        "import sys; sys.modules['tensorflow'] = None; from bnrepro.cli import main; "
        f"sys.exit(main({['claims', *names, 'results_dir=results']!r}))"
    )
    (tmp_path / "results").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stderr
    if code:
        (line,) = done.stderr.splitlines()
        assert "TensorFlow, which is not installed" in line
        assert "bnrepro claims C11 C12" in line
        assert not list((tmp_path / "results").iterdir())


def test_laws_are_asked_for_one_by_one_or_all_as_lab():
    assert claims._choose(["lab"]) == [law.identifier for law in LAWS]
    assert claims._choose(["X4", "C7"]) == ["C7", "X4"]
    assert claims._choose([]) == [each.identifier for each in CLAIMS]
    with pytest.raises(ConfigError, match="expected claims among C1.*, or lab"):
        claims._choose(["X99"])


@pytest.mark.skipif(find_spec("jax") is None, reason="needs JAX")
def test_without_tensorflow_a_law_is_tested_under_jax(tmp_path):
    program = (
        "import sys; sys.modules['tensorflow'] = None; from bnrepro.cli import main; "
        "sys.exit(main(['claims', 'X3', 'results_dir=results']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "X3 (Santurkar et al. 2018" in done.stdout
    assert done.stdout.endswith("identities and small exact experiments: 2 reproduced\n")
    assert not list((tmp_path / "results").glob("**/verdicts.csv"))


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
    assert len(exact) == 1 + len(EXACT) + len(REASONS)
