"""Classes and files of an image folder, by name and size; opens no image and imports no torch."""

from __future__ import annotations

import hashlib
import os
from functools import cache
from pathlib import Path

SPLITS = ("train", "calibration", "test")
SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".webp")
LAYOUT = "expected ROOT/train/CLASS/IMAGE and ROOT/test/CLASS/IMAGE"


def fingerprint(root: str) -> str:
    """16 hex digits of the SHA-256 over the sorted relative names and sizes of all images and masks.

    Computed once per process and folder, as the images are loaded once per process. Files are not read: an image whose
    content changes and whose name and size do not is not noticed.

    Raises:
        FileNotFoundError, ValueError: see :func:`existing`, and FileNotFoundError for a broken link.
    """
    return _fingerprint(existing(root).resolve())


@cache
def _fingerprint(root: Path) -> str:
    digest = hashlib.sha256()
    for top in (*SPLITS, *(f"masks/{split}" for split in SPLITS)):
        for folder in folders(root / top):
            for file in images(folder):
                digest.update(
                    f"{file.relative_to(root).as_posix()}\0{_bytes(file)}\n".encode("utf-8", "surrogateescape")
                )
    return digest.hexdigest()[:16]


def _bytes(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError as error:
        raise FileNotFoundError(f"{file} cannot be read ({error.strerror}): restore the file or remove it") from None


def existing(root: str | Path | None) -> Path:
    """``root`` as a path.

    Raises:
        ValueError: no root was given. FileNotFoundError: it is not a folder.
    """
    if root in (None, "", "???"):
        raise ValueError(f"data.root is not set: name the folder of the images, data.root=FOLDER ({LAYOUT})")
    path = Path(str(root)).expanduser()
    if not path.is_dir():
        what = "is a file" if path.exists() else "does not exist"
        raise FileNotFoundError(f"data.root={root} {what}, {LAYOUT}: correct data.root")
    return path


def folders(parent: Path) -> list[Path]:
    """The folders in ``parent`` by name, without hidden ones; none where there is no ``parent``."""
    if not parent.is_dir():
        return []
    with os.scandir(parent) as entries:
        names = sorted(entry.name for entry in entries if entry.is_dir() and not entry.name.startswith("."))
    return [parent / name for name in names]


def images(folder: Path) -> list[Path]:
    """The files in ``folder`` whose names end as an image's does, by name, without hidden ones."""
    with os.scandir(folder) as entries:
        names = sorted(entry.name for entry in entries if _is_image(entry.name) and not entry.is_dir())
    return [folder / name for name in names]


def _is_image(name: str) -> bool:
    return name.lower().endswith(SUFFIXES) and not name.startswith(".")


def listing(root: Path) -> tuple[list[str], dict[str, list[tuple[Path, int]]]]:
    """The class names, and for each split that is there its (file, label) in the order of class and name.

    Raises:
        FileNotFoundError: no ``train`` or ``test``. ValueError: a split or class without an image, or classes that
            differ between splits.
    """
    for split in ("train", "test"):
        if not (root / split).is_dir():
            there = ", ".join(folder.name for folder in folders(root)[:8]) or "no folder"
            raise FileNotFoundError(f"{root} has no folder {split!r}, {LAYOUT}, found {there}: correct data.root")
    names = _classes(root / "train")
    found = {}
    for split in SPLITS:
        if split == "calibration" and not (root / split).is_dir():
            continue
        _same_classes(names, _classes(root / split), split)
        found[split] = [(file, label) for label, name in enumerate(names) for file in _some(root / split / name)]
    return names, found


def _classes(folder: Path) -> list[str]:
    names = [entry.name for entry in folders(folder)]
    if not names:
        raise ValueError(f"{folder} has no class folder in it, {LAYOUT}: put the images into one folder a class")
    return names


def _same_classes(train: list[str], other: list[str], split: str) -> None:
    for ours, theirs, here, there in ((train, other, "train", split), (other, train, split, "train")):
        missing = [name for name in ours if name not in set(theirs)]
        if missing:
            names = ", ".join(missing[:8]) + (f" and {len(missing) - 8} more" if len(missing) > 8 else "")
            raise ValueError(
                f"every split must have the same classes, but {names} ({len(missing)} of {len(ours)}) of {here}/ "
                f"{'is' if len(missing) == 1 else 'are'} not in {there}/: add or remove class folders"
            )


def _some(folder: Path) -> list[Path]:
    files = images(folder)
    if not files:
        raise ValueError(
            f"the class folder {folder} has no image directly in it (files that end in {', '.join(SUFFIXES)}): "
            "add images or remove the class from every split"
        )
    return files
