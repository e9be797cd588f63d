"""Batches of an image set: shuffled by seed and epoch for training, in fixed groups for everything else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Protocol

import numpy as np
import torch
from torch.utils.data import DataLoader, Sampler

from benchmark.numerics import rng
from benchmark.processes import ranks
from benchmark.types import Batch, ImageSet


class FixedGroups:
    """Groups of exactly ``batch_size`` samples in sample-id order, so that no result depends on how they are met.

    The last group is filled up by repeating its own samples; ``real`` (B,) bool marks the others.

    Args:
        rows: of ``image_set``, in any order.
    """

    def __init__(self, image_set: ImageSet, rows: Iterable[int], batch_size: int) -> None:
        if batch_size < 1:
            raise ValueError(f"a group holds at least one sample, got batch_size {batch_size}")
        chosen = np.fromiter(rows, dtype=np.int64)
        self.image_set, self.batch_size = image_set, batch_size
        self.rows = chosen[np.argsort(image_set.sample_id_N[chosen], kind="stable")]

    def __len__(self) -> int:
        return -(-len(self.rows) // self.batch_size)

    def __getitem__(self, number: int) -> Batch:
        own = self.rows[number * self.batch_size : (number + 1) * self.batch_size]
        if not len(own):
            raise IndexError(number)
        batch = self.image_set.__getitems__(np.resize(own, self.batch_size).tolist())
        return {**batch, "valid": torch.arange(self.batch_size) < len(own)}

    def __iter__(self) -> Iterator[Batch]:
        return (self[number] for number in range(len(self)))


class Groups(Protocol):
    """Batches by number, each always the same."""

    def __len__(self) -> int: ...

    def __getitem__(self, number: int) -> Batch: ...


class GroupSubset:
    """Those groups whose numbers are given; ``share`` takes what falls to this process of a distributed run."""

    def __init__(self, groups: Groups, numbers: Iterable[int]) -> None:
        self.groups, self.numbers = groups, list(numbers)

    @classmethod
    def for_rank(cls, groups: Groups, numbers: Iterable[int] | None = None) -> GroupSubset:
        """Whole groups, dealt out in turn: no sample is met twice, and none in other company than in one process."""
        chosen = list(range(len(groups)) if numbers is None else numbers)
        return cls(groups, chosen[ranks.rank() :: ranks.world_size()])

    def __len__(self) -> int:
        return len(self.numbers)

    def __iter__(self) -> Iterator[Batch]:
        return (self.groups[number] for number in self.numbers)


class EpochSampler(Sampler[list[int]]):
    """Whole batches of rows in an order drawn from (seed, epoch); Lightning sets the epoch.

    The last, smaller batch is left out unless the set is smaller than one batch. Of every batch the processes of a
    distributed run have equal shares.

    Raises:
        ValueError: the batch cannot be shared out equally.
    """

    def __init__(self, count: int, batch_size: int, seed: int) -> None:
        self.count, self.batch_size, self.seed, self.epoch = count, min(batch_size, count), seed, 0
        if self.batch_size % ranks.world_size():
            raise ValueError(
                f"a batch of {self.batch_size} cannot be shared out equally to {ranks.world_size()} processes: choose "
                "a batch size that is a multiple of trainer.devices"
            )

    @property
    def sampler(self) -> EpochSampler:
        """Lightning sets the epoch of a batch sampler's ``sampler``: here they are one."""
        return self

    def set_epoch(self, epoch: int) -> None:
        """The epoch whose order comes next."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.count // self.batch_size

    def __iter__(self) -> Iterator[list[int]]:
        order = rng.permutation(self.seed, "order", self.count, self.epoch).tolist()
        for index in range(len(self)):
            yield order[index * self.batch_size : (index + 1) * self.batch_size][ranks.rank() :: ranks.world_size()]


def _as_it_is(batch: Any) -> Any:
    return batch


def epoch_loader(image_set: Any, batch_size: int, *, seed: int, num_workers: int = 0) -> DataLoader:
    """A loader of shuffled batches, each fetched from the set at once."""
    sampler = EpochSampler(len(image_set), batch_size, seed)
    return DataLoader(image_set, batch_sampler=sampler, collate_fn=_as_it_is, num_workers=num_workers)


def check_labels(image_set: ImageSet, num_classes: int) -> None:
    """Raises a ValueError for an empty set or a label outside [0, num_classes)."""
    if not len(image_set):
        raise ValueError("the data set has a split without a single image: check data.root and the budget's counts")
    low, high = int(image_set.label_N.min()), int(image_set.label_N.max())
    if low < 0 or high >= num_classes:
        bad = int(np.flatnonzero((image_set.label_N < 0) | (image_set.label_N >= num_classes))[0])
        raise ValueError(
            f"labels must lie in [0, {num_classes}), sample {int(image_set.sample_id_N[bad])} has "
            f"{int(image_set.label_N[bad])}: correct the labels or the number of classes"
        )
