"""Phi: an image with only part of its evidence, as the masking network is trained on (Dabkowski & Gal, 2017)."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmark.numerics import rng

IMAGE_NOISE = 0.015
COLOUR_RANGE = 0.165
COLOUR_NOISE = 0.055


def gaussian_blur(image_BCHW: Tensor, sigma: float) -> Tensor:
    """Centred separable Gaussian blur, ``sigma`` in pixels, kernel 2 ceil(2.5 sigma) + 1, reflect padding."""
    radius = math.ceil(2.5 * sigma)
    height, width = image_BCHW.shape[-2:]
    if radius >= min(height, width):
        raise ValueError(
            f"a blur of sigma {sigma} px needs images larger than {radius} px, got {height}x{width}: "
            "set a smaller interpreter.blur"
        )
    offset = torch.arange(-radius, radius + 1, device=image_BCHW.device, dtype=image_BCHW.dtype)
    kernel = torch.exp(-0.5 * (offset / sigma).square())
    kernel = kernel / kernel.sum()
    channels = image_BCHW.shape[1]
    padded = F.pad(image_BCHW, (radius, radius, radius, radius), mode="reflect")
    rows = F.conv2d(padded, kernel.view(1, 1, -1, 1).expand(channels, 1, -1, 1), groups=channels)
    return F.conv2d(rows, kernel.view(1, 1, 1, -1).expand(channels, 1, 1, -1), groups=channels)


@torch.no_grad()
def noisy_and_alternative(image_BCHW: Tensor, key_B: Tensor, sigma: float) -> tuple[Tensor, Tensor]:
    """The two images that Phi blends: x~ = x + N(0, 0.015^2), and the alternative A.

    A is, with probability 1/2 each, the Gaussian blur of x~ (``sigma`` pixels), or a flat colour 0.5 + U(-0.165,
    0.165) per channel with noise N(0, 0.055^2). Both are clamped to [0, 1].
    """
    shape = image_BCHW.shape[1:]
    noisy = image_BCHW + IMAGE_NOISE * rng.normal(key_B, *shape)
    choice = rng.uniform(key_B ^ 1, shape[0] + 1)
    colour = 0.5 + COLOUR_RANGE * (2 * choice[:, 1:, None, None] - 1)
    flat = colour + COLOUR_NOISE * rng.normal(key_B ^ 2, *shape)
    blurred = gaussian_blur(noisy, sigma)
    alternative = torch.where(choice[:, 0, None, None, None] < 0.5, blurred, flat)
    return noisy.clamp(0, 1), alternative.clamp(0, 1)


def edit(image_BCHW: Tensor, alternative_BCHW: Tensor, map_BHW: Tensor) -> Tensor:
    """Phi(x, m) = m x~ + (1 - m) A; the gradient goes through m only."""
    keep = map_BHW[:, None]
    return keep * image_BCHW + (1 - keep) * alternative_BCHW
