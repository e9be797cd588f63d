"""The metrics as classes: their examples, their means over batches, and their ranges."""

from __future__ import annotations

import doctest

import pytest
import torch

import benchmark
from benchmark.api import map_metrics
from benchmark.metrics import map_distance

METRICS = {
    benchmark.MapL1: map_distance.l1,
    benchmark.MapL2: map_distance.l2,
    benchmark.MapIoU: map_distance.iou,
    benchmark.MapTopIoU: map_distance.topq_iou,
    benchmark.MapSpearman: map_distance.spearman,
    benchmark.MapShift: map_distance.centre_shift,
}


def test_examples():
    result = doctest.testmod(map_metrics)
    assert result.failed == 0 and result.attempted >= 20


@pytest.mark.parametrize("kind", METRICS)
def test_batches_are_joined_and_better_means_the_same_map(kind):
    first, second = torch.rand(2, 10, 6, 6, generator=torch.Generator().manual_seed(0))
    metric = kind()
    metric.update(first[:3], second[:3])
    metric.update(first[3:], second[3:])
    torch.testing.assert_close(metric.compute(), METRICS[kind](first, second).mean().float())
    same = kind()(first, first)
    assert same >= metric.compute() if kind.higher_is_better else same <= metric.compute()
    assert metric.lowest <= metric.compute() <= metric.highest
    metric.reset()
    with pytest.warns(UserWarning, match="before the ``update`` method"):
        assert torch.isnan(metric.compute())


def test_samples_without_a_value_are_left_out():
    first = torch.rand(2, 4, 4, generator=torch.Generator().manual_seed(0))
    first[1] = 0.5
    assert benchmark.MapSpearman()(first, 1 - first) == -1
    with pytest.raises(ValueError, match="of one shape"):
        benchmark.MapL1()(first, first[:, :2])
    with pytest.raises(ValueError, match=r"must lie in \[0, 1\]"):
        benchmark.MapL1()(first + 1, first)
    with pytest.raises(ValueError, match="threshold"):
        benchmark.MapIoU(threshold=0.0)
