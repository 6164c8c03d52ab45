"""The criteria of all exact experiments; loads TensorFlow with them."""

from importlib import import_module

from bnrepro.lab.exact import EXACT_CLAIMS, LAWS


def _criteria(experiments):
    modules = [import_module(f"bnrepro.lab.{module}") for module, _ in experiments.values()]
    return {key: criterion for module in modules for key, criterion in module.CRITERIA.items()}


EXACT, OF_LAWS = _criteria(EXACT_CLAIMS), _criteria(LAWS)


def outcomes(verdicts):
    """Criterion's name by what was measured -> outcome."""
    names = {criterion.measure: key for key, criterion in (EXACT | OF_LAWS).items()}
    found = {}
    for verdict in verdicts:
        [name] = [
            names[measure] for measure in names if verdict.measured.startswith(f"{measure}: ")
        ]
        found[name] = verdict.verdict
    return found


def failures(verdicts):
    """The names of the criteria that are not met."""
    return {key for key, outcome in outcomes(verdicts).items() if outcome != "reproduced"}
