"""Deletion and insertion recover a known ranking, and equal a loop over pixels."""

from __future__ import annotations

import numpy as np
import torch

from benchmark.metrics.faithfulness import STEPS, deletion_and_insertion
from benchmark.objectives.evidence import gaussian_blur


def brightness(image):
    """Class 1 is as likely as a small bright square is bright."""
    square = image[:, :, 4:8, 4:8].mean(dim=(1, 2, 3))
    return torch.stack([torch.zeros_like(square), 8 * square - 3], 1)


def planted():
    image = torch.zeros(3, 3, 12, 12)
    image[:, :, 4:8, 4:8] = 1.0
    truth = torch.zeros(12, 12)
    truth[4:8, 4:8] = 1.0
    noise = torch.rand(12, 12, generator=torch.Generator().manual_seed(0))
    return image, torch.stack([truth, noise, 1 - truth])


def test_the_true_map_beats_noise_and_noise_beats_the_inverse():
    image, attribution = planted()
    deletion, insertion = deletion_and_insertion(brightness, image, torch.ones(3).long(), attribution, 1.0)
    assert deletion[0] < deletion[1] < deletion[2]
    assert insertion[0] > insertion[1] > insertion[2]


def test_equals_a_loop_over_steps():
    image, attribution = planted()
    base = gaussian_blur(image, 1.0)
    expected = []
    for sample in range(3):
        order = np.argsort(-attribution[sample].numpy().ravel(), kind="stable")
        curve = []
        for step in range(STEPS + 1):
            current = image[sample].reshape(3, -1).clone()
            chosen = order[: round(step * 144 / STEPS)].copy()
            current[:, chosen] = base[sample].reshape(3, -1)[:, chosen]
            curve.append(brightness(current.view(1, 3, 12, 12)).softmax(1)[0, 1].item())
        expected.append(np.trapezoid(curve, dx=1 / STEPS))
    deletion, _ = deletion_and_insertion(brightness, image, torch.ones(3).long(), attribution, 1.0)
    np.testing.assert_allclose(deletion, expected, rtol=1e-5)
