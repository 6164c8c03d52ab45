"""The commands that show what the records say: figures, report, claims, ensembles, bench."""

from collections.abc import Callable
from functools import partial

from bnrepro.cli.results_folder import RESULTS_DIR, check_results_directory
from bnrepro.cli.words import Words
from bnrepro.config import ConfigError
from bnrepro.overrides import check_single, shown

Work = Callable[[], int]


def prepare_figure(words: Words) -> Work:
    """Draw one of the paper's figures, or a study's."""
    results_dir = _results_directory(words)
    if len(words.plain) != 1:
        received = shown(" ".join(words.plain) or "nothing")
        raise ConfigError(f"figure {received}: expected one, such as `bnrepro figure 1`")
    return partial(_figure, words.plain[0], results_dir, words.value("scale", "") or None)


def _figure(number: str, results_dir: str, scale: str | None) -> int:
    from bnrepro import figures

    return figures.main(number, results_dir, scale)


def prepare_report(words: Words) -> Work:
    """Put all exhibits on one page."""
    return partial(_report, _results_directory(words))


def _report(results_dir: str) -> int:
    from bnrepro import report

    return report.main(results_dir)


def prepare_claims(words: Words) -> Work:
    """Test what the paper claims."""
    results_dir = _results_directory(words)
    return partial(_claims, words.plain, results_dir, words.flags.get("--format", "text"))


def _claims(names: list[str], results_dir: str, form: str) -> int:
    from bnrepro import claims

    return claims.main(names, results_dir, form)


def prepare_ensemble(words: Words) -> Work:
    """Average the predictions of runs."""
    results_dir = _results_directory(words)
    if not words.plain:
        raise ConfigError(
            "ensemble: expected runs, such as `bnrepro ensemble 'bn_x30-cpu*'`; only runs with "
            "save_predictions=true have what it needs"
        )
    return partial(_ensemble, words.plain, results_dir)


def _ensemble(runs: list[str], results_dir: str) -> int:
    from bnrepro import ensemble

    return ensemble.main(runs, results_dir)


def prepare_bench(words: Words) -> Work:
    """Measure steps per second."""
    results_dir = _results_directory(words)
    overrides = [one.word() for one in words.overrides if one.key != "results_dir"]
    return partial(_bench, overrides, "--quick" in words.flags, results_dir)


def _bench(overrides: list[str], quick: bool, results_dir: str) -> int:
    from bnrepro import bench

    return bench.main(overrides, quick=quick, results_dir=results_dir)


def _results_directory(words: Words) -> str:
    check_single(words.overrides)
    results_dir = words.value("results_dir", RESULTS_DIR)
    check_results_directory(results_dir)
    return results_dir
