"""The page: whole, needing nothing but itself, and true to the records and configs."""

import html
import html.parser
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hand_made_records import ENVIRONMENT, HandMade, write_run

from bnrepro import report
from bnrepro.config import KEYS, study, to_flat
from bnrepro.exhibits import making
from bnrepro.paper import settings
from bnrepro.records.record import RecordError, read_record, write_record
from bnrepro.report import deviations, markup, tested_claims
from bnrepro.report.sections import exhibit

_VOID = {"meta", "link", "br", "use", "path", "img", "hr", "input", "rect", "image"}


class Page(html.parser.HTMLParser):
    """Checks the nesting of elements and gathers identifiers, links and loads."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.identifiers: list[str] = []
        self.links: list[str] = []
        self.loads: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        self.elements.append((tag, attributes))
        if tag not in _VOID:
            self.open.append(tag)
        if attributes.get("id"):
            self.identifiers.append(attributes["id"] or "")
        if attributes.get("src"):
            self.loads.append(attributes["src"] or "")
        target = attributes.get("href") or attributes.get("xlink:href") or ""
        (self.loads if tag in {"link", "image"} else self.links).append(target)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        if tag not in _VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seeds of figures 1 and 2, the ensemble, and some verdicts; no other study."""
    results = tmp_path_factory.mktemp("results")
    labels = np.arange(100) % 10
    for run in (*study.planned_runs("figure_1"), *study.planned_runs("figure_2", ["scale=cpu"])):
        if run.seed < 2:
            best = 0.6 + 0.05 * run.composition.config.learning_rate_multiplier**0.2
            made = HandMade(
                lambda step, best=best: best if step else 0.1,
                percentiles=lambda unit, step: (-1.0, 0.0, 1.0),
            )
            write_run(results, run.composition, made)
    for run in study.planned_runs("figure_4", ["scale=cpu"]):
        probabilities = np.random.default_rng(run.seed).dirichlet(np.ones(10), 100)
        made = HandMade(lambda step: 0.5, predictions=(probabilities, labels))
        write_run(results, run.composition, made)
    (results / "claims").mkdir()
    (results / "claims" / "verdicts.csv").write_text(
        "claim,section,group,measured,criterion,verdict\n"
        'C1,2,exact experiment,"growth of <b>, second half: 1",at least 0.9,reproduced\n'
        "C13,4.2.2,training,BN-Baseline over Inception: 1.5,above 2,not reproduced\n"
        "C20,1,training,the range without is larger,above 0,hint: holds\n"
        "C25,,no verdict,not the paper's claim,,no verdict\n"
    )
    return results


@pytest.fixture(scope="module")
def text(results: Path) -> str:
    assert report.main(str(results)) == 0
    return (results / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(text: str) -> Page:
    return Page(text)


def test_every_element_is_closed(page: Page) -> None:
    assert page.open == []


def test_the_page_loads_nothing(page: Page, text: str) -> None:
    assert page.loads == ["data:,"]
    assert "<script" not in text
    assert "@import" not in text
    assert not re.search(r"url\((?!#)", text)
    outside = [link for link in page.links if re.match(r"[a-z]+:|//", link)]
    assert outside == []


def test_identifiers_are_unique_and_links_lead_somewhere(page: Page, results: Path) -> None:
    assert len(page.identifiers) == len(set(page.identifiers))
    known = set(page.identifiers)
    for link in filter(None, page.links):
        if link.startswith("#"):
            assert link[1:] in known
        else:
            assert (results / link).is_file(), link


def test_drawings_have_words_and_tables_have_headers(page: Page) -> None:
    drawings = [
        attributes
        for tag, attributes in page.elements
        if tag == "svg" and "aria-hidden" not in attributes
    ]
    assert len(drawings) >= 12
    assert all(len(attributes["aria-label"] or "") > 20 for attributes in drawings)
    assert all(attributes["role"] == "img" for attributes in drawings)
    tags = [tag for tag, _ in page.elements]
    assert tags.count("table") == tags.count("caption") == tags.count("thead")
    headers = [attributes for tag, attributes in page.elements if tag == "th"]
    assert {attributes.get("scope") for attributes in headers} == {"col", "row"}
    assert tags.count("h1") == 1


def test_missing_exhibits_are_left_out_with_their_command(page: Page) -> None:
    assert "study=placement: none of its" in page.text
    assert "bnrepro sweep study=batch_size" in page.text
    assert "study=figure_1: 8 of 12 runs are missing" in page.text


def test_findings_stand_in_their_section_and_the_first_of_each_in_short(
    page: Page, results: Path
) -> None:
    first, *others = making.exhibit("2", str(results), "cpu").findings
    assert len(others) >= 2
    assert page.text.count(first) == 2
    assert [page.text.count(finding) for finding in others] == [1] * len(others)


def test_long_tables_of_an_exhibit_are_folded(text: str, results: Path) -> None:
    (section,) = re.findall(
        r'<section aria-labelledby="figure-2-cpu">.*?</section>', text, re.DOTALL
    )
    folded = re.findall(r"<details>.*?</details>", section, re.DOTALL)
    for table in making.exhibit("2", str(results), "cpu").tables:
        caption = markup.escape(table.caption)
        inside = [part for part in folded if caption in part]
        assert bool(inside) == (len(table.rows) > 12), table.name
        assert caption in section


def test_notes_are_linked_where_they_lie(results: Path) -> None:
    (part,) = making.parts("2", "cpu")
    assert "NOTES.md" not in exhibit(part, str(results)).body
    (results / "figure_2" / "NOTES.md").write_text("# What was tried\n")
    assert 'href="figure_2/NOTES.md"' in exhibit(part, str(results)).body
    (results / "figure_2" / "NOTES.md").unlink()


def test_a_p_value_is_no_percentage() -> None:
    columns = ("measure", "gap", "p_value")
    shown = markup.table(columns, [("best accuracy", 0.012, 0.25)], "Differences.")
    assert "1.20 points" in shown
    assert ">0.25<" in shown


def test_exhibits_say_command_time_and_machine(page: Page) -> None:
    assert "bnrepro sweep study=figure_2 scale=cpu" in page.text
    assert "bnrepro figure 1" in page.text
    assert "bnrepro table study=figure_2 scale=cpu" in page.text
    assert "4 runs," in page.text
    assert f"on {ENVIRONMENT['device']} (1 thread a run)" in page.text
    assert "CIFAR-10, Inception at width 0.25, batch 32, n = 2 seeds" in page.text


def test_the_table_and_the_verdicts_of_figure_2_are_written(results: Path, text: str) -> None:
    folder = results / "figure_2"
    assert (folder / "table.csv").read_text().startswith("experiment,n,reached,steps_to_target,")
    assert (folder / "verdicts.csv").read_text().startswith("claim,verdict,measured,criterion\n")


def test_verdicts_are_shown_with_a_mark_and_escaped(page: Page, text: str) -> None:
    assert (
        "identities and small exact experiments: 1 reproduced; what trainings show: 1 not "
        "reproduced, 1 hint: holds; without a verdict: C25." in page.text
    )
    assert "(✓) hint: holds" in page.text
    assert "– no verdict" in page.text
    assert "✓ reproduced" in page.text
    assert "✗ not reproduced" in page.text
    assert "growth of &lt;b&gt;, second half" in text


@pytest.mark.slow
def test_the_same_records_give_the_same_page(results: Path, text: str) -> None:
    script = "import sys; from bnrepro import report; report.main(sys.argv[1])"
    environment = {**os.environ, "PYTHONHASHSEED": "5"}
    subprocess.run([sys.executable, "-c", script, str(results)], check=True, env=environment)
    assert (results / "report.html").read_text(encoding="utf-8") == text


def test_without_any_record_the_page_says_how_to_begin(tmp_path: Path) -> None:
    assert report.main(str(tmp_path / "new")) == 0
    page = Page((tmp_path / "new" / "report.html").read_text(encoding="utf-8"))
    assert "bnrepro sweep study=figure_1" in page.text
    assert "bnrepro claims" in page.text
    assert "Deviations from the paper" in page.text


def test_verdicts_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    (tmp_path / "claims").mkdir()
    (tmp_path / "claims" / "verdicts.csv").write_text("other,columns\n1,2\n")
    with pytest.raises(RecordError, match="bnrepro claims"):
        report.build(str(tmp_path))


def test_several_machines_and_commits_are_all_named(tmp_path: Path) -> None:
    for run in study.planned_runs("placement"):
        if run.seed < 2:
            directory = write_run(tmp_path, run.composition, HandMade(lambda step: 0.9))
            record = read_record(directory)
            other = {**record.environment, "commit": None, "device": f"CPU: number {run.seed}"}
            write_record(directory, replace(record, environment=other))
    page = Page(report.build(str(tmp_path)))
    assert "on CPU: number 0 or CPU: number 1 (1 thread a run)" in page.text
    assert "not a checkout" in page.text


# Deviations.
# Keys of which a paper would not speak: how often to look, what to keep, what to run on, and
# options of what no experiment has.
OURS = {key for key, said in KEYS.items() if said.ours}


def test_every_setting_of_a_run_is_spoken_of_or_said_to_be_untouched() -> None:
    keys = set(to_flat(study.planned_runs("figure_1")[0].composition.config))
    stated = {setting.key for setting in (*settings.FIGURE_1, *settings.FIGURE_2)}
    assert stated | OURS == keys
    assert not stated & OURS


def test_deviations_come_from_the_configs() -> None:
    compared = deviations.compare_all("cpu")
    figure_1 = {item.setting.key: item for item in compared["Figure 1"]}
    assert [key for key, item in figure_1.items() if item.kind == "deviation"] == []
    assert figure_1["learning_rate"].kind == "left open"
    assert figure_1["batch_size"].kind == "as the paper"
    figure_2 = {item.setting.key: item for item in compared["Figure 2"]}
    for key in ("data.name", "data.image_size", "model.name", "model.width", "learning_rate"):
        assert figure_2[key].kind == "deviation", key
    for key in ("accelerate", "learning_rate_multiplier", "activation", "placement", "dropout"):
        assert figure_2[key].kind == "as the paper", key
    assert "Zhang" in str(figure_2["model.name"].ours)
    figure_4 = [item for item in compared["Figure 4"] if item.setting.key == "dropout"]
    assert {item.experiments: item.ours for item in figure_4} == {
        ("seed 0", "seed 3"): 0.4,
        ("seed 1", "seed 4"): 0.05,
        ("seed 2", "seed 5"): 0.1,
    }


def test_figure_4s_networks_are_bn_x30_in_all_that_is_not_spoken_of() -> None:
    planned = study.planned_runs("figure_2", ["scale=cpu"])
    bn_x30 = next(to_flat(run.composition.config) for run in planned if run.experiment == "bn_x30")
    spoken_of = {setting.key for setting in settings.FIGURE_4} | OURS
    for run in study.planned_runs("figure_4", ["scale=cpu"]):
        config = to_flat(run.composition.config)
        assert {key for key in config if config[key] != bn_x30[key]} <= spoken_of


def test_the_page_of_deviations_has_a_row_for_each_and_none_for_what_is_as_the_paper() -> None:
    compared = [item for items in deviations.compare_all("cpu").values() for item in items]
    lines = deviations.to_markdown("cpu").splitlines()
    rows = [line for line in lines if line.startswith("| ") and "---" not in line]
    listed = [row.split("|")[1].strip() for row in rows if not row.startswith("| setting |")]
    expected = [item.setting.key for item in compared if item.kind != "as the paper"]
    assert sorted(listed) == sorted(expected)
    columns = {line.count("|") for line in rows}
    assert columns == {len(deviations.COLUMNS) + 1, len(deviations.OPEN_COLUMNS) + 1}


def test_at_the_papers_scale_little_deviates() -> None:
    planned = study.planned_runs("figure_2", ["scale=paper", "data.root=images"])
    (config,) = (
        to_flat(run.composition.config)
        for run in planned
        if run.experiment == "inception" and run.seed == 0
    )
    figure_2 = deviations.compare(settings.FIGURE_2, {"inception": config})
    different = {item.setting.key for item in figure_2 if item.kind == "deviation"}
    assert "data.image_size" not in different
    assert "model.name" not in different
    assert "learning_rate" not in different


# Cells.


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        (None, "", "–"),
        (True, "", "yes"),
        (13_300_000, "", "13,300,000"),
        (0.97532, " %", "97.53 %"),
        (0.0082, " points", "0.82 points"),
        (10_500.0, "", "10,500"),
        (0.031249, "", "0.03125"),
        ("bn_x5_sigmoid over bn_x5", "", "BN-x5-Sigmoid over BN-x5"),
    ],
)
def test_cells_are_readable(value: object, unit: str, shown: str) -> None:
    assert markup.readable(value, unit) == shown


def test_intervals_stand_in_brackets_behind_their_number() -> None:
    columns = ["network", "accuracy", "accuracy_low", "accuracy_high"]
    rows = [["a", 0.97, 0.96, 0.98], ["b", 0.9, None, None], ["c", 0.9, 0.8, None]]
    table = markup.table(columns, rows, "caption")
    # A number and its percent sign are not torn apart.
    assert "97.00\N{NO-BREAK SPACE}% (96.00 to 98.00)" in table
    assert ">90.00\N{NO-BREAK SPACE}%<" in table
    assert "90.00\N{NO-BREAK SPACE}% (80.00 or more)" in table
    assert "low" not in table


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs Chromium")
@pytest.mark.parametrize("width", [320, 360, 768, 1280])
def test_the_page_never_scrolls_sideways(text: str, width: int, tmp_path: Path) -> None:
    frame = tmp_path / "frame.html"
    opened = text.replace("<details>", "<details open>")
    frame.write_text(
        f'<!DOCTYPE html><title></title><iframe style="width:{width}px;border:0" '
        f'srcdoc="{html.escape(opened)}" onload="document.title = '
        'this.contentDocument.documentElement.scrollWidth"></iframe>'
    )
    command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"]
    command += ["--disable-background-networking", f"--user-data-dir={tmp_path / 'profile'}"]
    command += ["--virtual-time-budget=10000", "--dump-dom", frame.as_uri()]
    dumped = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found = re.search(r"<title>(\d+)</title>", dumped)
    assert found is not None
    assert int(found[1]) <= width


def test_a_drawing_stands_at_its_claim(tmp_path: Path) -> None:
    folder = tmp_path / "claims"
    folder.mkdir()
    (folder / "verdicts.csv").write_text(
        "claim,section,group,measured,criterion,verdict\n"
        "C1,2,exact experiment,growth: 1,at least 0.9,reproduced\n"
        "C2,3.3,exact experiment,error: 0,at most 1,reproduced\n"
        "C3,3.3,no verdict,no record keeps them,,no verdict\n"
    )
    (folder / "naive_normalization.svg").write_text('<svg width="1" height="1"></svg>')
    body = tested_claims.section(str(tmp_path)).body
    places = [body.index(part) for part in ("<h3>C1</h3>", "<svg", "<h3>C2</h3>")]
    assert places == sorted(places)
    assert "1 of the 3 claims have no verdict" in body


def test_a_link_leads_back_to_the_contents_from_everywhere(page: Page, text: str) -> None:
    assert "#top" in page.links
    assert "position: fixed" in re.findall(r"\.top \{[^}]*\}", text)[0]


def test_the_title_of_a_drawing_and_what_its_band_is_stand_beside_it(
    page: Page, results: Path
) -> None:
    for drawing in making.exhibit("2", str(results), "cpu").drawings:
        assert drawing.title in page.text
        assert drawing.caption in page.text
        assert "band: " in drawing.caption


def test_the_reason_stands_on_the_page_below_a_claim_that_is_not_reproduced(tmp_path: Path) -> None:
    folder = tmp_path / "claims"
    folder.mkdir()
    for verdict in ("not reproduced", "reproduced"):
        rows = (
            "claim,section,group,measured,criterion,verdict\n"
            f"C4,3.3,exact experiment,share: 0.6,at least 0.9,{verdict}\n"
        )
        (folder / "verdicts.csv").write_text(rows)
        body = tested_claims.section(str(tmp_path)).body
        assert ("The paper argues" in body) == (verdict == "not reproduced")
