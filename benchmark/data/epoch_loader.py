"""Shuffled batches for training: an order drawn from (seed, epoch), shared out over the processes of a run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch.utils.data import DataLoader, Sampler

from benchmark.data.prefetch import prefetched
from benchmark.numerics import rng
from benchmark.processes import ranks


class EpochSampler(Sampler[list[int]]):
    """Whole batches of rows in an order drawn from (seed, epoch); Lightning sets the epoch.

    The last, smaller batch is left out unless the set is smaller than one batch. Of every batch the processes of a
    distributed run have equal shares.

    Raises:
        ValueError: the batch cannot be shared out equally.
    """

    def __init__(self, count: int, batch_size: int, seed: int) -> None:
        self.count, self.batch_size, self.seed, self.epoch = count, min(batch_size, count), seed, 0
        self.skipped = 0  # batches at the beginning of the next epoch that are left out
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
        first, self.skipped = self.skipped, 0
        for index in range(first, len(self)):
            yield order[index * self.batch_size : (index + 1) * self.batch_size][ranks.rank() :: ranks.world_size()]


def _as_it_is(batch: Any) -> Any:
    return batch


class EpochLoader(DataLoader):
    """Shuffled batches; those of a set on disk are read ahead."""

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        batches = super().__iter__()
        return prefetched(batches) if getattr(self.dataset, "streams", False) else batches

    def begin_after(self, batches: int) -> None:
        """The next epoch begins after so many of its batches: a training that was cut off there goes on."""
        self.batch_sampler.skipped = batches  # type: ignore[union-attr]


def epoch_loader(image_set: Any, batch_size: int, *, seed: int, num_workers: int = 0) -> EpochLoader:
    """A loader of shuffled batches, each fetched from the set at once."""
    sampler = EpochSampler(len(image_set), batch_size, seed)
    return EpochLoader(image_set, batch_sampler=sampler, collate_fn=_as_it_is, num_workers=num_workers)
