"""From the rows of a comparison to the numbers that stand beside each other."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from statistics import median
from typing import TypeVar

from bnrepro.lab.comparison.findings import PROPERTIES
from bnrepro.lab.comparison.plan import Candidate, Plan
from bnrepro.lab.comparison.rows import CardRow, CostRow, Point, Refusal, Row

_Kind = TypeVar("_Kind")
# The accuracy that a network must reach to count as trained, on the digits that it was not shown.
TARGET = 0.9


def listed(words: list[str]) -> str:
    """`batch, layer and none`."""
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


@dataclass(frozen=True)
class Course:
    """One network's accuracies, from step 0 on."""

    steps: tuple[int, ...]
    accuracies: tuple[float, ...]

    @property
    def best(self) -> float:
        """The highest accuracy; a network that diverged keeps what it had before."""
        return max(value for value in self.accuracies if not math.isnan(value))

    @property
    def steps_to_target(self) -> float:
        """The first evaluation at or above `TARGET`; infinite if there is none."""
        pairs = zip(self.steps, self.accuracies, strict=True)
        return next((step for step, value in pairs if value >= TARGET), math.inf)


@dataclass(frozen=True)
class Spread:
    """A number over the seeds."""

    middle: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float]) -> "Spread":
        """Median, lowest and highest."""
        kept = list(values)
        return cls(median(kept), min(kept), max(kept))


@dataclass(frozen=True)
class Comparison:
    """All rows of all candidates."""

    candidates: tuple[Candidate, ...]
    plan: Plan
    rows: tuple[Row, ...]

    @cached_property
    def card(self) -> dict[tuple[str, str], list[CardRow]]:
        """By normalization and property: the answers on vectors and on feature maps."""
        found: dict[tuple[str, str], list[CardRow]] = {}
        for row in self._of(CardRow):
            found.setdefault((row.normalization, row.property), []).append(row)
        return found

    @cached_property
    def courses(self) -> dict[tuple[str, str, str], list[Course]]:
        """By normalization, measure and setting: a course a seed."""
        points: dict[tuple[str, str, str, int], list[Point]] = {}
        for row in self._of(Point):
            points.setdefault((*row[:3], row.seed), []).append(row)
        found: dict[tuple[str, str, str], list[Course]] = {}
        for key, course in sorted(points.items(), key=lambda each: each[0][3]):
            steps, accuracies = zip(*((row.step, row.accuracy) for row in course), strict=True)
            found.setdefault(key[:3], []).append(Course(steps, accuracies))
        return found

    @property
    def costs(self) -> dict[tuple[str, str], CostRow]:
        """By normalization and network."""
        return {(row.normalization, row.network): row for row in self._of(CostRow)}

    @property
    def refusals(self) -> list[Refusal]:
        """What could not be trained or timed."""
        return list(self._of(Refusal))

    def judged(self, candidate: Candidate, judgement: str) -> list[str]:
        """The names of the properties with such an answer."""
        return [
            each.name
            for each in PROPERTIES
            if any(
                row.judgement == judgement for row in self.card.get((candidate.word, each.name), [])
            )
        ]

    def settings(self, measure: str) -> list[str]:
        """The settings of a measure, in the order of the plan."""
        return list(
            dict.fromkeys(each.setting for each in self.plan.trainings() if each.measure == measure)
        )

    def trains(self, candidate: Candidate, measure: str) -> list[str] | None:
        """The settings at which every seed reaches the target; None where nothing was trained."""
        found = {
            setting: self.courses.get((candidate.word, measure, setting))
            for setting in self.settings(measure)
        }
        if not any(found.values()):
            return None
        return [
            setting
            for setting, courses in found.items()
            if courses and all(course.best >= TARGET for course in courses)
        ]

    def best(self, candidate: Candidate, measure: str, setting: str) -> Spread | None:
        """The best accuracy over the seeds."""
        courses = self.courses.get((candidate.word, measure, setting))
        return Spread.of(course.best for course in courses) if courses else None

    def steps(self, candidate: Candidate, setting: str) -> Spread | None:
        """The steps to the target over the seeds, of a row of the table."""
        courses = self.courses.get((candidate.word, "row", setting))
        return Spread.of(course.steps_to_target for course in courses) if courses else None

    def _of(self, kind: type[_Kind]) -> Iterable[_Kind]:
        return (row for row in self.rows if isinstance(row, kind))
