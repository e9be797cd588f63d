"""Which file holds the object mask, or the boxes, of each image of a folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmark.data.folder_layout import Layout
from benchmark.data.folder_scan import is_folder
from benchmark.processes.notices import warn_once

Found = list[Path | None]


def mask_files(root: Path, layout: Layout, split: str, images: Sequence[Path]) -> Found | None:
    """``ROOT/masks/SPLIT/CLASS/STEM.png`` of every image, None for images without; None where the split has no masks.

    Raises:
        ValueError: two images would share a mask. FileNotFoundError: there is a folder of masks, and none fits.
    """
    folder = root / "masks" / layout.folder(split)
    if not is_folder(folder):
        return None
    masks = [folder / path.parent.relative_to(root / layout.folder(split)) / f"{path.stem}.png" for path in images]
    image_of: dict[Path, Path] = {}
    for mask, path in zip(masks, images, strict=True):
        if image_of.setdefault(mask, path) != path and mask.is_file():
            raise ValueError(
                f"{image_of[mask]} and {path.name} would share the mask {mask}: rename one of the images, and give "
                "each its own mask"
            )
    return _there(masks, images, f"object masks in {folder}", split)


def box_files(root: Path, layout: Layout, split: str, images: Sequence[Path]) -> Found | None:
    """The XML file of boxes of every image, None for images without; None where the split has none.

    They lie in ``ROOT/boxes`` or the folder that the layout names, as ``SPLIT/CLASS/STEM.xml`` or ``SPLIT/STEM.xml``.

    Raises:
        FileNotFoundError: a folder that is named and not there, or whose files fit no image of the split.
    """
    top = root / "boxes" if layout.boxes is None else Path(layout.boxes).expanduser()
    if layout.boxes is not None and not is_folder(top):
        raise FileNotFoundError(f"data.boxes={layout.boxes} is no folder: correct it, or leave it null")
    folder = top / layout.folder(split)
    if not is_folder(folder):
        return None
    places = [folder / path.parent.relative_to(root / layout.folder(split)) / f"{path.stem}.xml" for path in images]
    loose = [folder / f"{path.stem}.xml" for path in images]
    files = [place if place.is_file() else other for place, other in zip(places, loose, strict=True)]
    return _there(files, images, f"boxes in {folder}", split)


def _there(files: Sequence[Path], images: Sequence[Path], what: str, split: str) -> Found:
    found: Found = [file if file.is_file() else None for file in files]
    lacking = [number for number, file in enumerate(found) if file is None]
    if len(lacking) == len(images):
        raise FileNotFoundError(
            f"there are {what}, but for none of the {len(images)} images, for example {images[0]} (expected "
            f"{files[0]}): correct their names, or remove the folder"
        )
    if lacking:
        warn_once(
            f"{len(lacking)} of {len(images)} {split} images have no {what} (e.g. {images[lacking[0]].name}): they "
            "have no measure of the object, and records say how many have"
        )
    return found
