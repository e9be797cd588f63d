"""Kept images and maps of some of a record's samples, without reading the others."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from benchmark.storage.paths import tensors_file

if TYPE_CHECKING:
    from benchmark.storage.records import Record


def kept_ids(record: Record) -> list[int]:
    """Ids of the samples whose images the cell kept, in its order."""
    if "images" in vars(record):
        return [int(i) for i in record.images.get("sample_id", ())]
    path = tensors_file(record.folder, "images")
    if not path.exists():
        return []
    from safetensors import safe_open

    with safe_open(path, "np") as file:
        return [int(i) for i in file.get_tensor("sample_id")]


def kept_rows(record: Record, name: str, sample_ids: Sequence[int]) -> dict[str, np.ndarray]:
    """The tensors ``name`` (images or maps) of those of the samples that the cell kept, in the order asked for."""
    if name in vars(record):
        tensors = getattr(record, name)
        rows = _rows(tensors.get("sample_id", np.zeros(0)), sample_ids)
        return {key: values[rows] for key, values in tensors.items()}
    path = tensors_file(record.folder, name)
    if not path.exists():
        return {}
    from safetensors import safe_open

    with safe_open(path, "np") as file:
        ids = file.get_tensor("sample_id")
        rows = _rows(ids, sample_ids)
        found = {"sample_id": ids[rows]}
        for key in set(file.keys()) - {"sample_id"}:
            tensor = file.get_slice(key)
            found[key] = (
                np.stack([tensor[row] for row in rows]) if len(rows) else np.zeros((0, *tensor.get_shape()[1:]))
            )
        return found


def masks_of(records: Iterable[Record], sample_ids: Sequence[int]) -> dict[int, np.ndarray]:
    """The objects' masks, bool (H, W) by sample id, from the first cell that kept some; clean cells keep them."""
    for record in records:
        if record.cell["probe"] == "clean":
            found = kept_rows(record, "images", sample_ids)
            if "mask" in found:
                return {int(i): mask > 0 for i, mask in zip(found["sample_id"], found["mask"], strict=True)}
    return {}


def _rows(ids: np.ndarray, sample_ids: Sequence[int]) -> list[int]:
    place = {int(i): row for row, i in enumerate(ids)}
    return [place[i] for i in sample_ids if i in place]
