"""What a person writes for a folder, with `~` expanded: the same wherever a folder is named."""

import os

from bnrepro.config.messages import ConfigError, shown


def expanded(name: str, text: str) -> str:
    """The folder without `~`; one that is called so is `./~`.

    Raises:
        ConfigError: if it begins with the home of somebody who is not known here.
    """
    folder = os.path.expanduser(text)  # noqa: PTH111 (keeps the text where there is nothing to do)
    if folder.startswith("~"):
        person = folder.partition("/")[0]
        raise ConfigError(
            f"{name}{shown(text)}: {shown(person)} has no home here; write ./{shown(person)} for a "
            "folder of that name"
        )
    return folder
