"""The folder of results, refused where it cannot be one before anything is done."""

import stat
from pathlib import Path

from bnrepro.config import ConfigError, shown

RESULTS_DIR = "results"


def check_results_directory(results_dir: str) -> None:
    """Refuse a results folder that cannot be one; it need not exist yet.

    Raises:
        ConfigError: if it, or a folder above it, is a file or a link to nothing, or its name is
            too long.
    """
    folder = Path(results_dir)
    longest = folder / "runs" / ("name" * 25) / "seed_0"
    for part in [longest, *longest.parents]:
        try:
            is_folder = stat.S_ISDIR(part.stat().st_mode)
        except (FileNotFoundError, NotADirectoryError, PermissionError) as error:
            if isinstance(error, FileNotFoundError) and part.is_symlink():
                raise ConfigError(
                    f"results_dir={shown(results_dir)}: expected a folder, but {shown(part)} is a "
                    "link to nothing; choose another"
                ) from error
            continue
        except OSError as error:
            raise ConfigError(
                f"results_dir={shown(results_dir)}: expected a folder ({error.strerror}); "
                "choose another"
            ) from error
        if not is_folder:
            raise ConfigError(
                f"results_dir={shown(results_dir)}: expected a folder, but {shown(part)} is a "
                "file; choose another"
            )
