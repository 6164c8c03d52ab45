"""The tables at the end of a sweep."""

from bnrepro.config import ConfigError
from bnrepro.config.study import PlannedRun
from bnrepro.records.loading import read_curves, read_runs
from bnrepro.records.record import RecordError


def result_tables(done: list[PlannedRun]) -> list[str]:
    """Tables of the runs, one table per data set; a line with the reason where none can be made."""
    if not done:
        return []
    from bnrepro import tables  # with pandas, which a sweep needs only at its end

    texts, width = [], tables.terminal_width()
    for results_dir in sorted({run.composition.config.results_dir for run in done}):
        try:
            runs, curves = read_runs(results_dir), read_curves(results_dir)
            wanted = {str(run.directory) for run in done}
            for table in tables.tabulate(runs[runs["directory"].isin(wanted)], curves):
                texts.append(tables.to_text(table, width=width))
        except (ConfigError, RecordError) as error:
            texts.append(f"no table: {error}")
    return texts
