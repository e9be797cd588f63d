"""Phi: an image with only part of its evidence, as the masking network is trained on (Dabkowski & Gal, 2017)."""

from __future__ import annotations

import math

import torch
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
    offset = torch.arange(-radius, radius + 1, device=image_BCHW.device)
    kernel = torch.exp(-0.5 * (offset.to(image_BCHW.dtype) / sigma).square())
    kernel = kernel / kernel.sum()
    rows, columns = (_blur_matrix(side, offset, kernel) for side in (height, width))
    return ((image_BCHW @ columns.T).mT @ rows.T).mT.contiguous()  # dense products are faster than depthwise kernels


def _blur_matrix(side: int, offset: Tensor, kernel: Tensor) -> Tensor:
    """(side, side): row i holds the kernel around i, what reaches over the edges mirrored at the outermost pixels."""
    pixel = torch.arange(side, device=offset.device)
    last = side - 1
    mirrored = last - (last - (pixel[:, None] + offset).abs()).abs()
    return ((mirrored[:, :, None] == pixel) * kernel[:, None]).sum(1)


@torch.no_grad()
def noisy_and_alternative(image_BCHW: Tensor, key_B: Tensor, sigma: float) -> tuple[Tensor, Tensor]:
    """The two images that Phi blends: x~ = x + N(0, 0.015^2), and the alternative A.

    A is, with probability 1/2 each, the Gaussian blur of x~ (``sigma`` pixels), or a flat colour 0.5 + U(-0.165,
    0.165) per channel with noise N(0, 0.055^2). Both are clamped to [0, 1].
    """
    shape = image_BCHW.shape[1:]
    noisy = image_BCHW + IMAGE_NOISE * rng.normal(key_B, *shape)
    choice = rng.uniform(key_B ^ 1, shape[0] + 1)
    flat_B = choice[:, 0] >= 0.5
    colour = 0.5 + COLOUR_RANGE * (2 * choice[flat_B, 1:, None, None] - 1)
    alternative = torch.empty_like(noisy)
    noise = COLOUR_NOISE * rng.normal(key_B[flat_B] ^ 2, *shape)
    alternative[flat_B] = (colour + noise).to(noisy.dtype)
    alternative[~flat_B] = gaussian_blur(noisy[~flat_B], sigma)
    return noisy.clamp(0, 1), alternative.clamp(0, 1)


def edit(image_BCHW: Tensor, alternative_BCHW: Tensor, map_BHW: Tensor) -> Tensor:
    """Phi(x, m) = m x~ + (1 - m) A; the gradient goes through m only."""
    return torch.lerp(alternative_BCHW, image_BCHW, map_BHW[:, None])
