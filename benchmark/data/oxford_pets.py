"""Oxford-IIIT Pet: photographs of 37 breeds with the animal's outline (Parkhi et al., CVPR 2012), by torchvision."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
from annotated_types import Ge
from torchvision import datasets

from benchmark.data.array_set import ArraySet
from benchmark.data.calibration_split import FIRST_ID, calibration_rows, drawn_order
from benchmark.data.folder_memory import FolderMemory
from benchmark.data.image_folder import FolderSet
from benchmark.numerics.bounds import ImageCount, OpenInterval, Seed, checked_arguments
from benchmark.numerics.expectations import Limit, Says

_FOLDER = "oxford-iiit-pet"
_PET = 1  # in the trimaps, where 2 is the background and 3 the border between them


class OxfordPets:
    """3,680 photographs to train with and 3,669 to test, with object masks: the animal without its border.

    ``calibration_share`` of every breed of train, at least 5 images, becomes the calibration split. Sample ids number
    the images in the order of ``drawn_order``: train and calibration from 0, test from 2e9.

    Args:
        root: folder to download to, or that has oxford-iiit-pet. download: whether missing archives may be downloaded.
        seed: of the order and the calibration split. image_size: side of the centred square.
        train, calibration, test: how many images are used, the first n in that order; None for all.
    Raises:
        OSError: the photographs are not there and cannot be downloaded.
    """

    @checked_arguments
    def __init__(
        self,
        *,
        root: str,
        seed: Seed,
        image_size: Annotated[int, Ge(16), Limit(16_384), Says("a whole number of pixels, at least 16")] = 224,
        download: bool = True,
        calibration_share: OpenInterval = 0.1,
        train: ImageCount | None = None,
        calibration: ImageCount | None = None,
        test: ImageCount | None = None,
    ) -> None:
        counts = {"train": train, "calibration": calibration, "test": test}
        folder = Path(root).expanduser()
        _fetch(folder, download)
        self.class_names = _breeds(folder / _FOLDER)
        self.num_classes, self.image_size = len(self.class_names), image_size
        both = self._numbered(folder / _FOLDER, "trainval", "train", seed)
        chosen = calibration_rows(both.label_N, calibration_share, self.class_names)
        rows = {
            "train": both.only(np.flatnonzero(~chosen)),
            "calibration": both.only(np.flatnonzero(chosen)),
            "test": self._numbered(folder / _FOLDER, "test", "test", seed),
        }
        self._rows = {name: each.only(np.arange(len(each))[: counts[name]]) for name, each in rows.items()}
        self._splits: dict[str, ArraySet | FolderSet] = {}
        self._memory = FolderMemory(folder / _FOLDER, None)

    def _numbered(self, folder: Path, listed: str, split: str, seed: int) -> FolderSet:
        entries = _entries(folder, listed)
        label_N = np.array([label for _, label in entries])
        order = drawn_order(label_N, seed, split)
        names = [entries[row][0] for row in order]
        return FolderSet(
            self.class_names,
            self.image_size,
            [folder / "images" / f"{name}.jpg" for name in names],
            [folder / "annotations" / "trimaps" / f"{name}.png" for name in names],
            label_N[order],
            FIRST_ID[split] + np.arange(len(order)),
            mask_value=_PET,
        )

    def split(self, name: str) -> ArraySet | FolderSet:
        """``train``, ``calibration`` or ``test``."""
        if name not in self._rows:
            raise ValueError(f"split is train, calibration or test, got {name!r}")
        if name not in self._splits:
            self._splits[name] = self._rows[name].loaded(self._memory)
        return self._splits[name]


def _entries(folder: Path, listed: str) -> list[tuple[str, int]]:
    """(name, label) of every image of ``trainval`` or ``test``."""
    lines = (folder / "annotations" / f"{listed}.txt").read_text(encoding="utf-8").splitlines()
    return [(line.split()[0], int(line.split()[1]) - 1) for line in lines if line.strip()]


def _breeds(folder: Path) -> list[str]:
    """Names of the breeds by label, from those of the images: german_shorthaired_12 is of German Shorthaired."""
    name_of = {label: name.rpartition("_")[0] for name, label in _entries(folder, "trainval")}
    return [name_of[label].replace("_", " ").title() for label in sorted(name_of)]


def _fetch(root: Path, download: bool) -> None:
    try:
        datasets.OxfordIIITPet(root, download=download)
    except (OSError, RuntimeError) as error:
        addresses = " and ".join(address for address, _ in datasets.OxfordIIITPet._RESOURCES)
        tried = f"fetching {addresses} failed" if download else "data.download is false"
        raise OSError(
            f"Oxford-IIIT Pet is not in {(root / _FOLDER).resolve()} and {tried} ({error}): unpack both archives there "
            "by hand (images/ and annotations/), or use a folder of your own, data=image_folder data.root=FOLDER"
        ) from None
