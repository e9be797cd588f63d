"""What was found out about an image folder, kept for this machine's other processes until a file of it changes.

Imports no torch.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

from benchmark.storage.atomic import write_atomic
from benchmark.storage.paths import folder_file

# Folders inside each other that are looked into: ROOT/masks/SPLIT/CLASS/FILE has three, links may lead anywhere.
_DEPTH = 5
_THREADS = 8


class FolderMemory:
    """Answers by name, valid while no file in the folder is added, removed, renamed or written.

    Args:
        root: the folder. cache: where the answers are kept; None keeps none.
    """

    def __init__(self, root: Path, cache: str | Path | None) -> None:
        self.root = root
        self.file = None if cache is None else folder_file(Path(cache), root)

    def recall(self, name: str, find: Callable[[], Any]) -> Any:
        """What was found before under this name, or what ``find`` finds now: plain values, which are kept."""
        if self.file is None:
            return find()
        stamp = folder_stamp(self.root)
        found = self._answers(stamp)
        if name not in found:
            found = {**self._answers(stamp), name: find()}
            with contextlib.suppress(OSError):  # a store that cannot be written to costs time, no more
                self.file.parent.mkdir(parents=True, exist_ok=True)
                write_atomic(self.file, json.dumps({"stamp": stamp, "found": found}).encode())
        return found[name]

    def _answers(self, stamp: str) -> dict[str, Any]:
        """Everything kept; nothing where the folder has changed since, or the file is damaged."""
        assert self.file is not None
        try:
            kept = json.loads(self.file.read_text())
            return dict(kept["found"]) if kept["stamp"] == stamp else {}
        except (OSError, ValueError, KeyError, TypeError):
            return {}


@cache
def folder_stamp(root: Path) -> str:
    """SHA-256 over path, size and time of the last change of every file below a folder, by path.

    Computed once per process and folder, as the images are loaded once per process.

    Raises:
        OSError: a folder that cannot be listed.
    """
    digest = hashlib.sha256()
    with ThreadPoolExecutor(_THREADS) as pool:  # on a network's file system each question takes its time
        for lines in pool.map(_lines, _folders(root, _DEPTH)):
            digest.update(lines)
    return digest.hexdigest()


def _folders(folder: str | Path, depth: int) -> Iterator[str]:
    """The folder and those in it, each before what is in it."""
    yield os.fspath(folder)
    if depth:
        with os.scandir(folder) as found:
            inner = sorted(entry.path for entry in found if entry.is_dir())
        for each in inner:
            yield from _folders(each, depth - 1)


def _lines(folder: str) -> bytes:
    """A line for each file of a folder."""
    lines = []
    with os.scandir(folder) as found:
        for entry in found:
            with contextlib.suppress(OSError):  # a link that leads nowhere is told where it is opened
                status = entry.stat()
                lines.append(f"{entry.path}\0{status.st_size}\0{status.st_mtime_ns}\n")
    return "".join(sorted(lines)).encode("utf-8", "surrogateescape")
