"""Classes and files of an image folder, by name and size; opens no image and imports no torch."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from benchmark.data.folder_layout import Layout, label_file, labels_of
from benchmark.data.folder_scan import SUFFIXES, check_class_name, content, file_size, folders, images, is_folder

SPLITS = ("train", "calibration", "test")
LAYOUT = "expected ROOT/train/CLASS/IMAGE and ROOT/{test}/CLASS/IMAGE"
USUAL = Layout()


def fingerprint(root: str, layout: Layout = USUAL) -> str:
    """16 hex digits of the SHA-256 over the sorted relative names and sizes of all images and masks.

    Computed once per process and folder, as the images are loaded once per process. Files are not read: an image whose
    content changes and whose name and size do not is not noticed.

    Raises:
        OSError, ValueError: see :func:`existing` and :func:`images`, and ValueError for an empty file.
    """
    return _fingerprint(existing(root, layout).resolve(), layout)


@cache
def _fingerprint(root: Path, layout: Layout) -> str:
    digest = hashlib.sha256()
    splits = [layout.folder(split) for split in SPLITS]
    for top in (*splits, *(f"masks/{split}" for split in splits)):
        for folder in folders(root / top):
            for file in images(folder):
                _add(digest, root, file)
    if is_flat(root, layout):
        for file in images(root / layout.test):
            _add(digest, root, file)
        digest.update(content(label_file(root, layout)))
    boxes = root / "boxes" if layout.boxes is None else Path(layout.boxes).expanduser()
    for folder in (boxes / split for split in splits):
        for file in sorted(folder.rglob("*.xml")):
            digest.update(f"boxes/{file.relative_to(boxes).as_posix()}\0{file_size(file)}\n".encode("utf-8", "replace"))
    return digest.hexdigest()[:16]


def _add(digest: hashlib._Hash, root: Path, file: Path) -> None:
    if not (size := file_size(file)):
        raise ValueError(f"{file} is empty (0 bytes): restore the file or remove it")
    digest.update(f"{file.relative_to(root).as_posix()}\0{size}\n".encode("utf-8", "surrogateescape"))


def is_flat(root: Path, layout: Layout) -> bool:
    """Whether ImageNet's test images lie in no class folders."""
    return layout.imagenet and is_folder(root / layout.test) and not folders(root / layout.test)


def existing(root: str | Path | None, layout: Layout = USUAL) -> Path:
    """``root`` as a path.

    Raises:
        ValueError: no root was given. OSError: it is not a folder, or not one that can be entered.
    """
    expected = LAYOUT.format(test=layout.test)
    if root in (None, "", "???"):
        raise ValueError(f"data.root is not set: name the folder of the images, data.root=FOLDER ({expected})")
    try:
        path = Path(str(root)).expanduser()
    except RuntimeError:
        raise FileNotFoundError(f"data.root={root}: there is no such user: correct data.root") from None
    if not is_folder(path):
        what = "is a file" if path.exists() else "does not exist"
        raise FileNotFoundError(f"data.root={root} {what}, {expected}: correct data.root")
    return path


def listing(root: Path, layout: Layout = USUAL) -> tuple[list[str], dict[str, list[tuple[Path, int]]]]:
    """The class names, and for each split that is there its (file, label) in the order of class and name.

    Raises:
        FileNotFoundError: no ``train`` or ``test``. ValueError: a split or class without an image, classes that
            differ between splits (of ImageNet's they may), or a class whose name cannot be printed. And see
            :func:`images`.
    """
    expected = LAYOUT.format(test=layout.test)
    for split in ("train", layout.test):
        if not is_folder(root / split):
            there = ", ".join(folder.name for folder in folders(root)[:8]) or "no folder"
            raise FileNotFoundError(f"{root} has no folder {split!r}, {expected}, found {there}: correct data.root")
    found = {split: root / layout.folder(split) for split in SPLITS if is_folder(root / layout.folder(split))}
    flat = _flat(root, layout) if is_flat(root, layout) else {}
    classes = {
        split: sorted(flat) if flat and split == "test" else _classes(folder, expected)
        for split, folder in found.items()
    }
    names = sorted({name for each in classes.values() for name in each}) if layout.imagenet else classes["train"]
    if not layout.imagenet:
        for split, own in classes.items():
            _same_classes(names, own, found[split].name)
    number = {name: label for label, name in enumerate(names)}
    return names, {
        split: [
            (file, number[name])
            for name in classes[split]
            for file in (flat[name] if flat and split == "test" else _some(folder / name))
        ]
        for split, folder in found.items()
    }


def _flat(root: Path, layout: Layout) -> dict[str, list[Path]]:
    """ImageNet's validation images by class, by the labels in their file."""
    from benchmark.data.imagenet_classes import indices

    files = _some(root / layout.test)
    by_class: dict[str, list[Path]] = {}
    for file, name in zip(files, labels_of(label_file(root, layout), files, list(indices())), strict=True):
        by_class.setdefault(name, []).append(file)
    return by_class


def _classes(folder: Path, expected: str) -> list[str]:
    names = [entry.name for entry in folders(folder)]
    if not names:
        raise ValueError(f"{folder} has no class folder in it, {expected}: put the images into one folder a class")
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
