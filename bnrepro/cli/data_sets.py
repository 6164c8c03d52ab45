"""The command `data`: list, download and verify data sets."""

from functools import partial
from pathlib import Path

from bnrepro.cli.words import Words, Work
from bnrepro.config import ConfigError, did_you_mean, shown
from bnrepro.config.overrides import check_single


def prepare_data(words: Words) -> Work:
    """List, download or verify data sets."""
    check_single(words.overrides)
    actions = {"list": _list_data, "download": _download_data, "verify": _verify_data}
    action, *names = words.plain or ["list"]
    if action not in actions:
        raise ConfigError(
            f"{shown(action)}: expected one of {', '.join(actions)}"
            f"{did_you_mean(action, list(actions))}"
        )
    most = {"list": 0, "download": 1, "verify": 1}[action]
    if len(names) > most or (action == "download" and not names):
        raise ConfigError(
            f"data {shown(' '.join(words.plain))}: expected `bnrepro data list`, "
            "`bnrepro data download NAME` or `bnrepro data verify [NAME]`"
        )
    if words.plain == ["verify", "image_folder"]:
        return partial(_verify_photographs, words.value("data.root", ""))
    from bnrepro.data.download import SOURCES, verify
    from bnrepro.data.source import data_root

    root = data_root(words.value("data.root", "") or None)
    for name in names:
        if name not in SOURCES:
            # The error that names the sets there are; nothing is read for it.
            verify(name, root)
    return partial(actions[action], root, names)


def _list_data(root: Path, _names: list[str]) -> int:
    from bnrepro.data.download import describe

    for row in describe(root):
        shape = "x".join(map(str, row.image_shape)) if row.image_shape else "any size"
        present = {True: "here", False: "not here", None: ""}[row.present]
        examples = row.examples or "yours"
        print(f"{row.name:<14} {examples:<16} {shape:<9} {present:<9} {row.where}".rstrip())
    return 0


def _download_data(root: Path, names: list[str]) -> int:
    from bnrepro.data.download import download
    from bnrepro.screen.signals import raised

    with raised():  # what has arrived in part is removed
        paths = download(names[0], root)
    for path in paths:
        print(path)
    return 0


def _verify_data(root: Path, names: list[str]) -> int:
    from bnrepro.data.download import SOURCES, describe, verify

    here = [row.name for row in describe(root) if row.present and row.name in SOURCES]
    if not names and not here:
        raise ConfigError(f"{root}: no data set here; `bnrepro data download NAME` brings one")
    checks = [check for name in names or here for check in verify(name, root)]
    for check in checks:
        print(f"{check.file}: ok" if check.ok else check.message)
    return 0 if all(check.ok for check in checks) else 1


def _verify_photographs(root: str) -> int:
    """Read every photograph of a folder of one's own, and compare it with the last time."""
    from dataclasses import replace

    from bnrepro.config.merging import merge
    from bnrepro.data import image_folder
    from bnrepro.data.source import plain

    chosen = replace(merge({}).data, name="image_folder", root=root)
    found = image_folder.verify(chosen)
    for path in found.changed:
        print(f"{plain(path)}: other bytes than before, of the same size and time; replace it")
    same = found.num_files - found.new - len(found.changed)
    print(f"{found.num_files:,} photographs: {same:,} as before, {found.new:,} new")
    return 1 if found.changed else 0
