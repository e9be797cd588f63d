"""How an image folder is laid out where it is not the usual way, and the labels of images without class folders."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path

# Where the labels of ImageNet's validation images lie as they are given out: the challenge's development kit, Kaggle's
# archive, and the list that came with Caffe.
LABEL_FILES = (
    "val_labels.txt",
    "LOC_val_solution.csv",
    "ILSVRC2012_devkit_t12/data/ILSVRC2012_validation_ground_truth.txt",
    "val.txt",
)
_UP = 3  # Kaggle's archive has the images three folders below the labels
_META = "meta.mat"


@dataclass(frozen=True)
class Layout:
    """Which folders are read.

    test: name of the folder of the test split. labels: the file with the classes of test images that lie directly in
    it; None to look for one of ``LABEL_FILES`` in the root and the folders above it. imagenet: whether classes are
    ImageNet's, so that splits may lack some of them. boxes: the folder with the objects' boxes; None for ROOT/boxes.
    """

    test: str = "test"
    labels: str | None = None
    imagenet: bool = False
    boxes: str | None = None

    def folder(self, split: str) -> str:
        """The name of a split's folder."""
        return self.test if split == "test" else split


def label_file(root: Path, layout: Layout) -> Path:
    """The file with the labels of test images that lie in no class folder.

    Raises:
        FileNotFoundError: there is none.
    """
    if layout.labels is not None:
        file = Path(layout.labels).expanduser()
        if not file.is_file():
            raise FileNotFoundError(f"data.val_labels={layout.labels} is not there: {_WANTED}")
        return file
    places = [root.resolve(), *list(root.resolve().parents)[:_UP]]
    for place in places:
        for name in LABEL_FILES:
            if (place / name).is_file():
                return place / name
    raise FileNotFoundError(
        f"the images of {root / layout.test} lie in no class folder, and none of {', '.join(LABEL_FILES)} is in {root} "
        f"or above it: {_WANTED}"
    )


_WANTED = (
    "name the labels with data.val_labels=FILE (a line for each image, NAME and WordNet id or the class's number from "
    "0; LOC_val_solution.csv of Kaggle; or ILSVRC2012_validation_ground_truth.txt beside meta.mat), or put the images "
    "into one folder a class"
)


def labels_of(file: Path, images: list[Path], known: list[str]) -> list[str]:
    """The class, by its WordNet id, of every image.

    Args:
        images: all of the folder, by name. known: the WordNet ids in the order of the classes' numbers.
    Raises:
        ValueError: a file of another form, an image without a label, or a label that is no class.
    """
    lines = [line for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
    if all(line.strip().isdigit() for line in lines):
        return _by_number(file, [int(line) for line in lines], images)
    told = dict(_pair(file, line, known) for line in _rows(lines))
    lacking = [image for image in images if image.stem not in told]
    if lacking:
        raise ValueError(
            f"{file} has no label for {len(lacking)} of the {len(images)} images in {images[0].parent} (e.g. "
            f"{lacking[0].name}): {_WANTED}"
        )
    return [told[image.stem] for image in images]


def _rows(lines: list[str]) -> list[list[str]]:
    """The first two words of each line, without a header."""
    comma = "," in lines[0]
    rows = list(csv.reader(lines)) if comma else [line.split() for line in lines]
    return [[row[0], *(row[1].split() if len(row) > 1 else [])][:2] for row in rows if row[0] != "ImageId"]


def _pair(file: Path, row: list[str], known: list[str]) -> tuple[str, str]:
    """(stem of the image, WordNet id)."""
    name, label = row if len(row) == 2 else (row[0], "")
    if label.isdigit() and int(label) < len(known):
        label = known[int(label)]
    if label not in known:
        raise ValueError(f"{file} gives {name} the label {label!r}, which is no class of ImageNet: {_WANTED}")
    return Path(name).stem, label


def _by_number(file: Path, numbers: list[int], images: list[Path]) -> list[str]:
    """Of the challenge's development kit: a number a line, images by name, the numbers' meaning in meta.mat."""
    if len(numbers) != len(images):
        raise ValueError(f"{file} has {len(numbers)} labels, {images[0].parent} {len(images)} images: {_WANTED}")
    meta = file.with_name(_META)
    if not meta.is_file():
        raise FileNotFoundError(f"{file} gives classes by the challenge's own numbers, which {meta} explains: get it")
    id_of = _challenge_numbers(meta)
    return [id_of[number] for number in numbers]


@cache
def _challenge_numbers(meta: Path) -> dict[int, str]:
    from scipy.io import loadmat

    synsets = loadmat(str(meta), squeeze_me=True)["synsets"]
    return {int(each["ILSVRC2012_ID"]): str(each["WNID"]) for each in synsets}
