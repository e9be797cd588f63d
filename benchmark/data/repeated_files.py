"""Images that lie in a folder more than once, byte for byte; imports no torch."""

from __future__ import annotations

import hashlib
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from benchmark.data.folder_scan import content, file_size

# Files are compared in a set of at most this many; beyond it takes minutes.
MOST_FILES = 200_000
_TAIL = 4096
_CHUNK = 256
_THREADS = min(8, os.cpu_count() or 1)


@dataclass(frozen=True)
class Repeats:
    """How many images repeat another, and an example of each kind as (image, the one that it repeats).

    Attributes:
        across: (later split, earlier split) to the number of images in the later that the earlier has too.
        within: split to the number of images beyond the first of the same content and class.
        classes: number of images that lie under two classes or more, in whatever split.
    """

    across: Mapping[tuple[str, str], int]
    within: Mapping[str, int]
    classes: int
    first: Mapping[Hashable, tuple[Path, Path]]


def repeated_files(found: Mapping[str, Sequence[tuple[Path, int]]]) -> Repeats:
    """Compares all images of all splits, given by split as (file, label).

    Only files of the same size are opened, and only those with the same last bytes are read whole.
    """
    where = {file: (split, label) for split, files in found.items() for file, label in files}
    across: Counter[tuple[str, str]] = Counter()
    within: Counter[str] = Counter()
    first: dict[Hashable, tuple[Path, Path]] = {}
    classes = 0
    for group in _same_content(list(where)):
        by_split: dict[str, Path] = {}
        by_class: dict[tuple[str, int], Path] = {}
        for file in group:
            by_split.setdefault(where[file][0], file)
            by_class.setdefault(where[file], file)
        for file in group:
            split, label = where[file]
            for earlier in list(found)[: list(found).index(split)]:
                if earlier in by_split:
                    across[split, earlier] += 1
                    first.setdefault((split, earlier), (file, by_split[earlier]))
            if (twin := by_class[split, label]) is not file:
                within[split] += 1
                first.setdefault(split, (file, twin))
        if other := next((file for file in group if where[file][1] != where[group[0]][1]), None):
            classes += len(group)
            first.setdefault("classes", (group[0], other))
    return Repeats(across, within, classes, first)


def _same_content(files: list[Path]) -> list[list[Path]]:
    """The groups of files of the same content, each in the given order; empty files are left out."""
    sizes = {file: file_size(file) for file in files}
    groups = _grouped([[file for file in files if sizes[file]]], sizes.__getitem__)
    groups = _grouped(groups, lambda file: hashlib.sha256(content(file, last=_TAIL)).digest())
    return _grouped(groups, lambda file: hashlib.sha256(content(file)).digest())


def _grouped(groups: list[list[Path]], key: Callable[[Path], Hashable]) -> list[list[Path]]:
    """Splits each group by a key; groups of one are left out."""
    parts: dict[Hashable, list[Path]] = defaultdict(list)
    files = [(number, file) for number, group in enumerate(groups) for file in group]
    chunks = [files[start : start + _CHUNK] for start in range(0, len(files), _CHUNK)]
    with ThreadPoolExecutor(_THREADS) as pool:
        for chunk, keys in zip(chunks, pool.map(lambda chunk: [key(file) for _, file in chunk], chunks), strict=True):
            for (number, file), own in zip(chunk, keys, strict=True):
                parts[number, own].append(file)
    return [part for part in parts.values() if len(part) > 1]
