"""A file of weights to begin with: its content is what the run is, its place is not.

A person names the file, `model.weights_file=PATH`; the config holds its digest beside it,
`model.weights`, which alone is recorded.
"""

import hashlib
import os
import re
from functools import lru_cache
from pathlib import Path

from bnrepro.config.fields import RunConfig, with_values
from bnrepro.config.messages import ConfigError, shown
from bnrepro.config.own import SHORT_DIGEST, WHOLE_DIGEST

_WHOLE = re.compile(rf"[0-9a-f]{{{WHOLE_DIGEST}}}")
_BEGINNING = re.compile(rf"[0-9a-f]{{{SHORT_DIGEST},{WHOLE_DIGEST}}}")


def with_digest(config: RunConfig) -> RunConfig:
    """The config with the digest of its file; without a file, as it is.

    Raises:
        ConfigError: if the file cannot be read, or has not the digest that the config holds.
    """
    given, file = config.model.weights, config.model.weights_file
    if given is not None and _BEGINNING.fullmatch(given) is None:
        raise _no_digest(given)
    if file is None:
        if given is not None and _WHOLE.fullmatch(given) is None:
            raise _no_digest(given)
        return config
    digest = _digest_of(file)
    if not digest.startswith(given or ""):
        raise ConfigError(
            f"model.weights_file={shown(file)}: its content is {digest[:SHORT_DIGEST]}, not "
            f"model.weights={str(given)[:SHORT_DIGEST]}; give the file of which that is, or leave "
            "model.weights out for a run of its own"
        )
    return with_values(config, {"model.weights": digest})


def file_of(config: RunConfig) -> Path:
    """The file of a config that begins with weights.

    Raises:
        ConfigError: if it is not given, cannot be read, or is not what it was.
    """
    file = config.model.weights_file
    if file is None:
        raise ConfigError(
            f"model.weights={str(config.model.weights)[:SHORT_DIGEST]} without "
            "model.weights_file: the network begins with a file of that SHA-256, and no record "
            "says where it lies; add model.weights_file=PATH"
        )
    with_digest(config)
    return Path(file)


def _no_digest(given: str) -> ConfigError:
    return ConfigError(
        f"model.weights={shown(given)}: expected the SHA-256 of a file, or its beginning beside "
        "model.weights_file; leave it out and name the file by model.weights_file=PATH"
    )


def _digest_of(file: str) -> str:
    try:
        known = os.stat(file)  # noqa: PTH116 (a path as it was given)
        return _digest(file, known.st_size, known.st_mtime_ns)
    except OSError as error:
        raise ConfigError(
            f"model.weights_file={shown(file)}: cannot be read ({error.strerror}); expected a "
            "Keras weights file, such as weights.h5"
        ) from error


@lru_cache(maxsize=64)
def _digest(file: str, size: int, time: int) -> str:
    """SHA-256 of a file's bytes; read once as long as size and time are the same."""
    with Path(file).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
