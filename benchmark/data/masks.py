"""Object masks that say nothing: missing and empty ones, and ones that are the object everywhere."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Protocol, runtime_checkable

from torch import Tensor


class MaskCounts(NamedTuple):
    """How many masks of a set are empty or missing, and how many cover the whole image."""

    empty: int = 0
    full: int = 0


@runtime_checkable
class CountsMasks(Protocol):
    """An image set that knows these numbers."""

    def mask_counts(self) -> MaskCounts:
        """All zero where there are no masks."""
        ...


def count_masks(parts: Iterable[Tensor]) -> MaskCounts:
    """Counts over masks that come in parts of shape (N, H, W), not zero on the object."""
    empty = full = 0
    for mask_NHW in parts:
        covered_NP = mask_NHW.flatten(1) != 0
        empty += int((~covered_NP.any(1)).sum())
        full += int(covered_NP.all(1).sum())
    return MaskCounts(empty, full)
