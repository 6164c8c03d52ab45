"""D6 from hand-made records whose answer is known."""

from bnrepro.config import study
from bnrepro.exhibits.weight_normalization.claims import OF_FILE


def test_the_first_criteria_are_those_of_the_studys_file():
    in_file = study.load("weight_normalization").criteria
    assert [(each.relation, each.bound) for each in OF_FILE.values()] == [
        (each.relation, each.bound) for each in in_file
    ]
    for key, words in {"D6.sooner": "steps to 0.5", "D6.mean": "best accuracy",
                       "D6.start": "final accuracy"}.items():  # fmt: skip
        assert in_file[list(OF_FILE).index(key)].measure == words
