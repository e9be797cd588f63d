"""Measures of the object against hand-made cases and plain loops."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from benchmark.metrics.map_shape import entropy
from benchmark.metrics.object_evidence import (
    BOX_THRESHOLDS,
    box_iou,
    box_iou_by_threshold,
    energy_in_object,
    map_box,
    pointing_game,
    region_of_boxes,
)
from benchmark.numerics.images import at_image_size
from benchmark.pipeline.artefacts.benign_spread import fitting_threshold

NAN = float("nan")


def boxes(*rows):
    return torch.tensor(rows, dtype=torch.float32)


def test_the_region_of_boxes_by_a_loop():
    torch.manual_seed(0)
    corner, side = torch.rand(5, 3, 2) * 12, torch.rand(5, 3, 2) * 8
    box = torch.cat([corner, corner + side], -1)
    box[2, 1:] = NAN
    box[4] = NAN
    region = region_of_boxes(box, (10, 14))
    for sample in range(5):
        for row in range(10):
            for column in range(14):
                inside = any(
                    left <= column + 0.5 < right and top <= row + 0.5 < bottom
                    for left, top, right, bottom in box[sample].tolist()
                )
                assert bool(region[sample, row, column]) == inside
    assert not region[4].any()


def test_pointing_game_and_energy_by_a_loop():
    torch.manual_seed(0)
    maps, region = torch.rand(20, 6, 5), torch.rand(20, 12, 10) < 0.3
    region[3] = False
    hit, energy = pointing_game(maps, region), energy_in_object(maps, region)
    large = at_image_size(maps, (12, 10)).numpy()
    for sample in range(20):
        if sample == 3:
            assert math.isnan(hit[3]) and math.isnan(energy[3])
            continue
        best, total, inside = (0, 0), 0.0, 0.0
        for row in range(12):
            for column in range(10):
                value = large[sample, row, column]
                total += value
                inside += value * bool(region[sample, row, column])
                if value > large[sample][best]:
                    best = row, column
        assert hit[sample] == float(region[sample][best])
        assert energy[sample] == pytest.approx(inside / total, abs=1e-6)


def test_pointing_game_and_energy_by_hand():
    maps = torch.zeros(3, 4, 4)
    maps[0, 1, 1], maps[0, 2, 2] = 0.75, 0.25  # the largest value on the object, three quarters of the sum
    maps[1, 0, 0], maps[1, 3, 3] = 1.0, 1.0  # two largest, one of them on the object
    region = torch.zeros(3, 4, 4, dtype=torch.bool)
    region[0, 1, 1] = region[1, 0, 0] = region[2, 0, 0] = True
    assert pointing_game(maps, region)[:2].tolist() == [1.0, 0.5]
    assert energy_in_object(maps, region)[:2].tolist() == [0.75, 0.5]
    assert math.isnan(energy_in_object(maps, region)[2])  # zero everywhere


def test_the_box_of_a_map_is_that_of_its_largest_region():
    plain = np.zeros((8, 8), np.float32)
    plain[1:3, 1:3] = 1.0  # four pixels, the strongest
    plain[4:7, 3:8] = 0.6  # fifteen
    assert map_box(plain, 0.5) == (3, 4, 8, 7)
    assert map_box(plain, 0.7) == (1, 1, 3, 3)
    plain[3, 3] = 0.6  # joins both by a corner
    assert map_box(plain, 0.5) == (1, 1, 8, 7)
    assert map_box(plain + 5, 0.5) == (1, 1, 8, 7)  # a share of the range, not of the value


def test_box_iou_by_hand():
    maps = torch.zeros(4, 8, 8)
    maps[:, 2:6, 2:6] = 1.0
    none = [NAN] * 4
    box = torch.stack(
        [
            boxes([2, 2, 6, 6], none),  # exact
            boxes([2, 2, 6, 4], [100, 100, 110, 110]),  # half of it, and one elsewhere
            boxes(none, none),  # not known
            boxes([6, 6, 8, 8], none),  # beside it
        ]
    )
    found = box_iou(maps, box, (8, 8), 0.5)
    assert found[:2].tolist() == [1.0, 0.5] and math.isnan(found[2]) and found[3] == 0


def test_the_threshold_that_fits_the_boxes_is_found():
    """A bright core on a wide slope: the box of the core fits at high thresholds only."""
    distance = (torch.arange(32) - 15.5).abs()
    slope = (1 - torch.maximum(distance[:, None], distance[None]) / 16).clamp(min=0)[None].repeat(3, 1, 1)
    wanted = BOX_THRESHOLDS[13]
    box = boxes(map_box(slope[0].numpy(), wanted))[None].repeat(3, 1, 1)
    box[2] = NAN
    found = fitting_threshold(
        [box_iou_by_threshold(slope[:1], box[:1], (32, 32)), box_iou_by_threshold(slope[1:], box[1:], (32, 32))]
    )
    assert found["n_boxes"] == 2
    assert map_box(slope[0].numpy(), found["box_threshold"]) == map_box(slope[0].numpy(), wanted)
    assert fitting_threshold([]) == fitting_threshold([torch.full((19, 2), NAN)]) == {}


def test_entropy_by_scipy_and_by_hand():
    from scipy.stats import entropy as reference

    maps = torch.rand(6, 5, 7, generator=torch.Generator().manual_seed(0))
    for value, each in zip(entropy(maps), maps, strict=True):
        assert value == pytest.approx(reference(each.flatten().double()) / math.log(35), abs=1e-5)
    one = torch.zeros(1, 4, 4)
    assert math.isnan(entropy(one)[0])
    one[0, 2, 3] = 0.3
    assert entropy(one)[0] == 0 and entropy(torch.full((1, 4, 4), 0.2))[0] == pytest.approx(1, abs=1e-6)
