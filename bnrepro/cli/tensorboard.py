"""TensorBoard on the runs of a results folder, each under the name that tables give it.

TensorBoard calls a run by its folder. It is shown a folder of links, one a run, which is kept up to
date while it is open, so that runs that start later appear.
"""

import contextlib
import io
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from bnrepro.config import ConfigError, shown
from bnrepro.config.backend import keep_tensorflow_out_of_tensorboard
from bnrepro.screen.signals import raised

# As often as TensorBoard looks for new events.
_SECONDS_BETWEEN_LOOKS = 5


def main(results_dir: str, host: str | None, port: int | None) -> int:
    """Show the runs until Ctrl-C; without a port on the first free one from 6006.

    Raises:
        ConfigError: if no run has event files, or the address cannot be had.
    """
    runs = Path(results_dir).absolute() / "runs"
    with raised(), TemporaryDirectory(prefix="bnrepro-tensorboard-") as folder:
        count = link_runs(runs, Path(folder))
        if not count:
            raise ConfigError(
                f"results_dir={shown(results_dir)}: no run with TensorBoard files; "
                "`bnrepro run` makes one"
            )
        address = _serve(folder, host, port)
        shown_runs = f"{count} run{'s' if count > 1 else ''} of {shown(results_dir)}"
        # From the moment that the address is read, Ctrl-C is the way to end it.
        with contextlib.suppress(KeyboardInterrupt):
            print(f"{address}  {shown_runs}, new ones as they come; Ctrl-C ends it", flush=True)
            while True:
                time.sleep(_SECONDS_BETWEEN_LOOKS)
                link_runs(runs, Path(folder))
    return 0


def link_runs(runs: Path, folder: Path) -> int:
    """Let `folder` hold a link `NAME seed N` per run with event files, no other; gives how many."""
    wanted = {}
    for events in runs.glob("*/seed_*/tensorboard"):
        name, seed = events.parts[-3:-1]
        wanted[f"{name} {seed.replace('_', ' ', 1)}"] = events
    present = {link.name for link in folder.iterdir()}
    for name in present - wanted.keys():
        (folder / name).unlink()
    for name in wanted.keys() - present:
        (folder / name).symlink_to(wanted[name])
    return len(wanted)


def _serve(folder: str, host: str | None, port: int | None) -> str:
    """Start TensorBoard in a thread; gives its address."""
    keep_tensorflow_out_of_tensorboard()
    from tensorboard import program

    board = program.TensorBoard()
    # It says more than the address, such as which of its readers it uses.
    with contextlib.redirect_stderr(io.StringIO()):
        board.configure(logdir=folder, host=host, port=port)
        try:
            return str(board.launch())
        except program.TensorBoardPortInUseError as error:
            raise ConfigError(
                f"--port {port}: in use; choose another, or leave it out for the next free one"
            ) from error
        except (program.TensorBoardServerException, OSError) as error:
            raise ConfigError(
                f"--host {host}, --port {port}: {getattr(error, 'msg', error)}"
            ) from error
