"""Files of an image folder that are not used, counted by the reason; imports no torch."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from benchmark.data.folder_scan import entries, is_folder, is_image

# Files that systems leave in any folder; nobody took them for images.
_LITTER = {"thumbs.db", "desktop.ini", ".ds_store", "ehthumbs.db"}


@dataclass
class Skipped:
    """What is not used.

    Attributes:
        nested: images in folders inside class folders. loose: images beside the class folders.
        hidden: images whose name, or whose folder's name, begins with a dot.
        others: files in class folders that do not end as an image does, by suffix.
        folders: names of folders beside those of the splits.
        first: an example of each reason, relative to the root.
    """

    nested: int = 0
    loose: int = 0
    hidden: int = 0
    others: Counter[str] = field(default_factory=Counter)
    folders: list[str] = field(default_factory=list)
    first: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        """The numbers in words; empty where nothing is skipped."""
        suffixes = ", ".join(f"{suffix} {count}" for suffix, count in self.others.most_common(5))
        parts = {
            "nested": f"{self.nested} images in folders inside class folders",
            "loose": f"{self.loose} images beside the class folders",
            "hidden": f"{self.hidden} hidden images",
            "others": f"{self.others.total()} files of another kind ({suffixes})",
        }
        told = [f"{text}, e.g. {self.first[name]}" for name, text in parts.items() if name in self.first]
        if self.folders:
            told.append(f"{len(self.folders)} folders beside the splits ({', '.join(self.folders[:5])})")
        return "; ".join(told)


def skipped_files(root: Path, splits: tuple[str, ...], flat: bool = False) -> Skipped:
    """Counts what lies in ``root`` and is not used. Links to folders are not followed.

    flat: whether the images of the last split lie directly in its folder.
    """
    found = Skipped()
    for entry in entries(root):
        if entry.name not in (*splits, "masks", "boxes") and not entry.name.startswith(".") and is_folder(entry):
            found.folders.append(entry.name)
    for split in splits:
        if is_folder(root / split) and not (flat and split == splits[-1]):
            _count_in_split(root, root / split, found)
    return found


def _count_in_split(root: Path, split: Path, found: Skipped) -> None:
    for entry in entries(split):
        path = Path(entry.path)
        if entry.name.startswith("."):
            _add_images(root, _below(path) if is_folder(entry) else [path], "hidden", found)
        elif is_folder(entry):
            _count_in_class(root, path, found)
        elif is_image(entry.name):
            _add_images(root, [path], "loose", found)


def _count_in_class(root: Path, folder: Path, found: Skipped) -> None:
    for entry in entries(folder):
        path, hidden = Path(entry.path), entry.name.startswith(".")
        if is_image(entry.name) and not entry.is_dir():
            continue
        if entry.name.lower() in _LITTER or entry.name.startswith("._"):
            continue
        if entry.is_symlink() or not entry.is_dir():
            if hidden:
                _add_images(root, [path], "hidden", found)
            else:
                found.others[path.suffix.lower() or "no suffix"] += 1
                found.first.setdefault("others", path.relative_to(root).as_posix())
            continue
        _add_images(root, _below(path), "hidden" if hidden else "nested", found)


def _below(folder: Path) -> Iterator[Path]:
    """All files below a folder."""
    for parent, _, names in os.walk(folder):
        yield from (Path(parent) / name for name in sorted(names))


def _add_images(root: Path, files: Iterator[Path] | list[Path], reason: str, found: Skipped) -> None:
    """Counts those files that are images by their name, hidden or not, but for macOS's ``._`` twins."""
    for file in files:
        if not file.name.startswith("._") and is_image(file.name.lstrip(".")):
            setattr(found, reason, getattr(found, reason) + 1)
            found.first.setdefault(reason, file.relative_to(root).as_posix())
