"""What the exhibits of studies that the laboratory computes share: tables and verdicts of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass, field
from functools import partial

import pandas as pd

from bnrepro.exhibits.exhibit import Drawing, Exhibit, Table
from bnrepro.exhibits.wording import data_set
from bnrepro.records import laboratory
from bnrepro.records.laboratory import LaboratoryRecord
from bnrepro.verdicts.comparison import judge_seeds, of_values, without_records
from bnrepro.verdicts.criteria import SeedCriterion
from bnrepro.verdicts.reasons import reasons_for
from bnrepro.verdicts.verdict import COLUMNS, Verdict

# The tables of a study by their names, and what is measured on one seed's rows of one of them.
Tables = dict[str, pd.DataFrame]
Measure = Callable[[pd.DataFrame], float]
# What is measured for each criterion, and of which rows; these have a column `seed`.
Measures = Mapping[str, tuple[pd.DataFrame, Measure]]


@dataclass(frozen=True)
class Told:
    """What an exhibit's own file says of it; its verdicts, cost and commands are added."""

    title: str
    setting: str
    findings: list[str]
    drawings: list[Drawing]
    tables: Sequence[Table] = ()
    pages: Mapping[str, str] = field(default_factory=dict)


# What a study's record and tables tell.
Tell = Callable[[LaboratoryRecord, Tables], Told]


@dataclass(frozen=True)
class ComputedClaims:
    """The criteria of one study of `bnrepro laboratory`, held against its tables.

    `measures` gives what is measured for each key of `criteria`. Numbers that `in_points` names are
    shares, and are printed as percentage points.
    """

    study: str
    table_names: Sequence[str]
    criteria: Mapping[str, SeedCriterion]
    measures: Callable[[Tables], Measures]
    in_points: Sequence[str] = ()

    @property
    def claims(self) -> list[str]:
        """The claims that have a criterion here."""
        return list(dict.fromkeys(each.claim for each in self.criteria.values()))

    def tables(self, results_dir: str) -> dict[str, pd.DataFrame]:
        """The study's tables by their names.

        Raises:
            ConfigError: if it was not computed below `results_dir`.
            RecordError: if a table cannot be read.
        """
        laboratory.read(results_dir, self.study)
        return {
            name: laboratory.read_table(results_dir, self.study, name) for name in self.table_names
        }

    def exhibited(self, tell: Tell) -> Callable[[str], Exhibit]:
        """A decorator: what an exhibit's file tells becomes its `exhibit(results_dir)`.

        That one raises `ConfigError` if the study was not computed below `results_dir`, and
        `RecordError` if its record or a table cannot be read.
        """
        return partial(self._exhibit, tell)

    def _exhibit(self, tell: Tell, results_dir: str) -> Exhibit:
        record, found = laboratory.read(results_dir, self.study), self.tables(results_dir)
        told, verdicts = tell(record, found), self.verdicts(found)
        computed = laboratory.command(self.study, scale=record.scale)
        return Exhibit(
            name=self.study,
            title=told.title,
            setting=told.setting,
            findings=told.findings,
            commands=[computed, f"bnrepro figure {self.study}"],
            missing=[],
            drawings=told.drawings,
            tables=[verdict_table(verdicts), *told.tables],
            series=[],
            computed=record,
            reasons=reasons_for(verdicts),
            pages=told.pages,
        )

    def verdicts_on(self, claim: str, results_dir: str) -> list[Verdict]:
        """The verdicts on one of the claims, or how to compute what they rest on.

        Raises:
            RecordError: if the record or a table cannot be read.
        """
        if laboratory.exists(results_dir, self.study):
            found = self.verdicts(self.tables(results_dir))
            return [verdict for verdict in found if verdict.claim == claim]
        command = laboratory.command(self.study, results_dir)
        own = [criterion for criterion in self.criteria.values() if criterion.claim == claim]
        return [without_records(criterion, command) for criterion in own]

    def verdicts(self, found: Tables) -> list[Verdict]:
        """The verdicts from `tables`, in the order of the criteria."""
        measures = self.measures(found)
        return [self._judge(key, *measures[key]) for key in self.criteria]

    def _judge(self, key: str, rows: pd.DataFrame, measure: Measure) -> Verdict:
        of_seeds = [measure(own) for _, own in rows.groupby("seed", sort=True)]
        compared = of_values("median", of_seeds, points=key in self.in_points)
        return judge_seeds(self.criteria[key], compared)


def verdict_table(verdicts: Sequence[Verdict]) -> Table:
    """The verdicts as a table of an exhibit."""
    rows = [astuple(verdict) for verdict in verdicts]
    return Table("verdicts", COLUMNS, rows, "Verdicts, by criteria that were fixed beforehand.")


def made_on(record: LaboratoryRecord, rows: pd.DataFrame) -> str:
    """The images of a study that trains, and the number of its seeds, for a title."""
    data = "MNIST" if record.scale == laboratory.PUBLISHED_SCALE else f"digits, {record.scale}"
    return f"{data}, n = {rows['seed'].nunique()}"


def scale_of(record: LaboratoryRecord) -> str:
    """`, smoke` behind the images in a title; nothing at the scale that is published."""
    return "" if record.scale == laboratory.PUBLISHED_SCALE else f", {record.scale}"


def images_of(setting: pd.DataFrame) -> str:
    """The images of many small networks, from their table `setting`."""
    return data_set(str(setting["data"].iloc[0]))


def network_on_little_data(setting: pd.DataFrame) -> str:
    """The network that learns few images, from its table `setting`, to begin a caption with."""
    is_dense = setting["model"].iloc[0] == "mlp"
    return "Three hidden layers of 100 ReLU units" if is_dense else "The small CNN"


def little_data(setting: pd.DataFrame, rows: pd.DataFrame) -> str:
    """What networks on few images share, from their table `setting`, and their seeds."""
    shared = setting.iloc[0]
    return (
        f"{images_of(setting)}, {shared['train_examples']:,} training images, "
        f"{shared['train_steps']:,} steps of {shared['batch_size']} examples, "
        f"n = {rows['seed'].nunique()} seeds"
    )
