"""What a few timed steps of a run say of all of it: kept as JSON, for who has them made."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from bnrepro.records.record import write_atomically

FILE = "trial.json"


@dataclass(frozen=True)
class Trial:
    """A run's length and size, from a few of its steps and one of everything else that it does."""

    device: str
    # Of the whole run, by what it does: start, training, evaluations, checkpoints, end.
    seconds: dict[str, float]
    # Images a second: as it trains, the device alone, and decoding alone where images are streamed.
    trained: float
    computed: float
    decoded: float | None
    size_bytes: int
    # What lies beside it until it has ended.
    checkpoint_bytes: int

    @property
    def decoding_limits(self) -> bool:
        """Whether the device would wait for images."""
        return self.decoded is not None and self.decoded < self.computed

    def write(self, folder: Path) -> None:
        """Leave it in `folder`."""
        write_atomically(folder / FILE, json.dumps(asdict(self)))


def read_trial(folder: Path) -> Trial | None:
    """The trial that was left in `folder`, if there is one."""
    path = folder / FILE
    return Trial(**json.loads(path.read_text())) if path.exists() else None
