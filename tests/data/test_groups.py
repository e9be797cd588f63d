"""Fixed groups, shuffled epochs, and the check of labels."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from benchmark.data.array_set import ArraySet
from benchmark.data.epoch_loader import epoch_loader
from benchmark.data.groups import FixedGroups, check_labels


def image_set(count: int = 10, labels: list[int] | None = None) -> ArraySet:
    """Sample ids fall while rows rise; every image is filled with its row number."""
    rows = torch.arange(count)
    arrays = {
        "image": rows.to(torch.uint8)[:, None, None, None].expand(count, 3, 4, 4).contiguous(),
        "label": rows % 2 if labels is None else torch.tensor(labels),
        "sample_id": 1000 - rows,
        "source_id": rows,
    }
    return ArraySet(["even", "odd"], arrays)


def test_a_batch_is_fetched_at_once_in_the_order_asked_for():
    batch = image_set().__getitems__([7, 2, 7])
    assert (batch["image"][:, 0, 0, 0] * 255).round().tolist() == [7, 2, 7]
    assert batch["image"].dtype == torch.float32 and batch["label"].tolist() == [1, 0, 1]
    assert batch["sample_id"].tolist() == [993, 998, 993] and "mask" not in batch


def test_groups_come_by_sample_id_and_the_last_holds_what_is_left():
    groups = FixedGroups(image_set(), [9, 0, 4, 5, 2, 7, 3], batch_size=4)
    batches = list(groups)
    assert len(groups) == len(batches) == 2
    assert batches[0]["source_id"].tolist() == [9, 7, 5, 4]
    assert batches[1]["source_id"].tolist() == [3, 2, 0] and batches[1]["image"].shape == (3, 3, 4, 4)


def test_groups_do_not_depend_on_the_order_of_their_rows():
    rows = np.random.default_rng(0).permutation(10)
    for ours, theirs in zip(FixedGroups(image_set(), rows, 3), FixedGroups(image_set(), range(10), 3), strict=True):
        assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_no_rows_make_no_groups_and_no_size_is_refused():
    assert list(FixedGroups(image_set(), [], 3)) == []
    with pytest.raises(ValueError, match="at least one sample, got batch_size 0"):
        FixedGroups(image_set(), [0], 0)


def epoch(loader, number: int) -> list[int]:
    loader.batch_sampler.set_epoch(number)
    return [row for batch in loader for row in batch["source_id"].tolist()]


def test_an_epoch_holds_every_row_once_in_an_order_of_seed_and_epoch():
    loader, same, other = (epoch_loader(image_set(12), 4, seed=seed) for seed in (0, 0, 1))
    orders = [epoch(loader, 0), epoch(loader, 1), epoch(other, 0)]
    assert all(sorted(order) == list(range(12)) for order in orders)
    assert len({tuple(order) for order in [*orders, list(range(12))]}) == 4
    assert epoch(same, 1) == orders[1] and epoch(loader, 0) == orders[0]


def test_only_whole_batches_are_trained_on_and_other_rows_are_left_out_each_epoch():
    loader = epoch_loader(image_set(10), 4, seed=0)
    assert len(loader) == 2 and [len(batch["label"]) for batch in loader] == [4, 4]
    missing = [set(range(10)) - set(epoch(loader, number)) for number in range(60)]
    assert set.union(*missing) == set(range(10))


def test_a_set_smaller_than_a_batch_is_one_batch():
    loader = epoch_loader(image_set(3), 8, seed=0)
    assert len(loader) == 1 and sorted(epoch(loader, 0)) == [0, 1, 2]


def test_workers_change_nothing():
    alone, helped = epoch_loader(image_set(12), 4, seed=0), epoch_loader(image_set(12), 4, seed=0, num_workers=1)
    assert epoch(alone, 3) == epoch(helped, 3)


def test_labels_are_checked():
    check_labels(image_set(4, [0, 2, 1, 0]), 3)
    with pytest.raises(ValueError, match=r"labels must lie in \[0, 2\), sample 999 has 2: correct"):
        check_labels(image_set(4, [0, 2, 1, 0]), 2)
    with pytest.raises(ValueError, match="sample 1000 has -1"):
        check_labels(image_set(2, [-1, 0]), 2)
    with pytest.raises(ValueError, match=r"split without a single image: check data.root"):
        check_labels(image_set(0), 2)
