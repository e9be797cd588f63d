"""An image set that lies in memory."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.utils.data import Dataset

from benchmark.tensors import from_bytes
from benchmark.types import Batch


class ArraySet(Dataset):
    """Images uint8 (N, 3, H, W) with label, sample_id, source_id (N,) and, where there are, masks (N, H, W)."""

    def __init__(self, class_names: list[str], arrays: Mapping[str, Tensor]) -> None:
        self.class_names, self.arrays = class_names, dict(arrays)
        self.has_masks = "mask" in self.arrays
        self.label_N = self.arrays["label"].numpy()
        self.sample_id_N = self.arrays["sample_id"].numpy()
        self.source_id_N = self.arrays["source_id"].numpy()

    def __len__(self) -> int:
        return len(self.label_N)

    def __getitems__(self, indices: list[int]) -> Batch:
        rows = torch.as_tensor(indices)
        batch = {name: array[rows] for name, array in self.arrays.items()}
        batch["image"] = from_bytes(batch["image"])
        return batch  # type: ignore[return-value]
