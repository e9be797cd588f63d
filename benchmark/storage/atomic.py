"""Files that are there whole or not at all."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from benchmark.storage.paths import partial_file

# Below this much free disk nothing is started.
FLOOR = 200 * 2**20


def write_atomic(path: Path, content: bytes) -> None:
    """Writes under another name, then renames: readers never see half a file."""
    partial = partial_file(path)
    with partial.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)


def make_folder(folder: Path, what: str) -> None:
    """Makes a folder with room in it.

    Args:
        what: the folder's use, for the message.
    Raises:
        OSError: it cannot be made or written to, or less than 200 MB of disk are free.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(f"{what} {folder} cannot be made ({error.strerror}): name a folder you may write to") from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OSError(f"{what} {folder} is not writable: name a folder you may write to")
    free = shutil.disk_usage(folder).free
    if free < FLOOR:
        raise OSError(
            f"{what} {folder} has {free / 2**20:.0f} MB of disk left, at least {FLOOR / 2**20:.0f} MB are needed: "
            "make room or name another folder; what is finished is safe"
        )
