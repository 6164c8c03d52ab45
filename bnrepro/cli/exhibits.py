"""The commands that show what the records say, and `bench`."""

import shlex
import sys
from functools import partial
from typing import TYPE_CHECKING

from bnrepro.cli.results_folder import RESULTS_DIR, check_results_directory
from bnrepro.cli.words import Words, Work
from bnrepro.config import ConfigError, did_you_mean, shown
from bnrepro.config.numerals import refuse_misread
from bnrepro.config.overrides import Override, check_single
from bnrepro.exhibits import EXHIBITS, entry, is_meant_for_one

if TYPE_CHECKING:
    import pandas as pd

    from bnrepro.bench.plan import Plan


def prepare_table(words: Words) -> Work:
    """Tabulate records."""
    target = _target(words.flags.get("--target"))
    for flag in ("--paired", "--target", "--reference"):
        if "--best-of" in words.flags and flag in words.flags:
            raise ConfigError(f"{flag} with --best-of: expected one of them; leave the other out")
    results_dir = _named_directory(words)
    overrides = [one for one in words.overrides if one.key != "results_dir"]
    if words.study is not None:
        from bnrepro.config import study

        overrides = study.with_default_scale(words.study, overrides)
    elif overrides:
        raise ConfigError(
            f"{shown(overrides[0])}: expected study=NAME beside it; name experiments "
            "(`bnrepro table bn_x5`) to choose among records"
        )
    return partial(_table, words, overrides, results_dir, target)


def _table(
    words: Words, overrides: list[Override], results_dir: str | None, target: float | None
) -> int:
    from bnrepro.records import loading, study_records

    if words.study is not None and results_dir is None:
        results_dir = study_records.folder_to_read([(words.study, overrides)])
    with loading.reading_once():
        return _tabulate(words, overrides, results_dir or RESULTS_DIR, target)


def _tabulate(
    words: Words, overrides: list[Override], results_dir: str, target: float | None
) -> int:
    from bnrepro import tables
    from bnrepro.records import loading, study_records

    if words.study is None and not any(loading.find_runs(results_dir)):
        raise _no_run_yet(results_dir)
    runs = loading.read_runs(results_dir)
    if words.study is not None:
        found = study_records.find(words.study, runs, results_dir, overrides)
        if found.missing:
            print(found.missing, file=sys.stderr)
        runs = found.runs
    chosen = tables.select(runs, words.plain)
    curves, reference = loading.read_curves(results_dir), words.flags.get("--reference")
    form, width = words.flags.get("--format", "text"), tables.terminal_width()
    if "--best-of" in words.flags:
        best = tables.tabulate_best(chosen, words.flags["--best-of"])
        sys.stdout.write(tables.best_rendered(best, form, width))
    elif "--paired" in words.flags:
        differences = tables.tabulate_paired(
            chosen, curves, target=target, reference=reference, patterns=words.plain
        )
        sys.stdout.write(tables.paired_rendered(differences, form, width))
    else:
        made = tables.tabulate(chosen, curves, target=target, reference=reference)
        sys.stdout.write(tables.rendered(made, form, width))
        if words.study is not None and form in ("text", "markdown"):
            _print_verdicts(words.study, chosen, curves)
    return 0


def _print_verdicts(study_name: str, runs: "pd.DataFrame", curves: "pd.DataFrame") -> None:
    """What follows for the criteria of a study's file, if it has any."""
    from bnrepro.config import study
    from bnrepro.screen import printed
    from bnrepro.verdicts import own_study

    file = study.load(study_name)
    verdicts = own_study.judge_study(file.criteria, runs, curves, file.nuisance)
    for line in own_study.lines_of(study_name, verdicts):
        print("\n" + printed(line, sys.stdout))


def _no_run_yet(results_dir: str) -> ConfigError:
    place = "" if results_dir == RESULTS_DIR else f" results_dir={results_dir}"
    return ConfigError(
        f"no run yet in {shown(results_dir)}; make some: `bnrepro sweep bn=none,x1,x5 "
        f"seed=0,1{place}`, or see those of the project: `bnrepro table study=figure_2`"
    )


def _target(text: str | None) -> float | None:
    if text is None:
        return None
    refuse_misread("--target ", text)
    try:
        target = float(text)
    except ValueError:
        target = 0.0
    if 0 < target <= 1:
        return target
    hint = f"; did you mean {target / 100:g}?" if 1 < target <= 100 else ""
    raise ConfigError(f"--target {shown(text)}: expected an accuracy above 0 and up to 1{hint}")


def prepare_figure(words: Words) -> Work:
    """Draw one of the paper's figures, a study's, or one's own runs."""
    results_dir = _named_directory(words)
    target = _target(words.flags.get("--target"))
    names, scale = words.plain, words.value("scale", "") or None
    if words.study is not None:
        return _prepare_figure_of_study(words, results_dir, target)
    if not names or (len(names) > 1 and not {*names}.isdisjoint(EXHIBITS)):
        received = shown(" ".join(names) or "nothing")
        raise ConfigError(
            f"figure {received}: expected one, such as `bnrepro figure 1`, or names of runs of "
            "your own, such as `bnrepro figure 'mlp-digits-*'`"
        )
    if len(names) == 1 and (names[0] in EXHIBITS or is_meant_for_one(names[0])):
        entry(names[0])
        if words.flags:
            flag = next(iter(words.flags))
            raise ConfigError(f"{flag}: figure {names[0]} is drawn in one way; leave it out")
        return partial(_figure, names[0], results_dir, scale)
    if scale is not None:
        raise ConfigError(
            f"scale={shown(scale)}: expected it with a figure of the paper; the names of runs say "
            "their scale, such as `bnrepro figure 'bn_*-cpu'`"
        )
    return partial(
        _figure_of_runs,
        names,
        results_dir or RESULTS_DIR,
        target,
        words.flags.get("--reference"),
        words.flags.get("--output"),
    )


def _prepare_figure_of_study(words: Words, results_dir: str | None, target: float | None) -> Work:
    from bnrepro.config import study

    name = str(words.study)
    if words.plain:
        raise ConfigError(f"figure {shown(' '.join(words.plain))}: expected study={name} alone")
    overrides = study.with_default_scale(
        name, [one for one in words.overrides if one.key != "results_dir"]
    )
    return partial(
        _figure_of_study,
        name,
        overrides,
        results_dir,
        target,
        words.flags.get("--reference"),
        words.flags.get("--output"),
    )


def _figure_of_study(
    name: str,
    overrides: list[Override],
    results_dir: str | None,
    target: float | None,
    reference: str | None,
    output: str | None,
) -> int:
    from bnrepro.config import study
    from bnrepro.exhibits.own_runs import figure
    from bnrepro.records import study_records

    place = results_dir or study_records.folder_to_read([(name, overrides)])
    print(study.load(name).question)
    return figure.draw_study(
        name, overrides, place, target=target, reference=reference, output=output
    )


def _figure_of_runs(
    names: list[str],
    results_dir: str,
    target: float | None,
    reference: str | None,
    output: str | None,
) -> int:
    from bnrepro.exhibits.own_runs import figure

    return figure.main(names, results_dir, target=target, reference=reference, output=output)


def _figure(name: str, results_dir: str | None, scale: str | None) -> int:
    from bnrepro.exhibits import making

    return making.main(name, results_dir, scale)


def prepare_report(words: Words) -> Work:
    """Put all exhibits on one page."""
    results_dir = _named_directory(words)
    if "--commands" in words.flags:
        return partial(_list_commands, results_dir or RESULTS_DIR)
    return partial(_report, results_dir)


def _list_commands(results_dir: str) -> int:
    from bnrepro.exhibits import making

    place = [] if results_dir == RESULTS_DIR else [f"results_dir={results_dir}"]
    for line in making.commands(results_dir):
        print(line)
    for command in ("claims", "report"):
        print(shlex.join(["bnrepro", command, *place]))
    return 0


def _report(results_dir: str | None) -> int:
    from bnrepro import report

    return report.main(results_dir)


def prepare_claims(words: Words) -> Work:
    """Test what the paper claims."""
    from bnrepro.paper import CLAIMS, LABORATORY, LAWS

    results_dir = _named_directory(words)
    known = [*(claim.identifier for claim in (*CLAIMS, *LABORATORY, *LAWS)), "lab"]
    for name in words.plain:
        if name not in known:
            raise ConfigError(
                f"{shown(name)}: expected claims among {', '.join(known)}"
                f"{did_you_mean(name, known)}"
            )
    return partial(_claims, words.plain, results_dir, words.flags.get("--format", "text"))


def _claims(names: list[str], results_dir: str | None, form: str) -> int:
    from bnrepro import claims

    return claims.main(names, results_dir, form)


def prepare_ensemble(words: Words) -> Work:
    """Average the predictions of runs."""
    results_dir = _results_directory(words)
    if not words.plain:
        raise ConfigError(
            "ensemble: expected runs, such as `bnrepro ensemble mlp-digits-x1-predictions` after "
            "`bnrepro sweep bn=x1 seed=0,1 save_predictions=true`"
        )
    return partial(_ensemble, words.plain, results_dir)


def _ensemble(runs: list[str], results_dir: str) -> int:
    from bnrepro.tables import ensemble

    return ensemble.main(runs, results_dir)


def prepare_bench(words: Words) -> Work:
    """Measure steps per second."""
    results_dir = _results_directory(words)
    overrides = [str(one) for one in words.overrides if one.key != "results_dir"]
    from bnrepro.bench.plan import choose

    only, rounds = words.flags.get("--only"), words.number("--rounds")
    plan = choose("--quick" in words.flags, only, rounds)
    return partial(_bench, overrides, plan, results_dir)


def _bench(overrides: list[str], plan: "Plan", results_dir: str) -> int:
    from bnrepro import bench

    return bench.main(overrides, plan=plan, results_dir=results_dir)


def prepare_tensorboard(words: Words) -> Work:
    """Show the runs in TensorBoard."""
    results_dir = _results_directory(words)
    return partial(_tensorboard, results_dir, words.flags.get("--host"), words.number("--port"))


def _tensorboard(results_dir: str, host: str | None, port: int | None) -> int:
    from bnrepro.cli import tensorboard

    return tensorboard.main(results_dir, host, port)


def _results_directory(words: Words) -> str:
    return _named_directory(words) or RESULTS_DIR


def _named_directory(words: Words) -> str | None:
    """The folder of results that the command line names."""
    check_single(words.overrides)
    results_dir = words.value("results_dir", "")
    check_results_directory(results_dir or RESULTS_DIR)
    return results_dir or None
