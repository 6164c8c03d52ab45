"""The identity card of a normalization: what it is, computed in double precision."""

from collections.abc import Iterator

from bnrepro.lab.comparison import backward, dependence, edges, invariance, states
from bnrepro.lab.comparison.findings import PROPERTIES, Finding
from bnrepro.lab.comparison.rows import CardRow, said_by
from bnrepro.lab.comparison.subject import FEATURE_MAPS, VECTORS, Make, Subject

_MEASURES = {
    invariance.measure: ("weights_scaled", "example_shifted"),
    dependence.measure: ("statistics_over", "epsilon"),
    states.measure: ("inference_alone", "repeatable"),
    backward.measure: ("gradient_to_inputs", "orthogonal_to_weights"),
    edges.measure: ("one_example", "bfloat16"),
}


def card(normalization: str, make: Make) -> Iterator[CardRow]:
    """The answers on vectors and on feature maps; what a layer does not take is left out.

    `make` gives a fresh layer under Keras's present policy, which is float64's.
    """
    for inputs in (VECTORS, FEATURE_MAPS):
        subject = Subject(make, inputs)
        try:
            subject.training(inputs.values("x"))
        except Exception as error:  # somebody's layer: whatever it raises is an answer
            yield CardRow(normalization, "accepted", inputs.name, said_by(error), "text", 0.0)
            continue
        for name, finding in _answers(subject).items():
            yield CardRow(normalization, name, inputs.name, *finding)


def _answers(subject: Subject) -> dict[str, Finding]:
    """Every property's finding; a family of questions that fails is a fault of each."""
    names = [each.name for each in PROPERTIES]
    found: dict[str, Finding] = {}
    for measure, (first, last) in _MEASURES.items():
        try:
            found |= measure(subject)
        except Exception as error:
            raised = Finding(f"raises {type(error).__name__}: {said_by(error)}", "fault")
            family = names[names.index(first) : names.index(last) + 1]
            found |= dict.fromkeys(family, raised)
    return found
