"""The command `compare`."""

import sys
from functools import partial
from typing import TYPE_CHECKING

from bnrepro.cli.results_folder import RESULTS_DIR, check_results_directory
from bnrepro.cli.words import Words, Work
from bnrepro.config import ConfigError, shown
from bnrepro.config.overrides import check_single

if TYPE_CHECKING:
    from bnrepro.lab.comparison.plan import Candidate

AGAINST = "batch,layer,group,instance,none"


def prepare_compare(words: Words) -> Work:
    """Compare normalizations."""
    from bnrepro.cli.training import check_backend
    from bnrepro.lab.comparison.plan import Candidate, identity

    check_single(words.overrides)
    backend = words.value("backend", "tensorflow")
    results_dir = words.value("results_dir", RESULTS_DIR)
    check_results_directory(results_dir)
    force = any(each.key == "force" and each.values[0] is True for each in words.overrides)
    if len(words.plain) != 1:
        raise ConfigError(
            f"compare {shown(' '.join(words.plain) or 'nothing')}: expected one normalization, "
            "such as `bnrepro compare layer`; the others stand in --against"
        )
    named = [words.plain[0], *words.flags.get("--against", AGAINST).split(",")]
    candidates = [Candidate(word) for word in dict.fromkeys(named)]
    for candidate in candidates:
        identity(candidate, backend)
    check_backend(backend)
    plan = "quick" if "--quick" in words.flags else "full"
    return partial(_compare, candidates, backend, plan, results_dir, force)


def _compare(
    candidates: "list[Candidate]", backend: str, plan: str, results_dir: str, force: bool
) -> int:
    from bnrepro.lab import comparison
    from bnrepro.lab.comparison.jobs import JobFailed
    from bnrepro.screen.signals import Stopped, raised

    try:
        with raised():  # the processes of the work end with this one
            return comparison.main(candidates, backend, plan, results_dir, force)
    except JobFailed as error:
        print(f"bnrepro: {error}", file=sys.stderr)
        return 1
    except (KeyboardInterrupt, Stopped) as stop:
        print("stopped; the same command goes on with what was not done", file=sys.stderr)
        return stop.code if isinstance(stop, Stopped) else 130
