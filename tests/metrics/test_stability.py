"""Harmless distances of maps, against cases solved by hand."""

from __future__ import annotations

import pytest
import torch

from benchmark.metrics.stability import noise_distance, shifted_distance
from benchmark.pipeline.artefacts.benign_spread import quantiles
from benchmark.types import Explanation

SIZE = 6


def brightness(image_BCHW, class_B=None):
    return image_BCHW.mean(1)


class ByBrightness:
    """Its map is the brightness, and so is its decision."""

    def explain(self, image_BCHW, class_B):
        return Explanation(bright_or_dark(image_BCHW), brightness(image_BCHW))


def columns_of_a_tenth(image_BCHW, class_B):
    """0, 0.1, 0.2, ... from left to right, whatever the image."""
    return (torch.arange(SIZE) / 10).expand(len(image_BCHW), SIZE, SIZE)


def bright_or_dark(image_BCHW):
    mean_B = image_BCHW.flatten(1).mean(1)
    return torch.stack([0.5 - mean_B, mean_B - 0.5], 1)


def flat(*values: float) -> torch.Tensor:
    return torch.tensor(values)[:, None, None, None].expand(-1, 3, SIZE, SIZE)


def test_noise_moves_the_map_by_its_own_size_and_counts_only_where_it_keeps_the_prediction():
    image, class_B = flat(0.1, 0.4, 0.7), torch.tensor([0, 0, 1])
    noisy = image + 0.25  # 0.35 stays dark, 0.65 does not, 0.95 stays bright
    distance = noise_distance(ByBrightness(), noisy, class_B, brightness(image))
    assert distance[[0, 2]].tolist() == pytest.approx([0.25, 0.25])
    assert distance.isnan().tolist() == [False, True, False]


def test_a_map_that_moves_with_the_image_has_no_shift_and_one_that_stays_has_the_slope():
    draw = torch.Generator().manual_seed(0)
    image, class_B = torch.rand(2, 3, SIZE, SIZE, generator=draw), torch.zeros(2, dtype=torch.long)
    assert shifted_distance(brightness, image, class_B, brightness(image)).max() < 1e-6
    still = shifted_distance(columns_of_a_tenth, image, class_B, columns_of_a_tenth(image, class_B))
    assert torch.allclose(still, torch.tensor([0.1, 0.1, 0.0, 0.0])[:, None].expand(4, 2))


def test_the_alarm_s_thresholds_pool_noise_with_the_largest_shift_of_each_sample():
    """Pooled 0, 0.01, ..., 1: 95 and 99 of a hundred steps. The shifts below the largest count in the spread only."""
    noise_N = torch.arange(0, 101, 2) / 100
    largest_N = torch.arange(1, 101, 2) / 100
    shift_SN = torch.stack([largest_N, 0 * largest_N, largest_N / 2, largest_N / 4])
    found = quantiles(noise_N, shift_SN)
    assert found["alarm_threshold_5"] == pytest.approx(0.95)
    assert found["alarm_threshold_1"] == pytest.approx(0.99)
    assert found["noise"] == pytest.approx(0.95)
    by_hand = shift_SN.flatten().sort().values[189:191]  # 0.95 of the way from the first of 200 values to the last
    assert found["shift"] == pytest.approx(float(by_hand[0] + 0.05 * (by_hand[1] - by_hand[0])))
    assert found["spread"] == max(found["noise"], found["shift"])
