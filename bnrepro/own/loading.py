"""From the name in a config to the object: the module is imported from the source that was hashed.

Python's own import would take a compiled file that is as old, to the second, and as long as the
source; here it is the bytes of the source that count. Modules that it imports are Python's affair.
"""

import importlib
import importlib.util
import sys
from collections.abc import Mapping
from importlib.machinery import SourceFileLoader
from types import ModuleType
from typing import Any

from bnrepro.config import ConfigError
from bnrepro.config.fields import TAKES_OWN
from bnrepro.config.overrides import source_as_pinned
from bnrepro.config.overrides.sources import Source
from bnrepro.config.own import parse
from bnrepro.own.faults import Part, said_by

# The digests of the modules that were imported here.
_IMPORTED: dict[str, str] = {}


class _SourceLoader(SourceFileLoader):
    """Compiles the source, whatever compiled file lies beside it."""

    def get_code(self, fullname: str) -> Any:
        path = self.get_filename(fullname)
        return self.source_to_code(self.get_data(path), path)


def objects_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """The classes and functions of the modules that a flat config names, by their names.

    They are what Keras must be told of to load a network that has some of them.

    Raises:
        ConfigError: as `load`.
    """
    found: dict[str, Any] = {}
    for key in TAKES_OWN:
        part = parse(config.get(key))
        if part is not None:
            load(key, config[key])
            found |= {
                name: each
                for name, each in vars(sys.modules[part.module]).items()
                if getattr(each, "__module__", None) == part.module
            }
    return found


def load(key: str, text: str) -> Part:
    """The object that a key of a config names, such as `my_norms:RMSNorm@<digest>`.

    Raises:
        ConfigError: if the module is not there, has changed since its digest was taken, cannot be
            imported, or has no such name.
    """
    named = parse(text)
    if named is None:
        raise ConfigError(f"{key}={text}: expected module:Name of your own")
    key = key.removesuffix(".name")
    source = source_as_pinned(key, named)
    label = f"{key}={named.written}"
    module = _module(label, source, source.digest)
    if not hasattr(module, named.name):
        raise ConfigError(f"{label}: {source.path} has no {named.name}")
    return Part(label, getattr(module, named.name))


def _module(label: str, source: Source, digest: str) -> ModuleType:
    known = sys.modules.get(source.module)
    if known is not None and source.module not in _IMPORTED:
        if getattr(known, "__file__", None) != str(source.path):
            raise ConfigError(
                f"{label}: the name {source.module} is taken by {known}; give {source.path} "
                "another name"
            )
        return known
    if known is None or _IMPORTED[source.module] != digest:
        known = _imported(label, source)
        _IMPORTED[source.module] = digest
    return known


def _imported(label: str, source: Source) -> ModuleType:
    if str(source.folder) not in sys.path:
        # Last: what lies beside it must not stand in for what others import.
        sys.path.append(str(source.folder))
    _forget(source.module)
    try:
        parent = source.module.rpartition(".")[0]
        if parent:
            importlib.import_module(parent)
        return _executed(source)
    except Exception as error:
        _forget(source.module)
        raise ConfigError(f"{label}: {source.path} cannot be imported: {said_by(error)}") from error


def _executed(source: Source) -> ModuleType:
    name, path = source.module, str(source.path)
    below = [str(source.path.parent)] if source.is_package else None
    spec = importlib.util.spec_from_file_location(
        name, path, loader=_SourceLoader(name, path), submodule_search_locations=below
    )
    if spec is None or spec.loader is None:
        raise ImportError(f"{path}: no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _forget(module: str) -> None:
    """Take an earlier state of the module out, and of a package what lies below it."""
    for name in [each for each in sys.modules if each == module or each.startswith(f"{module}.")]:
        del sys.modules[name]
