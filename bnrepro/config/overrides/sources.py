"""Where a part of one's own stands, found and hashed without importing it."""

import hashlib
import importlib
import importlib.util
import symtable
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path

from bnrepro.config.messages import ConfigError, did_you_mean, first_few, shown
from bnrepro.config.overrides.keys import CONFIG_DIRECTORY_VARIABLE, config_directories
from bnrepro.config.own import LONGEST_NAME, OwnPart, parse


@dataclass(frozen=True)
class Source:
    """The file of a module, or of a package its `__init__.py`."""

    module: str
    path: Path

    @property
    def is_package(self) -> bool:
        """Whether other modules lie below it."""
        return self.path.name == "__init__.py"

    @property
    def folder(self) -> Path:
        """The folder in which Python finds the module, or the first of its packages."""
        depth = self.module.count(".") + self.is_package
        return self.path.parents[depth]

    @property
    def digest(self) -> str:
        """SHA-256 of the file, or of all `.py` of the package, with their names below `folder`."""
        below = self.path.parent.rglob("*.py") if self.is_package else [self.path]
        hashed = hashlib.sha256()
        named = {path.relative_to(self.folder).as_posix(): path for path in below}
        for name, path in sorted(named.items()):
            content = path.read_bytes()
            hashed.update(f"{name}\0{len(content)}\0".encode() + content)
        return hashed.hexdigest()


def pinned(key: str, text: str) -> str:
    """`module:Name` with the digest of its source; one with a whole digest stays as it is.

    What a record says is read where its module is gone or has changed.

    Raises:
        ConfigError: if there is no such module, it is no Python, it has no such name, or its digest
            does not begin as the text says.
    """
    part = parse(text)
    if part is None:
        raise ConfigError(
            f"{key}={shown(text)}: expected module:Name of your own, such as my_module:MyName, in "
            "letters, digits and _"
        )
    if len(part.name) > LONGEST_NAME:
        raise ConfigError(
            f"{key}={shown(text)}: expected a name of at most {LONGEST_NAME} letters, which is "
            f"part of a run's, got {len(part.name)}; rename it"
        )
    if part.is_pinned:
        return text
    source = source_as_pinned(key, part) if part.digest else source_of(key, part)
    _check_name(key, part, source)
    return str(OwnPart(part.module, part.name, source.digest))


def source_of(key: str, part: OwnPart) -> Source:
    """The source of the part's module: in the current folder, in the user's, or on Python's path.

    Raises:
        ConfigError: saying where it was looked for.
    """
    importlib.invalidate_caches()
    folders = [Path.cwd(), *config_directories()[1:]]
    for spec in _specs(part.module, folders):
        if spec is not None and spec.origin is not None and spec.origin.endswith(".py"):
            return Source(part.module, Path(spec.origin).absolute())
    their = f"in --config-dir ({folders[1]})" if folders[1:] else "in --config-dir (none is given)"
    file = f"{part.module.replace('.', '/')}.py"
    raise ConfigError(
        f"{key}={part.written}: there is no module {part.module} in the current folder "
        f"({folders[0]}), {their} or on Python's path; write it as {file} into one of them, or "
        f"give its folder by --config-dir or {CONFIG_DIRECTORY_VARIABLE}"
    )


def source_as_pinned(key: str, part: OwnPart) -> Source:
    """The source of the part's module, which is still the one of which its digest was taken.

    Raises:
        ConfigError: if it is not there, or is another one.
    """
    source = source_of(key, part)
    if part.digest is None or not source.digest.startswith(part.digest):
        raise _changed(key, part, source)
    return source


def _changed(key: str, part: OwnPart, source: Source) -> ConfigError:
    return ConfigError(
        f"{key}={part.written}: {source.path} is not what it was ({str(part.digest)[:8]}, now "
        f"{source.digest[:8]}); put that back, or write {key}={part.written} for a run of its own"
    )


def _specs(module: str, folders: Sequence[Path]) -> Iterator[ModuleSpec | None]:
    first, *others = module.split(".")
    for folder in folders:
        yield _below(PathFinder.find_spec(first, [str(folder)]), others)
    try:
        yield _below(importlib.util.find_spec(first), others)
    except ValueError:
        yield None  # a module that came from no file, such as __main__


def _below(spec: ModuleSpec | None, others: Sequence[str]) -> ModuleSpec | None:
    """The module below a package; a package that is passed through is not imported for it."""
    for name in others:
        if spec is None or spec.submodule_search_locations is None:
            return None
        spec = PathFinder.find_spec(f"{spec.name}.{name}", list(spec.submodule_search_locations))
    return spec


def _check_name(key: str, part: OwnPart, source: Source) -> None:
    """Refuse what is no Python, and a name that the module never binds, before it is imported."""
    raw = source.path.read_bytes()
    try:
        table = symtable.symtable(importlib.util.decode_source(raw), str(source.path), "exec")
    except (SyntaxError, ValueError) as error:
        line = f", line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
        what = error.msg if isinstance(error, SyntaxError) else str(error)
        raise ConfigError(
            f"{key}={part.written}: {source.path}{line}: cannot be read as Python ({what}); mend it"
        ) from error
    names = [each.get_name() for each in table.get_symbols() if _is_bound(each)]
    if part.name not in names and b"import *" not in raw and "__getattr__" not in names:
        near = did_you_mean(part.name, names)
        rest = f"; it has {first_few(names) or 'no names'}"
        raise ConfigError(f"{key}={part.written}: {source.path} has no {part.name}{near or rest}")


def _is_bound(symbol: symtable.Symbol) -> bool:
    return symbol.is_assigned() or symbol.is_imported() or symbol.is_namespace()
