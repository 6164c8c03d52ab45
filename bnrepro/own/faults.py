"""What is wrong with a part of one's own, in one line that names it."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import keras

from bnrepro.config import ConfigError, one_line, shown

_LONGEST = 300
_INFERRED = "Could not automatically infer the output shape"


@dataclass(frozen=True)
class Part:
    """An object of somebody's own, and what its faults begin with: `normalization=my:Name`."""

    label: str
    object: Any

    @property
    def kind(self) -> str:
        """What it is, where something else was expected."""
        is_class = isinstance(self.object, type)
        return (
            f"the class {self.object.__name__}" if is_class else f"a {type(self.object).__name__}"
        )

    def fault(self, what: str) -> ConfigError:
        """The error that says what is wrong, and what to do."""
        return ConfigError(f"{self.label}: {what}")

    @contextmanager
    def trying(self, what: str) -> Iterator[None]:
        """Inside, whatever it raises becomes one line: what was tried, what it said, and where."""
        filtered = keras.config.is_traceback_filtering_enabled()
        # Keras's filter would put its own account of the call into the message.
        keras.config.disable_traceback_filtering()
        try:
            yield
        except ConfigError:
            raise
        except Exception as error:
            raise self.fault(f"{what}: {said_by(error)}") from error
        finally:
            if filtered:
                keras.config.enable_traceback_filtering()


def said_by(error: BaseException) -> str:
    """An exception in one line, with the last line of a file that it went through."""
    if _INFERRED in str(error) and error.__context__ is not None:
        # Keras's account of an error that it met while it traced the call.
        return said_by(error.__context__)
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if "site-packages" not in frame.filename]
    where = f" ({own[-1].filename}, line {own[-1].lineno})" if own else ""
    return f"{type(error).__name__}: {shown(one_line(error), _LONGEST)}{where}"
