"""Bringing published data sets into place, and saying which are there and whole.

Every file is fetched into a folder of its own beside its place, checked, and renamed into it.
Archives are kept as they are: nothing is unpacked.
"""

import http.client
import os
import stat
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TransferSpeedColumn,
)

from bnrepro.config import DATA, did_you_mean, one_line
from bnrepro.data import cifar10, digits, fashion_mnist, mnist
from bnrepro.data.source import DataError, Source, check, data_root, file_mode, plain

SOURCES = {source.name: source for source in (mnist.SOURCE, fashion_mnist.SOURCE, cifar10.SOURCE)}

_TIMEOUT_SECONDS = 30
_CHUNK_BYTES = 2**18


class FileCheck(NamedTuple):
    """Whether a file is there and what was published; `message` is "ok" or what is wrong."""

    file: str
    ok: bool
    message: str


class Description(NamedTuple):
    """A row of `bnrepro data list`; what a folder of one's own decides is None."""

    name: str
    examples: str | None  # "60,000 + 10,000": training and test
    image_shape: tuple[int, int, int] | None  # (height, width, channels)
    num_classes: int | None
    where: str
    present: bool | None


def download(name: str, root: Path, mirror: str | None = None) -> list[Path]:
    """Fetch what is missing or damaged of a data set; the files' paths.

    `mirror`, else BNREPRO_MIRROR, is the address of a folder laid out as a data root
    (`<mirror>/mnist/train-images-idx3-ubyte.gz`) that replaces the publishers' hosts.

    Raises:
        DataError: if there is no such set, or what arrived is not what was published.
        OSError: if the network or the disk fails.
    """
    source = _source(name)
    address = _address(source, mirror or os.environ.get("BNREPRO_MIRROR"))
    folder = root / source.folder
    folder.mkdir(parents=True, exist_ok=True)
    with _progress() as progress:
        for file in source.files:
            if folder.joinpath(file).is_dir():
                raise DataError(
                    f"{plain(folder / file)}: a folder, expected to put a file there; move it away"
                )
            if not _problem(source, folder / file):
                continue
            with tempfile.TemporaryDirectory(prefix=".download-", dir=folder) as temporary:
                arrived = Path(temporary) / file
                _fetch(f"{address}/{file}", arrived, progress)
                if _problem(source, arrived):
                    raise DataError(
                        f"{address}/{file}: {arrived.stat().st_size:,} bytes that are not what was "
                        "published; try again, or set BNREPRO_MIRROR to another address"
                    )
                arrived.replace(folder / file)
    return [folder / file for file in source.files]


def verify(name: str, root: Path) -> list[FileCheck]:
    """Whether each file of a data set is there and what was published.

    Raises:
        DataError: if there is no such published set.
    """
    source = _source(name)
    rows = []
    for file in source.files_in_use(root):
        problem = _problem(source, root / file)
        rows.append(FileCheck(file, problem is None, problem or "ok"))
    return rows


def describe(root: Path | None = None) -> list[Description]:
    """Every data set there is, and whether its files lie under `root` (unchecked)."""
    root = data_root(None) if root is None else root
    rows = [
        Description(
            "digits",
            f"{digits.NUM_EXAMPLES:,}",
            digits.IMAGE_SHAPE,
            len(digits.CLASS_NAMES),
            "carried by scikit-learn",
            True,
        )
    ]
    for source in SOURCES.values():
        present = all(stat.S_ISREG(file_mode(root / file)) for file in source.files_in_use(root))
        examples = " + ".join(f"{number:,}" for number in source.num_examples)
        where = plain(root / source.folder)
        shape, num_classes = source.image_shape, len(source.class_names)
        rows.append(Description(source.name, examples, shape, num_classes, where, present))
    rows.append(Description("image_folder", None, None, None, "data.root=FOLDER", None))
    return rows


def _source(name: str) -> Source:
    if name in SOURCES:
        return SOURCES[name]
    if name in DATA:
        where = "comes with scikit-learn" if name == "digits" else "is a folder of your own"
        raise DataError(f"{name} {where}: expected one of {', '.join(SOURCES)}")
    raise DataError(
        f"{name}: expected one of {', '.join(SOURCES)}{did_you_mean(name, list(SOURCES))}"
    )


def _address(source: Source, mirror: str | None) -> str:
    if not mirror:
        return source.url
    if not mirror.startswith(("http://", "https://")):
        raise DataError(
            f"mirror {mirror}: expected an address that starts with http:// or https://"
        )
    return f"{mirror.rstrip('/')}/{source.folder}"


def _problem(source: Source, path: Path) -> str | None:
    try:
        check(source, path)
    except DataError as error:
        return str(error)
    return None


def _fetch(url: str, path: Path, progress: Progress) -> None:
    """Write what `url` gives to `path`; raises OSError in one line if it does not all arrive."""
    task = progress.add_task(path.name, total=None)
    with path.open("wb") as stream:
        for chunk in _arriving(url, progress, task):
            stream.write(chunk)
            progress.advance(task, len(chunk))


def _arriving(url: str, progress: Progress, task: TaskID) -> Iterator[bytes]:
    request = urllib.request.Request(url, headers={"User-Agent": "bnrepro"})
    missing = 0
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as answer:
            if length := answer.headers["Content-Length"]:
                progress.update(task, total=int(length))
                missing = int(length)
            while chunk := answer.read(_CHUNK_BYTES):
                missing -= len(chunk)
                yield chunk
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise _network_error(url, one_line(error)) from error
    if missing > 0:
        raise _network_error(url, f"the connection ended {missing:,} bytes before the end")


def _network_error(url: str, reason: str) -> OSError:
    return OSError(f"{url}: {reason}; try again, or set BNREPRO_MIRROR to a mirror's address")


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        console=Console(stderr=True),
    )
