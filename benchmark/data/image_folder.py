"""Any folder of images, one folder a class, with optional object masks."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import torch
from annotated_types import Ge
from torch import Tensor
from torch.utils.data import Dataset

from benchmark.data import imagenet_classes
from benchmark.data.array_set import ArraySet
from benchmark.data.box_file import object_names, padded, read_boxes
from benchmark.data.calibration_split import FIRST_ID, calibration_rows, drawn_order
from benchmark.data.folder_index import SPLITS, existing, listing
from benchmark.data.folder_layout import Layout
from benchmark.data.folder_memory import FolderMemory
from benchmark.data.folder_notes import folder_notes
from benchmark.data.image_file import check_header, read_image, read_mask
from benchmark.data.masks import MaskCounts, count_masks
from benchmark.data.object_files import Found, box_files, mask_files
from benchmark.numerics.bounds import ImageCount, Label, OpenInterval, Seed, Text, checked_arguments
from benchmark.numerics.expectations import Limit, Says
from benchmark.numerics.images import from_bytes
from benchmark.processes.notices import warn_once
from benchmark.types import Batch

# Sets of at most this many decoded bytes are read once into memory.
MEMORY = 2 * 2**30
_THREADS = min(8, os.cpu_count() or 1)
_MOST_NAMED = 8  # files that cannot be read, in one message


class ImageFolder:
    """``root/{train,TEST}/CLASS/IMAGE``, and optionally ``root/calibration/CLASS/IMAGE`` and
    ``root/masks/SPLIT/CLASS/STEM.png`` (not zero = object) and ``root/boxes/SPLIT/CLASS/STEM.xml`` (as of PASCAL VOC;
    those named as the image's class folder are its objects), for all, some or none of the images.

    Without a calibration folder, ``calibration_share`` of every class of train, at least 5 images, becomes the
    calibration split. Sample ids number the images of a folder in the order of ``drawn_order``: train from 0 (with the
    calibration samples taken from it), a calibration folder from 1e9, test from 2e9. Each image is its own source.

    Files that are not used, and images that repeat others, are logged as warnings with their numbers.

    With ``classes`` "imagenet" the class folders are WordNet ids, any of ImageNet's 1,000: K is 1,000, labels are the
    indices of a network's outputs and class names are words. Splits may then have different classes, and test images
    may lie directly in their folder, with ``val_labels``.

    Args:
        classes: folders | imagenet, what a class is. test_folder: TEST.
        val_labels: the file with the labels of ImageNet's validation images; None to look for it in the root and above.
        cache: folder in which is kept what was found out about the files, for as long as none of them changes.
        boxes: the folder of the objects' boxes; None for ``root/boxes``.
        balanced: whether the first n images of a split have as many of each class, instead of its own proportions.
        seed: of the order and the calibration split.
        image_size: side of the square that images are cropped and resized to.
        train, calibration, test: how many images are used, the first n in that order; None for all.
    Raises:
        ValueError, OSError: a folder of another layout, or one that cannot be read. :meth:`split` raises for broken
            files.
    """

    @checked_arguments
    def __init__(
        self,
        *,
        root: str,
        seed: Seed,
        image_size: Annotated[int, Ge(16), Limit(16_384), Says("a whole number of pixels, at least 16")],
        calibration_share: OpenInterval = 0.1,
        classes: Literal["folders", "imagenet"] = "folders",
        test_folder: Label = "test",
        val_labels: Text | None = None,
        cache: str | None = None,
        boxes: Text | None = None,
        balanced: bool = False,
        train: ImageCount | None = None,
        calibration: ImageCount | None = None,
        test: ImageCount | None = None,
    ) -> None:
        self.counts = {"train": train, "calibration": calibration, "test": test}
        self.balanced = balanced
        self.layout = Layout(test_folder, val_labels, classes == "imagenet", boxes)
        self.root, self.seed, self.image_size = existing(root, self.layout), seed, image_size
        self.class_names, found = listing(self.root, self.layout)
        self._folders = dict(enumerate(self.class_names))
        if classes == "imagenet":
            index = imagenet_classes.indices_of(self.class_names, str(self.root))
            self._folders = dict(zip(index, self.class_names, strict=True))
            found = {split: [(file, index[label]) for file, label in files] for split, files in found.items()}
            self.class_names = list(imagenet_classes.words())
        elif imagenet_classes.are_wordnet_ids(self.class_names):
            warn_once(_NOT_IMAGENET.format(root=root, count=len(self.class_names)))
        self.num_classes = len(self.class_names)
        self._rows = {name: self._numbered(name, files) for name, files in found.items()}
        if "calibration" not in found:
            self._take_calibration(calibration_share)
        for name, count in self.counts.items():
            self._rows[name] = self._rows[name].only(np.arange(len(self._rows[name]))[:count])
        self._splits: dict[str, ArraySet | FolderSet] = {}
        self._classes = {name: np.unique([label for _, label in files]) for name, files in found.items()}
        if len(unseen := np.setdiff1d(self._classes["test"], self._classes["train"])):
            warn_once(
                f"{len(unseen)} of {len(self._classes['test'])} classes of {self.layout.test}/ have no folder in "
                f"train/ (e.g. {self.class_names[unseen[0]]}): nothing that is trained here sees them"
            )
        self._memory = FolderMemory(self.root.resolve(), cache)
        for note in self._memory.recall(f"notes {self.layout}", lambda: list(self._notes())):
            warn_once(note)

    def _notes(self) -> tuple[str, ...]:
        return folder_notes(self.root.resolve(), self.layout)

    def _numbered(self, name: str, files: list[tuple[Path, int]]) -> FolderSet:
        label_N = np.array([label for _, label in files])
        order = drawn_order(label_N, self.seed, name, balanced=self.balanced)
        paths = [files[row][0] for row in order]
        return FolderSet(
            self.class_names,
            self.image_size,
            paths,
            mask_files(self.root, self.layout, name, paths),
            label_N[order],
            FIRST_ID[name] + np.arange(len(files)),
            box_files(self.root, self.layout, name, paths),
            self._folders,
        )

    def _take_calibration(self, share: float) -> None:
        both = self._rows["train"]
        chosen = calibration_rows(both.label_N, share, self.class_names)
        self._rows["calibration"] = both.only(np.flatnonzero(chosen))
        self._rows["train"] = both.only(np.flatnonzero(~chosen))

    def classes_of(self, split: str) -> np.ndarray:
        """The labels that a split has images of, before any count is applied."""
        return self._classes.get(split, self._classes["train"])

    def split(self, name: str) -> ArraySet | FolderSet:
        """``train``, ``calibration`` or ``test``: in memory up to 2 GB, else read batch by batch; the same values.

        Raises:
            ValueError: a file that is not an image, has a mode that 8 bits cannot show, or is broken; names it.
        """
        if name not in SPLITS:
            raise ValueError(f"split is train, calibration or test, got {name!r}")
        if name not in self._splits:
            self._splits[name] = self._rows[name].loaded(self._memory)
        return self._splits[name]


_NOT_IMAGENET = (
    "the {count} class folders of data.root={root} are WordNet ids of ImageNet: data.classes=imagenet reads them as its"
    " 1,000 classes, for networks that have these; now they are {count} classes of their own"
)


class FolderSet(Dataset):
    """Images on disk, decoded when they are asked for."""

    streams = True

    def __init__(
        self,
        class_names: list[str],
        image_size: int,
        files: list[Path],
        masks: Found | None,
        label_N: np.ndarray,
        sample_id_N: np.ndarray,
        boxes: Found | None = None,
        folders: Mapping[int, str] | None = None,
        mask_value: int | None = None,
    ) -> None:
        self.mask_value = mask_value
        self.class_names, self.image_size, self.files, self.masks = class_names, image_size, files, masks
        self.boxes, self.folders = boxes, dict(folders or enumerate(class_names))
        self.has_masks = masks is not None
        self.label_N, self.sample_id_N, self.source_id_N = label_N, sample_id_N, sample_id_N
        self._mask_counts = MaskCounts()

    def __len__(self) -> int:
        return len(self.files)

    @property
    def size_in_memory(self) -> int:
        """Bytes of the decoded images and masks."""
        return len(self) * self.image_size**2 * (4 if self.has_masks else 3)

    def only(self, rows: np.ndarray) -> FolderSet:
        """The subset of these rows."""
        files = [self.files[row] for row in rows]
        masks, boxes = (None if each is None else [each[row] for row in rows] for each in (self.masks, self.boxes))
        ids, names = self.sample_id_N[rows], self.folders
        own = self.label_N[rows], ids, boxes, names, self.mask_value
        return FolderSet(self.class_names, self.image_size, files, masks, *own)

    def loaded(self, memory: FolderMemory) -> ArraySet | FolderSet:
        """In memory up to 2 GB, else itself :meth:`checked`; the same values."""
        return self.in_memory() if self.size_in_memory <= MEMORY else self.checked(memory)

    def checked(self, memory: FolderMemory) -> FolderSet:
        """Itself, once the header of every image, whether it is whole, and every mask have been read, now or before."""
        files = "\n".join(map(str, self.files)).encode("utf-8", "surrogateescape")
        name = f"headers at {self.image_size} px of {len(self)} files {hashlib.sha256(files).hexdigest()}"
        self._mask_counts = MaskCounts(*memory.recall(name, self._check))
        return self

    def _check(self) -> list[int]:
        """Reads every header and mask; how many masks are empty, and how many cover the image."""
        counts = [MaskCounts()] * len(self)

        def check(row: int) -> None:
            check_header(self.files[row])
            if self.masks:
                counts[row] = count_masks([torch.from_numpy(self._mask(row)[None])])
            boxes[row] = len(self._boxes(row))

        boxes = np.zeros(len(self), int)
        _in_threads(check, len(self))
        self._warn_of_boxes(boxes)
        return list(map(sum, zip(*counts, strict=True)))

    def _mask(self, row: int) -> np.ndarray:
        """The mask of one image, (H, W) bool; empty where it has none."""
        file = self.masks[row] if self.masks else None
        empty = np.zeros((self.image_size, self.image_size), bool)
        return empty if file is None else read_mask(file, self.files[row], self.image_size, self.mask_value)

    def _boxes(self, row: int) -> np.ndarray:
        """The boxes of one image's objects, (n, 4)."""
        file = self.boxes[row] if self.boxes else None
        name = self.folders[int(self.label_N[row])]
        return read_boxes(file, self.files[row], (name,), self.image_size) if file else np.zeros((0, 4), np.float32)

    def mask_counts(self) -> MaskCounts:
        """How many masks are empty or cover the image; known once the set is :meth:`checked`."""
        return self._mask_counts

    def in_memory(self) -> ArraySet:
        """The same set, decoded."""
        arrays = self._read(range(len(self)))
        if self.boxes is not None:
            self._warn_of_boxes((~arrays["box"].isnan()).all(-1).sum(1).numpy())
        return ArraySet(self.class_names, arrays)

    def _warn_of_boxes(self, count_N: np.ndarray) -> None:
        """Warns of files of boxes of which none is of the image's class; ``count_N``: the boxes found of each image."""
        lacking = []
        for row, file in enumerate(self.boxes or []):
            if file is not None and not count_N[row]:  # or its box is cut off with the image's edge
                name, called = self.folders[int(self.label_N[row])], object_names(file)
                lacking += [(file, name, called)] if called and name not in called else []
        if lacking:
            file, name, called = lacking[0]
            warn_once(
                f"{len(lacking)} files of boxes have none of their image's class (e.g. {file}: its objects are called "
                f"{', '.join(sorted(called)[:3])}, expected {name}): these images have no measure of the object; "
                "objects have to be called as the class folder"
            )

    def __getitems__(self, indices: list[int]) -> Batch:
        batch = self._read(indices)
        batch["image"] = from_bytes(batch["image"])
        return batch  # type: ignore[return-value]

    def _read(self, rows: range | list[int]) -> dict[str, Tensor]:
        size = self.image_size
        image = np.empty((len(rows), 3, size, size), np.uint8)
        mask = np.empty((len(rows), size, size), bool) if self.has_masks else None

        boxes: list[np.ndarray] = [np.empty(0)] * len(rows)

        def fill(index: int) -> None:
            row = rows[index]
            image[index] = read_image(self.files[row], size).transpose(2, 0, 1)
            if mask is not None:
                mask[index] = self._mask(row)
            if self.boxes is not None:
                boxes[index] = self._boxes(row)

        _in_threads(fill, len(rows))
        chosen = np.asarray(rows)
        arrays = {"image": image, "label": self.label_N[chosen], "sample_id": self.sample_id_N[chosen]}
        arrays["source_id"] = self.source_id_N[chosen]
        if mask is not None:
            arrays["mask"] = mask
        if self.boxes is not None:
            arrays["box"] = padded(boxes)
        return {name: torch.from_numpy(array) for name, array in arrays.items()}


def _in_threads(work: Callable[[int], None], count: int) -> None:
    """Calls ``work(0)`` to ``work(count - 1)`` on a few threads.

    Raises:
        ValueError: what some of them raised, an OSError too, one below the other; after a few no more are begun.
    """
    stride = max(1, min(64, count // (4 * _THREADS)))
    failed: dict[int, Exception] = {}

    def work_from(start: int) -> None:
        for index in range(start, min(start + stride, count)):
            if len(failed) >= _MOST_NAMED:
                return
            try:
                work(index)
            except (ValueError, OSError) as error:
                failed[index] = error

    with ThreadPoolExecutor(_THREADS) as pool:
        for _ in pool.map(work_from, range(0, count, stride)):
            pass
    if not failed:
        return
    first, *others = (failed[index] for index in sorted(failed))
    if not others:
        raise first
    more = (
        "and perhaps there are more, the others were not read"
        if len(failed) >= _MOST_NAMED
        else f"{len(failed)} in all"
    )
    raise ValueError("\n".join(map(str, (first, *others))) + f"\n({more})")
