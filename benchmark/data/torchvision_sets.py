"""Small data sets that torchvision downloads and reads."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import torch
from torchvision import datasets

from benchmark.data.array_set import ArraySet
from benchmark.data.calibration_split import FIRST_ID, calibration_rows, drawn_order
from benchmark.numerics.bounds import ImageCount, OpenInterval, Seed, checked_arguments
from benchmark.numerics.expectations import Says
from benchmark.processes.notices import warn_once

# The arguments that select a split of torchvision's class; all of these hold 8-bit images in memory.
_SPLIT_BY = {
    "CIFAR10": lambda split: {"train": split == "train"},
    "CIFAR100": lambda split: {"train": split == "train"},
    "STL10": lambda split: {"split": split},
    "SVHN": lambda split: {"split": split},
}


class TorchvisionSet:
    """CIFAR10, CIFAR100, STL10 or SVHN, in memory.

    ``calibration_share`` of every class of train, at least 5 images, becomes the calibration split. Sample ids number
    the images in the order of ``drawn_order``: train and calibration from 0, test from 2e9. Each image is its own
    source.

    Args:
        dataset: name of the torchvision class. root: folder to read from and download to.
        seed: of the order and the calibration split. download: whether a missing archive may be downloaded.
        train, calibration, test: how many images are used, the first n in that order; None for all.
    Raises:
        ValueError: an unknown data set, or a setting outside its range. OSError: files that are missing and cannot be
            downloaded; names them and their folder.
    """

    @checked_arguments
    def __init__(
        self,
        *,
        dataset: Annotated[
            Literal["CIFAR10", "CIFAR100", "STL10", "SVHN"],
            Says("one of CIFAR10, CIFAR100, STL10, SVHN (for others use data=image_folder)"),
        ],
        root: str,
        seed: Seed,
        calibration_share: OpenInterval = 0.1,
        download: bool = True,
        train: ImageCount | None = None,
        calibration: ImageCount | None = None,
        test: ImageCount | None = None,
    ) -> None:
        counts = {"train": train, "calibration": calibration, "test": test}
        folder = Path(root).expanduser()
        found = {split: _fetched(dataset, folder, download, split) for split in ("train", "test")}
        _warn_of_repeats(dataset, *(_pixels(found[split]) for split in ("train", "test")))
        self.class_names = _class_names(found["train"])
        self.num_classes, self.image_size = len(self.class_names), _pixels(found["train"]).shape[-1]
        order = {split: drawn_order(_labels(source), seed, split) for split, source in found.items()}
        chosen = calibration_rows(_labels(found["train"])[order["train"]], calibration_share, self.class_names)
        positions = {
            "train": np.flatnonzero(~chosen),
            "calibration": np.flatnonzero(chosen),
            "test": np.arange(len(order["test"])),
        }
        self._splits = {}
        for name, position in positions.items():
            origin = "test" if name == "test" else "train"
            kept = position[: counts[name]]
            self._splits[name] = _array_set(
                self.class_names, found[origin], order[origin][kept], FIRST_ID[origin] + kept
            )

    def split(self, name: str) -> ArraySet:
        """``train``, ``calibration`` or ``test``."""
        if name not in self._splits:
            raise ValueError(f"split is train, calibration or test, got {name!r}")
        return self._splits[name]


def _fetched(dataset: str, root: Path, download: bool, split: str) -> Any:
    kind = getattr(datasets, dataset)
    try:
        return kind(root, download=download, **_SPLIT_BY[dataset](split))
    except (OSError, RuntimeError) as error:
        address, file = _archive(kind, split)
        tried = f"fetching {address} failed" if download else "data.download is false"
        raise OSError(
            f"{dataset} is not whole in {root.resolve()} and {tried} ({error}): put {file} there by hand"
            f"{' (torchvision unpacks it with data.download=true)' if file.endswith('.gz') else ''}, "
            "or use data=image_folder data.root=FOLDER"
        ) from None


def _archive(kind: Any, split: str) -> tuple[str, str]:
    """Address and file name of what torchvision downloads."""
    if hasattr(kind, "split_list"):
        return kind.split_list[split][0], kind.split_list[split][1]
    return kind.url, kind.filename


def _warn_of_repeats(dataset: str, train_N3HW: np.ndarray, test_N3HW: np.ndarray) -> None:
    """Warns of test images that are training images too, pixel by pixel."""
    known = {hash(image.tobytes()) for image in train_N3HW}
    if repeated := sum(hash(image.tobytes()) in known for image in test_N3HW):
        warn_once(
            f"{repeated} of {len(test_N3HW)} test images of {dataset} are train images too, pixel by pixel: results on "
            "them say nothing of unseen images"
        )


def _pixels(source: Any) -> np.ndarray:
    """(N, 3, H, W) uint8; the CIFAR classes keep the channels last."""
    return source.data.transpose(0, 3, 1, 2) if source.data.shape[-1] == 3 else source.data


def _labels(source: Any) -> np.ndarray:
    return np.asarray(source.targets if hasattr(source, "targets") else source.labels, dtype=np.int64)


def _class_names(source: Any) -> list[str]:
    """Torchvision's names; the digits of SVHN have none and are numbered."""
    return list(source.classes) if hasattr(source, "classes") else [str(digit) for digit in range(10)]


def _array_set(class_names: list[str], source: Any, rows: np.ndarray, sample_id_N: np.ndarray) -> ArraySet:
    sample_id = torch.from_numpy(sample_id_N)
    arrays = {
        "image": torch.from_numpy(np.ascontiguousarray(_pixels(source)[rows])),
        "label": torch.from_numpy(_labels(source)[rows]),
        "sample_id": sample_id,
        "source_id": sample_id,
    }
    return ArraySet(class_names, arrays)
