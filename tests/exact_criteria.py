"""The criteria of all exact experiments; loads TensorFlow with them."""

from importlib import import_module

from bnrepro.lab.exact import EXACT_CLAIMS

MODULES = [import_module(f"bnrepro.lab.{module}") for module, _ in EXACT_CLAIMS.values()]
EXACT = {key: criterion for module in MODULES for key, criterion in module.CRITERIA.items()}
