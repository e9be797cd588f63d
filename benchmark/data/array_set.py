"""An image set of arrays, in memory or read from a file."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

import torch
from torch import Tensor
from torch.utils.data import Dataset

from benchmark.data.masks import MaskCounts, count_masks
from benchmark.data.row_file import RowFile
from benchmark.numerics.images import from_bytes
from benchmark.types import Batch


class ArraySet(Dataset):
    """Images uint8 (N, 3, H, W) with label, sample_id, source_id (N,) and, where there are, masks (N, H, W)."""

    def __init__(self, class_names: list[str], arrays: Mapping[str, Tensor | RowFile]) -> None:
        self.class_names, self.arrays = class_names, dict(arrays)
        numbers = {name: array for name, array in self.arrays.items() if isinstance(array, Tensor)}
        self.has_masks = "mask" in self.arrays
        self.label_N = numbers["label"].numpy()
        self.sample_id_N = numbers["sample_id"].numpy()
        self.source_id_N = numbers["source_id"].numpy()

    def __len__(self) -> int:
        return len(self.label_N)

    def mask_counts(self) -> MaskCounts:
        """How many masks are empty or cover the image."""
        return self._mask_counts

    @cached_property
    def _mask_counts(self) -> MaskCounts:
        if not self.has_masks:
            return MaskCounts()
        masks = self.arrays["mask"]
        return count_masks(masks[rows] for rows in torch.arange(len(self)).split(1024))

    def __getitems__(self, indices: list[int]) -> Batch:
        rows = torch.as_tensor(indices)
        batch = {name: array[rows] for name, array in self.arrays.items()}
        batch["image"] = from_bytes(batch["image"])
        return batch  # type: ignore[return-value]
