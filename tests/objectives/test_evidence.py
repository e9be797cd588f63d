"""Phi: blur against scipy, the alternative's two forms, and the mix."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage

from benchmark.numerics import rng
from benchmark.objectives import evidence


@pytest.mark.parametrize("sigma", [1.0, 2.3])
def test_blur_equals_scipy(sigma):
    image = np.random.default_rng(0).random((2, 3, 20, 24))
    radius = int(np.ceil(2.5 * sigma))
    expected = ndimage.gaussian_filter(image, (0, 0, sigma, sigma), mode="mirror", truncate=radius / sigma)
    blurred = evidence.gaussian_blur(torch.tensor(image), sigma).numpy()
    np.testing.assert_allclose(blurred, expected, atol=1e-12)


def test_a_blur_wider_than_the_image_is_refused():
    with pytest.raises(ValueError, match=r"interpreter\.blur"):
        evidence.gaussian_blur(torch.zeros(1, 3, 8, 8), 4.0)


def test_alternative_is_blur_or_flat_colour_half_of_the_time_each():
    image = torch.zeros(400, 3, 16, 16)
    image[:, :, 8:] = 1.0
    keys = rng.sample_keys(0, "evidence", torch.arange(400))
    noisy, alternative = evidence.noisy_and_alternative(image, keys, 1.0)
    assert (noisy - image).abs().max() < 0.1 and noisy.min() >= 0 and noisy.max() <= 1
    step = alternative[:, :, 12:].mean(dim=(1, 2, 3)) - alternative[:, :, :4].mean(dim=(1, 2, 3))
    blurred = step > 0.5
    assert 0.4 < blurred.float().mean() < 0.6
    flat = alternative[~blurred]
    channel_means = flat.mean(dim=(2, 3))
    assert channel_means.min() > 0.5 - 0.165 - 0.02 and channel_means.max() < 0.5 + 0.165 + 0.02
    assert channel_means.std() == pytest.approx(0.33 / 12**0.5, abs=0.01)
    assert (flat - channel_means[:, :, None, None]).std() == pytest.approx(0.055, abs=0.002)


def test_edit_mixes_and_sends_its_gradient_through_the_map_alone():
    image, other = torch.full((1, 3, 2, 2), 0.8), torch.full((1, 3, 2, 2), 0.2)
    attribution = torch.tensor([[[0.0, 1.0], [0.5, 0.25]]], requires_grad=True)
    mixed = evidence.edit(image, other, attribution)
    torch.testing.assert_close(mixed[0, 0], torch.tensor([[0.2, 0.8], [0.5, 0.35]]))
    mixed.sum().backward()
    torch.testing.assert_close(attribution.grad, torch.full((1, 2, 2), 1.8))
