"""Classes and files of an image folder, by name and size; opens no image and imports no torch."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from benchmark.data.folder_scan import SUFFIXES, check_class_name, file_size, folders, images, is_folder

SPLITS = ("train", "calibration", "test")
LAYOUT = "expected ROOT/train/CLASS/IMAGE and ROOT/test/CLASS/IMAGE"


def fingerprint(root: str) -> str:
    """16 hex digits of the SHA-256 over the sorted relative names and sizes of all images and masks.

    Computed once per process and folder, as the images are loaded once per process. Files are not read: an image whose
    content changes and whose name and size do not is not noticed.

    Raises:
        OSError, ValueError: see :func:`existing` and :func:`images`, and ValueError for an empty file.
    """
    return _fingerprint(existing(root).resolve())


@cache
def _fingerprint(root: Path) -> str:
    digest = hashlib.sha256()
    for top in (*SPLITS, *(f"masks/{split}" for split in SPLITS)):
        for folder in folders(root / top):
            for file in images(folder):
                if not (size := file_size(file)):
                    raise ValueError(f"{file} is empty (0 bytes): restore the file or remove it")
                digest.update(f"{file.relative_to(root).as_posix()}\0{size}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()[:16]


def existing(root: str | Path | None) -> Path:
    """``root`` as a path.

    Raises:
        ValueError: no root was given. OSError: it is not a folder, or not one that can be entered.
    """
    if root in (None, "", "???"):
        raise ValueError(f"data.root is not set: name the folder of the images, data.root=FOLDER ({LAYOUT})")
    try:
        path = Path(str(root)).expanduser()
    except RuntimeError:
        raise FileNotFoundError(f"data.root={root}: there is no such user: correct data.root") from None
    if not is_folder(path):
        what = "is a file" if path.exists() else "does not exist"
        raise FileNotFoundError(f"data.root={root} {what}, {LAYOUT}: correct data.root")
    return path


def listing(root: Path) -> tuple[list[str], dict[str, list[tuple[Path, int]]]]:
    """The class names, and for each split that is there its (file, label) in the order of class and name.

    Raises:
        FileNotFoundError: no ``train`` or ``test``. ValueError: a split or class without an image, classes that
            differ between splits, or a class whose name cannot be printed. And see :func:`images`.
    """
    for split in ("train", "test"):
        if not is_folder(root / split):
            there = ", ".join(folder.name for folder in folders(root)[:8]) or "no folder"
            raise FileNotFoundError(f"{root} has no folder {split!r}, {LAYOUT}, found {there}: correct data.root")
    names = _classes(root / "train")
    found = {}
    for split in SPLITS:
        if split == "calibration" and not is_folder(root / split):
            continue
        _same_classes(names, _classes(root / split), split)
        found[split] = [(file, label) for label, name in enumerate(names) for file in _some(root / split / name)]
    return names, found


def _classes(folder: Path) -> list[str]:
    names = [entry.name for entry in folders(folder)]
    if not names:
        raise ValueError(f"{folder} has no class folder in it, {LAYOUT}: put the images into one folder a class")
    for name in names:
        check_class_name(name, folder)
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
