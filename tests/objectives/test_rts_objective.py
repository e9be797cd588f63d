"""L_map against loops in plain Python, and cases solved by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from benchmark.objectives import rts
from benchmark.objectives.margin import margin


def loop_margin(logits, label):
    return logits[label] - max(value for index, value in enumerate(logits) if index != label)


def loop_objective(destroyed, preserved, maps, labels, real, weights):
    batch, rows, columns = maps.shape
    destroy = preserve = 0.0
    for b in range(batch):
        gone, kept = loop_margin(destroyed[b], labels[b]), loop_margin(preserved[b], labels[b])
        destroy += max(gone + 5, 0) if real[b] else max(1 - gone, 0)
        preserve += max(1 - kept, 0) if real[b] else max(kept + 1, 0)
    area = sum((value + 5e-4) ** 0.3 for value in maps.ravel()) / maps.size
    variation = 0.0
    for b in range(batch):
        for i in range(rows):
            for j in range(columns):
                if i + 1 < rows:
                    variation += (maps[b, i + 1, j] - maps[b, i, j]) ** 2
                if j + 1 < columns:
                    variation += (maps[b, i, j + 1] - maps[b, i, j]) ** 2
                if i in (0, rows - 1) or j in (0, columns - 1):
                    variation += weights.border * maps[b, i, j] ** 2
    variation /= 2 * batch
    return (
        destroy / batch
        + weights.area * area
        + weights.total_variation * variation
        + weights.preserve * preserve / batch
    )


def test_map_objective_equals_the_loops():
    rng = np.random.default_rng(0)
    destroyed, preserved = rng.normal(0, 4, (6, 5)), rng.normal(0, 4, (6, 5))
    maps, labels = rng.random((6, 7, 9)), rng.integers(0, 5, 6)
    real = np.array([True, False, True, True, False, True])
    weights = rts.MapWeights(area=8.0, total_variation=0.02, preserve=0.3)
    loss, _ = rts.map_objective(
        *(torch.tensor(each) for each in (destroyed, preserved, maps, labels, real)), weights=weights
    )
    assert loss.item() == pytest.approx(loop_objective(destroyed, preserved, maps, labels, real, weights), rel=1e-12)


def test_margin_by_hand():
    logits = torch.tensor([[3.0, 1.0, 2.0], [0.0, 5.0, 7.0]])
    assert margin(logits, torch.tensor([0, 1])).tolist() == [1.0, -2.0]


def test_a_fake_class_wants_an_empty_map_and_the_true_class_to_win():
    confident, lost = torch.tensor([2.0]), torch.tensor([-6.0])
    fake, real = torch.tensor([False]), torch.tensor([True])
    assert rts.destroy_loss(confident, fake) == 0 and rts.destroy_loss(lost, fake) == 7
    assert rts.destroy_loss(confident, real) == 7 and rts.destroy_loss(lost, real) == 0
    assert rts.preserve_loss(confident, real) == 0 and rts.preserve_loss(lost, fake) == 0


def test_total_variation_of_a_single_pixel_by_hand():
    inner, corner = torch.zeros(1, 5, 5), torch.zeros(1, 5, 5)
    inner[0, 2, 2] = corner[0, 0, 0] = 1.0
    assert rts.total_variation(inner, 0.3).item() == pytest.approx(4 / 2)
    assert rts.total_variation(corner, 0.3).item() == pytest.approx((2 + 0.3) / 2)


def test_gradcheck():
    torch.manual_seed(0)
    logits = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    maps = torch.rand(3, 5, 5, dtype=torch.float64).mul(0.9).add(0.05).requires_grad_()
    labels, real = torch.tensor([0, 1, 2]), torch.tensor([True, False, True])

    def loss(destroyed, preserved, attribution):
        return rts.map_objective(destroyed, preserved, attribution, labels, real, rts.MapWeights())[0]

    other = (logits.detach() * 0.5 + 0.1).requires_grad_()
    assert torch.autograd.gradcheck(loss, (logits, other, maps))


def test_negative_weights_are_refused():
    with pytest.raises(ValueError, match="area is a weight, 0 or more"):
        rts.MapWeights(area=-1.0)
