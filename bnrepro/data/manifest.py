"""What is known of a folder's photographs without reading them again: the digest of each file.

A million photographs take a quarter of an hour to read, and seconds to ask for their sizes and
times. A file whose size and time are those of the manifest has the digest that stands there; any
other is read. The manifest is kept outside of the folder, which may be nobody's to write into.
"""

import hashlib
import io
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bnrepro.config.folders import expanded
from bnrepro.data.progress import watched
from bnrepro.data.source import plain
from bnrepro.data.streaming import StreamedImages
from bnrepro.records.record import write_atomically

_FOLDER = "~/.cache/bnrepro/manifests"
_DIGEST_BYTES = 32

# Of a file: its size and time, and its sha256.
_Known = dict[str, tuple[tuple[int, int], bytes]]


@dataclass(frozen=True)
class Check:
    """What reading every byte of a folder's photographs has shown."""

    num_files: int
    changed: list[Path]  # other bytes than in the manifest, though size and time are the same
    new: int  # not in the manifest before, or of another size or time than there


def digests(root: Path, images: StreamedImages) -> Iterator[bytes]:
    """The sha256 of each file, in order; those that are not known are read, and then known.

    Raises:
        DataError: if a file cannot be read.
    """
    known = _read(root)
    names = [_name(root, path) for path in images.paths]
    stamps = [(int(size), int(time)) for size, time, _ in images.stamps]
    unknown = [
        row
        for row, (name, stamp) in enumerate(zip(names, stamps, strict=True))
        if known.get(name, (None,))[0] != stamp
    ]
    if unknown:
        read = watched(images.take(np.array(unknown)).file_digests(), "reading", len(unknown))
        for row, digest in zip(unknown, read, strict=True):
            known[names[row]] = stamps[row], digest
        _write(root, known)
    return (known[name][1] for name in names)


def verify(root: Path, splits: list[StreamedImages]) -> Check:
    """Read every file, and compare it with the manifest, which then holds what was read.

    Raises:
        DataError: if a file cannot be read.
    """
    images = StreamedImages(
        np.concatenate([split.paths for split in splits]),
        np.concatenate([split.stamps for split in splits]),
        splits[0].size,
    )
    known = _read(root)
    found: _Known = {}
    changed, new = [], 0
    digests_now = watched(images.file_digests(), "reading images", len(images))
    for path, (size, time, _), digest in zip(images.paths, images.stamps, digests_now, strict=True):
        name, stamp = _name(root, path), (int(size), int(time))
        found[name] = stamp, digest
        before = known.get(name)
        if before is None or before[0] != stamp:
            new += 1
        elif before[1] != digest:
            changed.append(path)
    _write(root, found)
    return Check(len(found), changed, new)


def path_of(root: Path) -> Path:
    """Where the manifest of the folder `root` lies."""
    key = hashlib.sha256(str(root.resolve()).encode(errors="surrogateescape")).hexdigest()
    return Path(expanded("manifests", _FOLDER)) / f"{key[:16]}.npz"


def _name(root: Path, path: Path) -> str:
    return str(path.relative_to(root))


def _read(root: Path) -> _Known:
    """What the manifest says; nothing where there is none, or none that can be read."""
    try:
        raw = io.BytesIO(path_of(root).read_bytes())
        with np.load(raw, allow_pickle=False) as archive:
            names = archive["names"].tobytes().decode(errors="surrogateescape").split("\0")
            columns = archive["stamps"].tolist(), archive["digests"]
        rows = zip(names, *columns, strict=True)
        return {name: ((size, time), digest.tobytes()) for name, (size, time), digest in rows}
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile):
        return {}


def _write(root: Path, known: _Known) -> None:
    """Keep the manifest; where it cannot be kept, everything is read again at the next start."""
    names = "\0".join(known).encode(errors="surrogateescape")
    buffer = io.BytesIO()
    np.savez(
        buffer,
        names=np.frombuffer(names, np.uint8),
        stamps=np.array([stamp for stamp, _ in known.values()], np.int64).reshape(-1, 2),
        digests=np.frombuffer(b"".join(digest for _, digest in known.values()), np.uint8).reshape(
            -1, _DIGEST_BYTES
        ),
    )
    path = path_of(root)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, buffer.getvalue())
    except OSError as error:
        print(
            f"{plain(path)}: the digests of {plain(root)} cannot be kept ({error.strerror}); its "
            "images will be read again",
            file=sys.stderr,
        )
