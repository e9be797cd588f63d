"""Images composed of handwritten digits on a natural-looking background, for whole batches at once.

Every random quantity is drawn from the sample's own key, so that a sample does not depend on how many are made.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmark.numerics import rng
from benchmark.numerics.roots import square_root

FRAGMENTS = 4
_LUMA = torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1)


def background(key_B: Tensor, size: int) -> Tensor:
    """Smooth 1/f noise (B, 3, size, size) in [0, 1]: a base colour, a luminance field, weaker colour fields."""
    rows, columns = torch.fft.fftfreq(size)[:, None], torch.fft.rfftfreq(size)[None]
    frequency = square_root(rows**2 + columns**2)
    amplitude = frequency.clamp(min=1 / size) ** -1.9
    amplitude[0, 0] = 0
    spectrum = torch.fft.rfft2(rng.normal(key_B, 4, size, size)) * amplitude
    field = torch.fft.irfft2(spectrum, s=(size, size))
    field = field / field.std(dim=(2, 3), keepdim=True)
    choice = rng.uniform(key_B ^ 1, 5)
    base = 0.25 + 0.5 * choice[:, :1] + 0.24 * (choice[:, 1:4] - 0.5)
    contrast = 0.05 + 0.07 * choice[:, 4:]
    light, colour = field[:, :1], field[:, 1:]
    return (base[..., None, None] + contrast[..., None, None] * (light + 0.35 * colour)).clamp(0.02, 0.98)


def paste(glyph_BHW: Tensor, size: int, extent: Tensor, centre: Tensor, angle: Tensor) -> Tensor:
    """Each glyph in an image (B, size, size).

    Args:
        extent: side of the glyph (B,), in pixels. centre: (x, y), (B, 2) in pixels. angle: in radians (B,).
    """
    scale = size / extent
    offset = 2 * centre / size - 1
    cosine, sine = torch.cos(angle) * scale, torch.sin(angle) * scale
    theta = torch.stack(
        [
            torch.stack([cosine, sine, -cosine * offset[:, 0] - sine * offset[:, 1]], 1),
            torch.stack([-sine, cosine, sine * offset[:, 0] - cosine * offset[:, 1]], 1),
        ],
        1,
    )
    grid = F.affine_grid(theta, [len(glyph_BHW), 1, size, size], align_corners=False)
    return F.grid_sample(glyph_BHW[:, None], grid, align_corners=False)[:, 0]


def ink(value: Tensor) -> Tensor:
    """Opacity of a stroke, in [0, 1], from the scan's grey value: smoothstep from 0.08 to 0.38."""
    opacity = ((value - 0.08) / 0.3).clamp(0, 1)
    return opacity * opacity * (3 - 2 * opacity)


def contrasting(image_B3HW: Tensor, opacity_BHW: Tensor, choice: Tensor) -> Tensor:
    """A colour (B, 3, 1, 1) that differs from the image under the strokes by 0.28 to 0.5 in luminance."""
    weight = opacity_BHW[:, None]
    under = (image_B3HW * weight).sum((2, 3), keepdim=True) / weight.sum((2, 3), keepdim=True).clamp(min=1e-6)
    luma = (under * _LUMA).sum(1, keepdim=True)
    step = 0.28 + 0.22 * choice[:, 0].view(-1, 1, 1, 1)
    dark = torch.where(luma > 0.62, True, torch.where(luma < 0.38, False, choice[:, 1].view(-1, 1, 1, 1) < 0.5))
    target = torch.where(dark, luma - step, luma + step)
    tint = 0.5 * (choice[:, 2:5].view(-1, 3, 1, 1) - 0.5)
    tint = tint - (tint * _LUMA).sum(1, keepdim=True)
    return (target + tint).clamp(0, 1)


def blend(image_B3HW: Tensor, opacity_BHW: Tensor, colour_B3: Tensor) -> Tensor:
    """(1 - opacity) image + opacity colour."""
    weight = opacity_BHW[:, None]
    return image_B3HW * (1 - weight) + colour_B3 * weight


def clutter(image_B3HW: Tensor, key_B: Tensor, fragment_B: Tensor) -> Tensor:
    """Each image with one fragment (a round piece of another digit's stroke) at a random position."""
    size = image_B3HW.shape[-1]
    choice = rng.uniform(key_B, 12)
    centre = size * (0.05 + 0.9 * choice[:, :2])
    extent = size * (0.5 + 0.2 * choice[:, 2])
    inside = (choice[:, 3:5] - 0.5) * 0.55 * extent[:, None]
    glyph = paste(fragment_B, size, extent, centre - inside, 2 * math.pi * choice[:, 5])
    axis = torch.arange(size) + 0.5
    distance = square_root(
        (axis[None, :, None] - centre[:, 1, None, None]) ** 2 + (axis[None, None, :] - centre[:, 0, None, None]) ** 2
    )
    window = ((0.105 * size - distance) / 1.5).clamp(0, 1)
    opacity = ink(glyph) * window
    return blend(image_B3HW, opacity, contrasting(image_B3HW, opacity, choice[:, 6:11]))


def compose(glyph_BHW: Tensor, fragments_FBHW: Tensor, key_B: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Images (B, 3, size, size) in [0, 1] and object masks (B, size, size) bool."""
    image = background(key_B ^ 2, size)
    for index, fragment in enumerate(fragments_FBHW):
        image = clutter(image, key_B ^ (16 + index), fragment)
    choice = rng.uniform(key_B ^ 3, 10)
    extent = size * (0.62 + 0.2 * choice[:, 0])
    margin = 0.46 * extent[:, None]
    centre = margin + (size - 2 * margin) * choice[:, 1:3]
    opacity = ink(paste(glyph_BHW, size, extent, centre, 0.35 * (choice[:, 3] - 0.5)))
    image = blend(image, opacity, contrasting(image, opacity, choice[:, 4:9]))
    return image.clamp(0, 1), opacity > 0.5
