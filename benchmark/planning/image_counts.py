"""How many images a split has, told from the configuration and the names of files alone."""

from __future__ import annotations

from functools import cache
from typing import Any

from benchmark.configuration.specs import Config

# Images of torchvision's sets, (train, test), by their names there.
_KNOWN = {
    "CIFAR10": (50_000, 10_000),
    "CIFAR100": (50_000, 10_000),
    "SVHN": (73_257, 26_032),
    "STL10": (5_000, 8_000),
    "Imagenette": (9_469, 3_925),
}


def image_count(config: Config, split: str) -> int | None:
    """Images of a split, as far as that is known without loading it; None where it is not."""
    group = config["data"]
    wanted, there = group.get(split), _there(group, split)
    counts = [count for count in (wanted, there) if count is not None]
    return min(counts) if counts else None


def _there(group: dict[str, Any], split: str) -> int | None:
    share = float(group.get("calibration_share") or 0)
    if (name := group.get("dataset") or group["_target_"].rpartition(".")[2]) in _KNOWN:
        train, test = _KNOWN[name]
        calibration = round(share * train)
    elif group.get("fingerprint"):
        _, found = _listing(group)
        train, test = found["train"], found["test"]
        calibration = found.get("calibration", round(share * train))
        train -= 0 if "calibration" in found else calibration
        return {"train": train, "calibration": calibration, "test": test}[split]
    else:
        return None
    return {"train": train - calibration, "calibration": calibration, "test": test}[split]


def _listing(group: dict[str, Any]) -> tuple[int, dict[str, int]]:
    return _folder(str(group["root"]), str(group.get("test_folder", "test")), group.get("val_labels"), _imagenet(group))


@cache
def _folder(root: str, test: str, labels: str | None, imagenet: bool) -> tuple[int, dict[str, int]]:
    """The number of classes, and of files in each split."""
    from benchmark.data.folder_index import existing, listing
    from benchmark.data.folder_layout import Layout

    layout = Layout(test, labels, imagenet)
    names, found = listing(existing(root, layout), layout)
    return len(names), {split: len(files) for split, files in found.items()}


def _imagenet(group: dict[str, Any]) -> bool:
    return group.get("classes") == "imagenet"


def class_count(config: Config) -> int:
    """Classes of the data set, for networks that are timed without it: as many as there are, else 10."""
    group = config["data"]
    if _imagenet(group) or group["_target_"].endswith(".Imagenette"):
        return 1000
    if group.get("fingerprint"):
        return _listing(group)[0]
    return 100 if group.get("dataset") == "CIFAR100" else 10


def image_size(config: Config) -> int:
    """Side of the images in pixels."""
    return int(config["data"].get("image_size") or {"STL10": 96}.get(config["data"].get("dataset"), 32))
