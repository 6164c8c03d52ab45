"""The tables at the end of a sweep."""

from bnrepro.config import ConfigError
from bnrepro.config.study import PlannedRun
from bnrepro.records.record import RecordError, load_curves, load_runs

_ONE_TABLE = ["data.name", "config.data.evaluation_split", "data.sha256"]


def result_tables(done: list[PlannedRun]) -> list[str]:
    """Tables of the runs, one table per data set; a line with the reason where none can be made."""
    if not done:
        return []
    from bnrepro import tables  # with pandas, which a sweep needs only at its end

    texts = []
    for results_dir in sorted({run.composition.config.results_dir for run in done}):
        try:
            runs, curves = load_runs(results_dir), load_curves(results_dir)
            wanted = {str(run.directory) for run in done}
            for _, group in runs[runs["directory"].isin(wanted)].groupby(_ONE_TABLE, dropna=False):
                texts.append(tables.to_text(tables.table(group, curves)))
        except (ConfigError, RecordError) as error:
            texts.append(f"no table: {error}")
    return texts
