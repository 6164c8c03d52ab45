"""Every published run is found again by its config."""

from pathlib import Path

import pytest
import yaml

from bnrepro.config.composition import compose
from bnrepro.config.overrides import overrides_of
from bnrepro.records.loading import find_runs, load_runs
from bnrepro.records.record import FINISHED, read_record
from bnrepro.records.run_directory import find_finished

ROOT = Path(__file__).resolve().parent.parent
PUBLISHED = ROOT / "results" / "published"

pytestmark = pytest.mark.skipif(
    not (PUBLISHED / "runs").is_dir(), reason="the published runs are not here"
)


def words_again(directory):
    return overrides_of(yaml.safe_load((directory / "config.yaml").read_text()))


def firsts():
    """A run of each config: seeds differ in nothing else."""
    return sorted((PUBLISHED / "runs").glob("*"))


@pytest.mark.slow
def test_every_published_run_is_found_finished_by_its_config():
    for named in firsts():
        (first, *_) = sorted(named.glob("seed_*"))
        composition = compose([*words_again(first), f"results_dir={PUBLISHED}"])
        found = find_finished(composition)
        assert found is not None and found.name == composition.name == named.name
        labels = (found.experiment, found.scale)
        assert labels == (composition.experiment, composition.scale), named


@pytest.mark.parametrize("name", ["figure_1_bn", "mlp-mnist-x1-after-rate0.02-steps5000"])
def test_a_published_run_is_found_finished_by_its_config(name):
    directory = PUBLISHED / "runs" / name / "seed_0"
    found = find_finished(compose([*words_again(directory), f"results_dir={PUBLISHED}"]))
    assert found == read_record(directory)


def test_the_seeds_of_a_published_run_differ_in_nothing_else():
    for named in firsts():
        configs = [read_record(directory).config for directory in named.glob("seed_*")]
        for config in configs:
            config.update(seed=0, threads=1)
        assert all(config == configs[0] for config in configs), named


def test_records_of_schema_version_1_are_read():
    runs = load_runs(PUBLISHED)
    assert len(runs) == len(list(find_runs(PUBLISHED))) > 300
    assert set(runs["schema_version"]) == {1}
    assert set(runs["status"]) <= set(FINISHED)
    assert list(runs["name"]) == [Path(place).parent.name for place in runs["directory"]]
