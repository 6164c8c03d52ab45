"""The page with sliders, in a headless browser: what it shows follows from formulas here."""

import html
import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import bnrepro.exhibits.error_surface

PAGE = Path(bnrepro.exhibits.error_surface.__file__).parent / "interactive.html"
PLAIN = {"scale": 4, "correlation": 0.6, "mean1": 0, "mean2": 0, "features": "raw"}
DESCENT = {**PLAIN, "optimizer": "descent", "rate": "best"}
SETTINGS = {
    "raw": DESCENT,
    "scale": {**DESCENT, "scale": 10, "correlation": 0},
    "means": {**DESCENT, "scale": 1, "correlation": 0, "mean1": 1, "mean2": 2},
    "scaled": {**DESCENT, "mean1": 1, "mean2": 4, "features": "scaled"},
    "standardized": {**DESCENT, "mean1": 1, "features": "standardized"},
    "whitened": {**DESCENT, "mean1": 1, "features": "whitened"},
    "below": {**DESCENT, "rate": 0.12},
    "above": {**DESCENT, "rate": 0.13},
    "momentum": {**PLAIN, "optimizer": "momentum", "rate": 0.05},
    "nesterov": {**PLAIN, "optimizer": "nesterov", "rate": 0.05},
    "adagrad": {**PLAIN, "optimizer": "adagrad", "rate": 0.5},
    "rmsprop": {**PLAIN, "optimizer": "rmsprop", "rate": 0.0005},
    "adam": {**PLAIN, "optimizer": "adam", "rate": 0.1},
}
# Moves the sliders as a hand does, one setting after the other.
DRIVER = """<pre id="found"></pre><script>
const found = {};
for (const [name, setting] of Object.entries(%s)) {
  const {rate, ...others} = setting;
  for (const [id, value] of Object.entries(others)) {
    byId(id).value = id === "scale" ? Math.log10(value) : value;
    byId(id).dispatchEvent(new Event("input", {bubbles: true}));
  }
  if (rate === "best") byId("best").click();
  else {
    byId("rate").value = Math.log10(rate);
    byId("rate").dispatchEvent(new Event("input", {bubbles: true}));
  }
  found[name] = {
    condition: byId("condition").textContent, largest: byId("largest").textContent,
    foretold: byId("foretold").textContent, steps: byId("outcome").dataset.steps,
    contours: [...document.querySelectorAll(".contour")].map(
      (one) => [Number(one.getAttribute("rx")), Number(one.getAttribute("ry"))]),
    turn: document.querySelector(".contour").getAttribute("transform"),
    path: document.querySelector("#surface polyline").getAttribute("points"),
    course: document.querySelector("#course polyline").getAttribute("points"),
    address: location.hash,
  };
}
byId("found").textContent = JSON.stringify(found);
</script></body>"""


def in_browser(page, profile):
    """The page's text once its scripts have run."""
    command = [shutil.which("chromium"), "--headless", "--no-sandbox", "--disable-gpu"]
    command += ["--no-first-run", "--disable-background-networking", f"--user-data-dir={profile}"]
    done = subprocess.run(
        [*command, "--dump-dom", page], check=True, capture_output=True, text=True
    )
    return done.stdout


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """What the page shows at each of the settings."""
    if shutil.which("chromium") is None:
        pytest.skip("no chromium to open the page with")
    folder = tmp_path_factory.mktemp("page")
    driven = folder / "driven.html"
    driven.write_text(PAGE.read_text().replace("</body>", DRIVER % json.dumps(SETTINGS)))
    text = in_browser(driven.as_uri(), folder / "profile")
    return json.loads(html.unescape(re.findall(r'<pre id="found">(.*?)</pre>', text)[0]))


def hessian(setting):
    """E[(x, 1) (x, 1)^T] of the features after their normalization."""
    deviations = np.array([1.0, setting["scale"]])
    means = np.array([setting["mean1"], setting["mean2"]], float)
    if setting["features"] != "raw":
        deviations, means = np.ones(2), means / deviations
    if setting["features"] in ("standardized", "whitened"):
        means = np.zeros(2)
    correlation = 0 if setting["features"] == "whitened" else setting["correlation"]
    covariance = np.outer(deviations, deviations) * [[1, correlation], [correlation, 1]]
    corner = np.append(means, 1)
    moments = np.outer(corner, corner)
    moments[:2, :2] += covariance
    return moments


def reference(rule, matrix, error, rate):
    """The errors after each of 5,000 steps, by the lecture's update rules."""
    v, r, errors = np.zeros(3), np.zeros(3), []
    for t in range(1, 5_001):
        g = matrix @ (error + 0.9 * v if rule == "nesterov" else error)
        if rule in ("momentum", "nesterov"):
            v = 0.9 * v - rate * g
            error = error + v
        elif rule == "adam":
            v, r = 0.9 * v + 0.1 * g, 0.999 * r + 0.001 * g**2
            error = error - rate * v / (1 - 0.9**t) / (np.sqrt(r / (1 - 0.999**t)) + 1e-7)
        elif rule == "rmsprop":
            r = 0.9 * r + 0.1 * g**2
            error = error - rate * g / np.sqrt(1e-7 + r)
        else:
            r = r + g**2
            error = error - rate * g / (1e-7 + np.sqrt(r))
        errors.append(np.linalg.norm(error))
    return np.array(errors)


def number(text):
    return float(text.replace(",", ""))


@pytest.mark.slow
@pytest.mark.parametrize("name", SETTINGS)
def test_what_is_foretold_follows_from_the_moments(name, shown):
    values = np.linalg.eigvalsh(hessian(SETTINGS[name]))
    condition = values[-1] / values[0]
    assert number(shown[name]["condition"]) == pytest.approx(condition, rel=1e-3)
    assert number(shown[name]["largest"]) == pytest.approx(2 / values[-1], rel=1e-3)
    steps = np.log(1e3) / np.log((condition + 1) / (condition - 1)) if condition > 1.001 else 0.5
    assert number(shown[name]["foretold"]) == pytest.approx(np.ceil(steps), rel=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [name for name, one in SETTINGS.items() if one == {**one, "rate": "best"}]
)
def test_at_the_best_rate_descent_takes_the_steps_foretold(name, shown):
    assert abs(number(shown[name]["steps"]) - number(shown[name]["foretold"])) <= 1


@pytest.mark.slow
def test_above_the_largest_rate_descent_diverges(shown):
    largest = number(shown["above"]["largest"])
    assert 0.12 < largest < 0.13
    assert shown["above"]["steps"] == "diverges"
    assert number(shown["below"]["steps"]) > number(shown["raw"]["steps"])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["momentum", "nesterov", "adagrad", "rmsprop", "adam"])
def test_an_optimizer_takes_the_steps_of_its_rule(name, shown):
    matrix = hessian(SETTINGS[name])
    vectors = np.linalg.eigh(matrix).eigenvectors
    vectors = vectors * np.sign([1, 0.1, 0.01] @ vectors)
    start = vectors[:, 0] + vectors[:, 2]
    start = start / np.sqrt(start @ matrix @ start / 2)
    far = reference(name, matrix, start, SETTINGS[name]["rate"]) > np.linalg.norm(start) / 1e3
    stays = next(t for t in range(5_000) if not far[t : t + 100].any())
    assert shown[name]["steps"] == str(stays + 1)


@pytest.mark.slow
def test_the_contours_have_the_axes_of_the_covariance_and_move_with_it(shown):
    for name in ("raw", "scale", "standardized", "whitened"):
        matrix = hessian(SETTINGS[name])
        covariance = matrix[:2, :2] - np.outer(matrix[:2, 2], matrix[:2, 2])
        values, vectors = np.linalg.eigh(covariance)
        (along, across), (next_along, _) = shown[name]["contours"][:2]
        assert across / along == pytest.approx(np.sqrt(values[1] / values[0]), rel=1e-6)
        assert next_along == pytest.approx(along / 2, rel=1e-6)
    turned = float(re.findall(r"rotate\((\S+) ", shown["raw"]["turn"])[0])
    matrix = hessian(SETTINGS["raw"])[:2, :2]
    steepest = np.linalg.eigh(matrix).eigenvectors[:, 1]
    # The steep axis is the short one; up is less in the drawing.
    assert np.tan(np.radians(-turned)) == pytest.approx(steepest[1] / steepest[0], rel=1e-6)


@pytest.mark.slow
def test_the_path_begins_on_the_outermost_contour_and_ends_in_the_middle(shown):
    points = np.array([point.split(",") for point in shown["raw"]["path"].split()], float)
    x, y = points[0] - 300
    (along, across), turn = shown["raw"]["contours"][0], shown["raw"]["turn"]
    angle = np.radians(float(re.findall(r"rotate\((\S+) ", turn)[0]))
    u, v = x * np.cos(angle) + y * np.sin(angle), -x * np.sin(angle) + y * np.cos(angle)
    assert (u / along) ** 2 + (v / across) ** 2 == pytest.approx(1, rel=0.02)
    assert abs(points[-1] - 300).max() < 1
    # One step of descent on whitened features leads to the minimum.
    white = np.array([point.split(",") for point in shown["whitened"]["path"].split()], float)
    assert abs(white[1] - 300).max() < 0.1


@pytest.mark.slow
def test_the_address_keeps_the_sliders(shown, tmp_path):
    text = in_browser(PAGE.as_uri() + shown["adam"]["address"], tmp_path / "profile")
    assert f'data-steps="{shown["adam"]["steps"]}"' in text


def test_the_page_needs_nothing_but_itself():
    text = PAGE.read_text()
    assert re.findall(r"https?:|@import|src=|url\(|fetch\(|XMLHttp", text) == []
    labels = re.findall(r'<(?:input|select) id="(\w+)"', text)
    # Every control lies inside its label.
    assert len(labels) == text.count("<label>") == 7
