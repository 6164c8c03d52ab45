"""Published data sets on disk: where their files lie, what they must be, reading them checked."""

import hashlib
import os
import stat
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bnrepro.config import ConfigError, one_line
from bnrepro.config.folders import expanded

# No member of a published archive is larger; a larger one is not read into memory.
_LARGEST_MEMBER_BYTES = 64 * 2**20
# zlib's number for a gzip header and the largest window.
_GZIP = 16 + zlib.MAX_WBITS


class DataError(ConfigError):
    """Missing or bad data: what was received, what was expected, and the remedy, in one line."""


@dataclass(frozen=True)
class Source:
    """A published data set: files in `folder`, or members of the one archive in `folder`.

    `md5` has the published checksums of the files, or of the archive's members: an archive may
    have been packed again. A member lies in `member_folder` of the archive. `unpacked_md5` has the
    checksums of what gzipped files hold, by the files' names: mirrors pack them again.
    """

    name: str
    folder: str
    url: str
    md5: Mapping[str, str]
    image_shape: tuple[int, int, int]
    num_examples: tuple[int, int]
    class_names: tuple[str, ...]
    archive: str | None = None
    member_folder: str = ""
    unpacked_md5: Mapping[str, str] = field(default_factory=dict)

    @property
    def files(self) -> tuple[str, ...]:
        """Names of the files to be downloaded into `folder`."""
        return (self.archive,) if self.archive else tuple(self.md5)

    @property
    def places(self) -> str:
        """The files and their folder below the data root, as an error names them."""
        unpacked = f" or {self.member_folder}/" if self.archive else ""
        return f"{self.folder}/ with {', '.join(self.files)}{unpacked}"

    @property
    def remedy(self) -> str:
        """What brings the files into place."""
        return f"run `bnrepro data download {self.name}`"

    def files_in_use(self, root: Path) -> list[str]:
        """The files that a run reads, relative to `root`: unpacked ones where no archive lies."""
        unpacked = f"{self.folder}/{self.member_folder}"
        no_archive = self.archive and not file_mode(root / self.folder / self.archive)
        if no_archive and stat.S_ISDIR(file_mode(root / unpacked)):
            return [f"{unpacked}/{member}" for member in self.md5]
        return [f"{self.folder}/{file}" for file in self.files]


def data_root(root: str | None) -> Path:
    """The folder of all data sets: `root`, else BNREPRO_DATA, else ~/.cache/bnrepro."""
    if root == "":
        raise DataError("data.root is empty: expected a folder; name one, or leave data.root out")
    chosen = root or os.environ.get("BNREPRO_DATA") or "~/.cache/bnrepro"
    return Path(expanded("data set folder ", chosen))


def file_mode(path: Path) -> int:
    """What `stat` says of the kind of file; 0 where nothing is, or nothing that can be seen."""
    try:
        return path.stat().st_mode
    except OSError:
        return 0


def plain(path: Path) -> str:
    """A path as an error can print it in one line, whatever bytes its name is made of."""
    text = str(path)
    return text if text.isprintable() else ascii(text)


def read_file(source: Source, path: Path) -> bytes:
    """The content of one of the source's files, or of a member that was unpacked.

    Raises:
        DataError: if it is missing, unreadable, no plain file, or not of the published checksum.
    """
    _require_plain_file(source, path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from error
    check_md5(source, path.name, content, plain(path))
    return content


def read_members(source: Source, archive: Path) -> Iterator[tuple[str, bytes]]:
    """(name, content) of each member of `source.md5`, in the archive's order, read in place.

    Nothing is unpacked to disk: a member is known by its exact path and checksum, links and all
    other members are passed over.

    Raises:
        DataError: if the archive or a member is missing, cut short, or not of its checksum.
    """
    _require_plain_file(source, archive)
    expected = {f"{source.member_folder}/{name}": name for name in source.md5}
    try:
        with tarfile.open(archive, "r:gz") as tar:
            for member in tar:
                name = expected.get(member.name.removeprefix("./"))
                if name is None or not member.isreg() or member.size > _LARGEST_MEMBER_BYTES:
                    continue
                content = tar.extractfile(member).read()  # type: ignore[union-attr]
                check_md5(source, name, content, f"{plain(archive)}: {member.name}")
                del expected[f"{source.member_folder}/{name}"]
                yield name, content
                if not expected:
                    return
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        raise DataError(
            f"{plain(archive)}: cannot be read to its end ({_reason(error)}), expected a gzipped "
            f"tar archive; delete it and {source.remedy}"
        ) from error
    raise DataError(
        f"{plain(archive)}: without {', '.join(sorted(expected))}, expected all {len(source.md5)} "
        f"members as plain files; delete it and {source.remedy}"
    )


def check(source: Source, path: Path) -> None:
    """Raise DataError unless `path` is the source's file of that name, whole and unaltered."""
    if path.name == source.archive:
        for _ in read_members(source, path):
            pass
    else:
        read_file(source, path)


def check_md5(source: Source, name: str, content: bytes, place: str) -> None:
    """Raise DataError unless `content` is what was published as `name`."""
    received = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if received != source.md5[name] and not _is_packed_again(source, name, content):
        what = f"md5 {received} of {len(content):,} bytes" if content else "an empty file"
        raise DataError(
            f"{place}: {what}, expected md5 {source.md5[name]}: cut short or altered; delete it "
            f"and {source.remedy}"
        )


def _is_packed_again(source: Source, name: str, content: bytes) -> bool:
    """Whether a gzipped file holds what the published one does, compressed otherwise."""
    try:
        unpacked = zlib.decompressobj(wbits=_GZIP).decompress(content, _LARGEST_MEMBER_BYTES)
    except zlib.error:
        return False
    return hashlib.md5(unpacked, usedforsecurity=False).hexdigest() == source.unpacked_md5.get(name)


def _require_plain_file(source: Source, path: Path) -> None:
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError) as error:
        raw = path.with_suffix("")
        if path.suffix == ".gz" and raw.is_file():
            raise DataError(
                f"{plain(path)}: no such file, but {raw.name} lies there unpacked; run "
                f"`gzip {raw.name}` in that folder, or {source.remedy}"
            ) from error
        raise DataError(
            f"{plain(path)}: no such file; {source.remedy}, or set data.root or BNREPRO_DATA to "
            f"the folder that holds {source.places}"
        ) from error
    except OSError as error:
        raise _unreadable(path, error) from error
    if not stat.S_ISREG(mode):
        kind = "a folder" if stat.S_ISDIR(mode) else "no plain file"
        raise DataError(f"{plain(path)}: {kind}, expected a file; move it away and {source.remedy}")


def _unreadable(path: Path, error: OSError) -> DataError:
    return DataError(
        f"{plain(path)}: cannot be read ({_reason(error)}), expected a readable file; change its "
        "permissions"
    )


def _reason(error: Exception) -> str:
    return (isinstance(error, OSError) and error.strerror) or one_line(error)
