"""Files that are there whole or not at all."""

from __future__ import annotations

import os
import shutil
import uuid
from pathlib import Path

# Below this much free disk nothing is started.
FLOOR = 200 * 2**20


def partial_name(path: Path) -> Path:
    """Another name for a file while it is written, that no other process uses, on this machine or another."""
    return path.with_name(f"{path.name}.{uuid.uuid4().hex}.partial")


def write_atomic(path: Path, content: bytes) -> None:
    """Writes under another name, then renames: readers never see half a file."""
    partial = partial_name(path)
    with partial.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)


def make_folder(folder: Path, what: str) -> None:
    """Makes a folder with room in it.

    Raises:
        OSError: it cannot be made or written to, or less than 200 MB of disk are free; says ``what`` it is for.
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
