"""Which samples are measured, and the fixed groups in which every result is computed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import torch

from benchmark.data.prefetch import prefetched
from benchmark.processes import ranks
from benchmark.types import Batch, ImageSet


class FixedGroups:
    """Groups of ``batch_size`` samples in sample-id order, so that no result depends on how they are met.

    The last group holds what is left: nothing is computed twice.

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
        return self.image_set.__getitems__(own.tolist())

    @property
    def streams(self) -> bool:
        """Whether batches are read from the disk when they are asked for, so that it pays to read ahead."""
        return bool(getattr(self.image_set, "streams", False))

    def __iter__(self) -> Iterator[Batch]:
        return in_order(self, range(len(self)))


class Groups(Protocol):
    """Batches by number, each always the same."""

    def __len__(self) -> int: ...

    def __getitem__(self, number: int) -> Batch: ...


class GroupSubset:
    """Those groups whose numbers are given; ``for_rank`` takes what falls to this process of a distributed run."""

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
        return in_order(self.groups, self.numbers)


def in_order(groups: Groups, numbers: Iterable[int]) -> Iterator[Batch]:
    """The groups of these numbers; those of a set on disk are read ahead."""
    batches = (groups[number] for number in numbers)
    return prefetched(batches) if getattr(groups, "streams", False) else batches


@dataclass
class Population:
    """Rows of one split in sample-id order, with the classifier's decision on each.

    ``accuracy`` is over the whole split, the rows are those classified right. ``by_class`` has, of every class that the
    split has, (images, those classified right).
    """

    images: ImageSet
    rows: np.ndarray
    prediction: np.ndarray
    accuracy: float
    by_class: Mapping[int, tuple[int, int]] = field(default_factory=dict)

    @property
    def balanced_accuracy(self) -> float:
        """The mean over classes of the share that is classified right: each class weighs the same."""
        return float(np.mean([right / count for count, right in self.by_class.values()]))

    def first(self, count: int | None) -> Population:
        """The first ``count`` rows; all for None."""
        return Population(self.images, self.rows[:count], self.prediction[:count], self.accuracy, self.by_class)

    def among(self, other: Population) -> Population:
        """The rows that another population of the same images has too.

        Raises:
            ValueError: there is none.
        """
        both = np.isin(self.rows, other.rows)
        if not both.any():
            raise ValueError(
                "probe.surrogate and the classifier get no attacked sample both right: train them longer, or attack "
                "more samples (probe.samples)"
            )
        return Population(self.images, self.rows[both], self.prediction[both], self.accuracy, self.by_class)

    def groups(self, batch_size: int) -> WithPrediction:
        """Fixed groups whose batches also hold ``prediction``."""
        return WithPrediction(self, batch_size)


class WithPrediction:
    """Fixed groups of a population, with the benign ``prediction``, the ``group`` and each sample's ``position``."""

    def __init__(self, population: Population, batch_size: int) -> None:
        self.groups = FixedGroups(population.images, population.rows, batch_size)
        ids = population.images.sample_id_N[population.rows]
        self.prediction = dict(zip(ids.tolist(), population.prediction.tolist(), strict=True))

    def __len__(self) -> int:
        return len(self.groups)

    def __getitem__(self, number: int) -> Batch:
        batch = self.groups[number]
        predicted = [self.prediction[sample] for sample in batch["sample_id"].tolist()]
        position = number * self.groups.batch_size + torch.arange(len(predicted))
        return {**batch, "prediction": torch.tensor(predicted), "position": position, "group": torch.tensor(number)}

    @property
    def streams(self) -> bool:
        """As of :class:`FixedGroups`."""
        return self.groups.streams

    def __iter__(self) -> Iterator[Batch]:
        return in_order(self, range(len(self)))


def shown_classes(image_set: ImageSet) -> list[int]:
    """The classes that its images show, ascending: all K of most sets, ten of ImageNet's thousand in a subset of it."""
    classes: list[int] = np.unique(image_set.label_N).tolist()
    return classes


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
