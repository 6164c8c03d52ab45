"""The identity card: what is known of normalizations, and mistakes that it must find."""

import faulty_normalizations as faulty
import keras
import pytest

from bnrepro.lab.comparison import backward, dependence, edges, invariance, states
from bnrepro.lab.comparison.card import card
from bnrepro.lab.comparison.findings import PROPERTIES
from bnrepro.lab.comparison.making import maker
from bnrepro.lab.comparison.plan import Candidate
from bnrepro.lab.comparison.subject import FEATURE_MAPS, VECTORS, Subject
from bnrepro.lab.setting import double_precision


@pytest.fixture(autouse=True)
def precision():
    with double_precision():
        yield


def answers(measure, make, inputs=FEATURE_MAPS):
    return measure(Subject(make, inputs))


def project(word):
    return maker(Candidate(word), "tensorflow")


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        # Table 1 of https://arxiv.org/abs/1607.06450: weight matrix re-scaling and re-centering,
        # weight vector re-scaling, dataset re-scaling and re-centering, single case re-scaling.
        ("batch", "yes no yes yes yes no"),
        ("layer", "yes yes no yes no yes"),
        # Its size is taken before the mean is.
        ("l1_norm", "yes no yes yes no no"),
        ("none", "no no no no no no"),
    ],
)
def test_invariances_are_those_of_the_table(word, expected):
    found = answers(invariance.measure, project(word), VECTORS)
    texts = [finding.text for name, finding in found.items() if name != "example_shifted"]
    assert texts == expected.split()


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("batch", "examples and positions"),
        ("layer", "positions and channels"),
        ("group", "positions and 8 of 16 channels"),
        ("instance", "positions"),
        ("none", "no other value"),
    ],
)
def test_statistics_are_over_what_the_normalization_is_named_for(word, expected):
    assert answers(dependence.measure, project(word))["statistics_over"].text == expected


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("batch", "biased, 1/m"),
        ("l1_norm", "none: divides by mean |x|"),
        ("l2_norm", "none: divides by √(mean x²)"),
        ("linf_norm", "none: divides by max |x|"),
        ("mean_only", "does not normalize"),
    ],
)
def test_what_values_are_divided_by_is_found(word, text):
    assert answers(dependence.measure, project(word), VECTORS)["variance"].text == text


@pytest.mark.parametrize("measure", [backward.measure, edges.measure])
@pytest.mark.parametrize("word", ["noisy_batch", "noise"])
def test_random_numbers_are_no_fault(word, measure):
    found = answers(measure, project(word), VECTORS)
    assert {finding.judgement for finding in found.values()} <= {"yes", "no", "text"}


def test_a_layer_of_random_numbers_comes_back_from_its_config(monkeypatch):
    monkeypatch.setattr(states, "_MOST_STEPS", 50)
    found = answers(states.measure, project("noisy_batch"), VECTORS)
    assert [name for name, finding in found.items() if finding.judgement == "fault"] == []


@pytest.mark.parametrize("measure", [dependence.measure, states.measure, backward.measure])
def test_a_right_layer_has_neither_a_fault_nor_anything_unusual(measure):
    found = answers(measure, faulty.Batch)
    assert {finding.judgement for finding in found.values()} <= {"yes", "no", "text"}


@pytest.mark.parametrize(
    ("layer", "measure", "name", "judgement", "text"),
    [
        (faulty.WrongAxis, dependence.measure, "statistics_over", "unusual", "examples, columns"),
        (faulty.WrongAxis, invariance.measure, "unit_scaled", "no", "no"),
        (faulty.StoppedGradient, backward.measure, "gradient_to_inputs", "fault", "not its"),
        (faulty.LeakAtInference, states.measure, "inference_alone", "fault", "others are seen"),
        (faulty.StateBeside, states.measure, "state_in_weights", "fault", "kept elsewhere"),
        (faulty.EpsilonOutside, dependence.measure, "epsilon", "unusual", "1e-05 to the deviation"),
        (faulty.Unbiased, dependence.measure, "variance", "unusual", "1/(m−1), m = 96"),
        (faulty.Unbiased, dependence.measure, "batch_twice", "no", "no"),
    ],
)
def test_a_mistake_is_found(layer, measure, name, judgement, text):
    finding = answers(measure, layer)[name]
    assert finding.judgement == judgement
    assert text in finding.text


def test_numbers_at_the_edges_are_named():
    found = answers(edges.measure, project("batch"), VECTORS)
    assert found["one_example"].text == "all 0"
    assert answers(edges.measure, project("layer"), VECTORS)["one_example"].text == "works"
    assert {found[name].judgement for name in ("constant", "large_mean", "float16")} == {
        "yes",
        "text",
    }


class SquareOfSums(faulty.Batch):
    """E[x^2] - E[x]^2, which loses all its digits beside a large mean."""

    def moments(self, inputs):
        mean = keras.ops.mean(inputs, self.axes(len(inputs.shape)), keepdims=True)
        squares = keras.ops.mean(inputs**2, self.axes(len(inputs.shape)), keepdims=True)
        return mean, squares - mean**2


def test_cancellation_and_overflow_are_found():
    found = answers(edges.measure, SquareOfSums)
    assert found["large_mean"].judgement in ("unusual", "fault")
    assert found["float16"].judgement in ("unusual", "fault")


def test_a_layer_that_fails_is_an_answer_and_not_the_end(monkeypatch):
    monkeypatch.setattr(states, "_MOST_STEPS", 50)

    class NoBatchOfOne(faulty.Batch):
        def call(self, inputs, training=None):
            if inputs.shape[0] == 1:
                raise ValueError("expected <two> examples")
            if len(inputs.shape) == 2:
                raise ValueError("expected feature maps")
            return super().call(inputs, training)

    rows = list(card("own", NoBatchOfOne))
    refused = [row for row in rows if row.property == "accepted"]
    assert [(row.inputs, row.finding) for row in refused] == [("vectors", "expected feature maps")]
    maps = {row.property: row for row in rows if row.inputs == "feature maps"}
    assert set(maps) == {each.name for each in PROPERTIES}
    assert maps["one_example"].judgement == maps["inference_alone"].judgement == "fault"
    assert "expected <two> examples" in maps["one_example"].finding
    assert maps["weights_scaled"].finding == "yes"
