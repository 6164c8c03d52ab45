"""The processes in which contenders train: each trains one framework, and only when asked."""

import json
import os
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from typing import IO, Any, cast

_FRAMEWORKS = ("tensorflow", "jax", "torch")


class WorkerError(Exception):
    """A contender or its process failed: what was said last."""


def installed() -> list[str]:
    """The frameworks that are there; none is imported."""
    return [framework for framework in _FRAMEWORKS if find_spec(framework) is not None]


class Worker:
    """A process of `bench.worker`; it waits unless it is asked something."""

    def __init__(self, framework: str, workload: str, overrides: list[str]) -> None:
        self.framework = framework
        self._log = tempfile.TemporaryFile("w+")  # noqa: SIM115 (closed by `close`)
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "bnrepro.bench.worker", framework, workload, *overrides],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            # Keras's own settings of the caller must not choose another backend.
            env={key: value for key, value in os.environ.items() if key != "KERAS_BACKEND"},
        )
        self._requests = cast(IO[str], self._process.stdin)
        self._answers = cast(IO[str], self._process.stdout)

    def ask(self, do: str, **arguments: Any) -> dict[str, Any]:
        """Send a request and wait for the answer.

        Raises:
            WorkerError: if it cannot be met.
        """
        try:
            self._requests.write(json.dumps({"do": do, **arguments}) + "\n")
            self._requests.flush()
            line = self._answers.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise WorkerError(f"the {self.framework} process ended: {self._last_words()}")
        answer = json.loads(line)
        if "error" in answer:
            raise WorkerError(answer["error"])
        return answer

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()
        self._log.close()

    def _last_words(self) -> str:
        self._log.seek(0)
        lines = [line.strip() for line in self._log if line.strip()]
        return lines[-1][:300] if lines else f"exit code {self._process.poll()}"
