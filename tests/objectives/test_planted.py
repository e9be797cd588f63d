"""Active tests: each objective, followed downhill, must find what was planted (Zimmermann et al., 2022)."""

from __future__ import annotations

import pytest
import torch

from benchmark.metrics.map_distance import iou
from benchmark.numerics import rng
from benchmark.objectives.distances import l1
from benchmark.objectives.distillation import anchor_loss, distillation_loss
from benchmark.objectives.evidence import edit, noisy_and_alternative
from benchmark.objectives.rts import MapWeights, map_objective

SIZE = 32
PLACES = [(4, 6), (12, 15), (18, 3), (9, 9)]  # upper left corners of an 8 x 8 square that alone decides
LABELS = torch.tensor([0, 1, 0, 1])


def pictures():
    """Grey noise with a bright (class 0) or dark (class 1) textured square."""
    image = 0.45 + 0.1 * rng.uniform(rng.sample_keys(0, "planted", torch.arange(4)), 3, SIZE, SIZE)
    mask = torch.zeros(4, SIZE, SIZE)
    for row, (top, left) in enumerate(PLACES):
        mask[row, top : top + 8, left : left + 8] = 1
        image[row, :, top : top + 8, left : left + 8] = 0.95 if LABELS[row] == 0 else 0.05
    return image, mask


def classify(image, mask):
    """Two classes by the brightness of the planted square."""
    bright = ((image.mean(1) - 0.5) * mask).flatten(1).sum(1) / 8
    return torch.stack([4 * bright, -4 * bright], 1)


def descended(real):
    image, mask = pictures()
    noisy, alternative = noisy_and_alternative(image, rng.sample_keys(0, "planted evidence", torch.arange(4)), 4.0)
    logit = torch.zeros(4, SIZE, SIZE, requires_grad=True)
    adam = torch.optim.Adam([logit], lr=0.2)
    for _ in range(150):
        map_BHW = logit.sigmoid()
        destroyed = classify(edit(noisy, alternative, 1 - map_BHW), mask)
        preserved = classify(edit(noisy, alternative, map_BHW), mask)
        weights = MapWeights(total_variation=0.005 * 224 / SIZE)
        loss, _ = map_objective(destroyed, preserved, map_BHW, LABELS, torch.full((4,), real), weights)
        adam.zero_grad()
        loss.backward()
        adam.step()
    return logit.sigmoid().detach(), mask


def test_l_map_finds_the_evidence():
    found, mask = descended(real=True)
    assert iou(found, mask).min() > 0.7
    assert found[mask == 0].mean() < 0.05


def test_l_map_of_a_fake_class_is_empty():
    found, _ = descended(real=False)
    assert found.max() < 0.05


@pytest.mark.parametrize("cap", [None, 0.2])
def test_l_aid_finds_the_feature_that_gives_the_attack_away(cap):
    """Maps sigmoid(w0 + w1 a + w2 b), of which a differs between benign and adversarial inputs and b does not."""
    torch.manual_seed(0)
    a, b = torch.randn(8, 6, 6), torch.randn(8, 6, 6)
    benign_features = torch.stack([torch.ones_like(a), a, b], -1)
    probed_features = torch.stack([torch.ones_like(a), -a, b], -1)
    weight = torch.tensor([0.0, 0.01, 0.01], requires_grad=True)
    start = (benign_features @ weight).sigmoid().detach()
    adam = torch.optim.Adam([weight], lr=0.05)
    for _ in range(200):
        benign, probed = ((features @ weight).sigmoid() for features in (benign_features, probed_features))
        distance = l1(benign, probed)
        loss = distillation_loss(distance, torch.ones(8, dtype=torch.bool), cap)
        if cap is not None:
            loss = loss + 0.1 * anchor_loss(benign, start)
        adam.zero_grad()
        loss.backward()
        adam.step()
    assert weight[1].abs() > 10 * weight[2].abs()
    if cap is None:
        assert distance.mean() > 0.5, "unbounded: as far as it goes"
    else:
        assert distance.min().item() == pytest.approx(cap, abs=0.05), "no further than until the last has reached it"
        assert distance.mean() < 0.4
