"""How every figure looks: one font, colours that the colour-blind can tell apart, a perceptually uniform map scale, and
files that are byte-identical for equal content."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colorbar import Colorbar
from matplotlib.figure import Figure

WIDTH = 7.2  # inches: a full text width in print; 1440 px at 200 dpi, read at 900 px on a page
MAP_COLOURS = "inferno"  # perceptually uniform, and monotone in grey
MUTED = "#5f5f5f"
GAINS, GREY = (16, 8, 4, 2, 1), 128  # of differences that are amplified, and what stands for none

# Okabe & Ito 2008
_COLOURS = {"rts": "#0072B2", "rtsa": "#D55E00", "rtsa_anchored": "#009E73"}
_SPARE = ("#CC79A7", "#56B4E9", "#E69F00", "#000000")
_MARKERS = {"rts": "o", "rtsa": "s", "rtsa_anchored": "D"}

_SETTINGS: dict[Any, Any] = {
    "font.family": "DejaVu Sans",  # ships with matplotlib, so that every machine draws the same letters
    "font.size": 7.5,
    "axes.titlesize": 8.0,
    "axes.labelsize": 7.5,
    "xtick.labelsize": 7.0,
    "ytick.labelsize": 7.0,
    "legend.fontsize": 7.0,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "pdf.fonttype": 42,
    "savefig.facecolor": "white",
}


@contextmanager
def styled() -> Iterator[None]:
    """The suite's look for the figures made inside."""
    with matplotlib.rc_context(_SETTINGS):
        yield


def colour_of(interpreter: str, index: int = 0) -> str:
    """Colour of an interpreter; ``index`` picks one for those without a fixed colour."""
    return _COLOURS.get(interpreter, _SPARE[index % len(_SPARE)])


def marker_of(interpreter: str) -> str:
    return _MARKERS.get(interpreter, "^")


def bare(axes: Axes) -> None:
    """A picture's panel: no ticks, a hairline frame."""
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set(visible=True, linewidth=0.4, color="#9a9a9a")


def show_image(axes: Axes, image_CHW: np.ndarray, mask_HW: np.ndarray | None = None) -> None:
    """A uint8 RGB picture, pixel by pixel: smoothing would hide the very noise that the figure is about."""
    axes.imshow(np.moveaxis(image_CHW, 0, -1), interpolation="nearest")
    _outline(axes, mask_HW)
    bare(axes)


def gain_of(difference: np.ndarray) -> int:
    """By how much differences of 8-bit images may be multiplied so that no more than one value in a hundred leaves
    the scale: 16, 8, 4, 2 or 1."""
    reach = float(np.percentile(np.abs(difference), 99))
    return next((gain for gain in GAINS if gain * reach <= GREY), 1)


def amplified(difference: np.ndarray, gain: int) -> np.ndarray:
    """Differences of 8-bit images around grey, uint8."""
    return np.clip(GREY + gain * difference.astype(np.int32), 0, 255).astype(np.uint8)


def show_difference(axes: Axes, benign_CHW: np.ndarray, probed_CHW: np.ndarray, gain: int) -> None:
    """What was added to a picture, multiplied by ``gain``; grey is nothing."""
    difference = probed_CHW.astype(np.int32) - benign_CHW
    show_image(axes, amplified(difference, gain))


def show_overlay(axes: Axes, image_CHW: np.ndarray, map_hw: np.ndarray, mask_HW: np.ndarray | None = None) -> None:
    """A map over its picture, which loses most of its colour, so that colour means importance; on the fixed scale
    [0, 1], and the more opaque the more important."""
    image_HWC = np.moveaxis(image_CHW, 0, -1) / 255
    grey_HW1 = (image_HWC @ (0.30, 0.59, 0.11))[..., None]
    value_hw = np.clip(np.nan_to_num(map_hw.astype(np.float32)), 0, 1)
    height, width = image_CHW.shape[1:]
    colour_hwC = matplotlib.colormaps[MAP_COLOURS](value_hw)
    colour_hwC[..., 3] = 0.8 * value_hw
    axes.imshow(0.35 * image_HWC + 0.65 * grey_HW1, interpolation="nearest")
    axes.imshow(colour_hwC, interpolation="nearest", extent=(-0.5, width - 0.5, height - 0.5, -0.5))
    _outline(axes, mask_HW)
    axes.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5))
    bare(axes)


def _outline(axes: Axes, mask_HW: np.ndarray | None) -> None:
    """The outline of an object: white on black, so that it is seen on any ground."""
    if mask_HW is None or not mask_HW.any() or mask_HW.all():
        return
    for colour, width in (("black", 1.1), ("white", 0.5)):
        axes.contour(mask_HW.astype(float), levels=[0.5], colors=colour, linewidths=width)


def show_map(axes: Axes, map_hw: np.ndarray) -> None:
    """A map on its own grid over the fixed scale [0, 1]: no cell is invented, and panels compare."""
    axes.imshow(map_hw.astype(np.float32), cmap=MAP_COLOURS, vmin=0.0, vmax=1.0, interpolation="nearest")
    bare(axes)


def map_scale(figure: Figure, rectangle: tuple[float, float, float, float]) -> Colorbar:
    """The colour bar for all maps of a figure, horizontal, at (left, bottom, width, height) of the figure."""
    axes = figure.add_axes(rectangle)
    scale = matplotlib.cm.ScalarMappable(matplotlib.colors.Normalize(0, 1), MAP_COLOURS)
    bar = figure.colorbar(scale, cax=axes, orientation="horizontal", ticks=[0, 0.5, 1])
    bar.outline.set_linewidth(0.4)
    axes.tick_params(length=2, pad=1.5, labelsize=6.5)
    return bar


def save(figure: Figure, folder: Path, name: str) -> list[Path]:
    """<folder>/<name>.png (200 dpi) and .pdf without dates or versions inside; closes the figure."""
    folder.mkdir(parents=True, exist_ok=True)
    png, pdf = folder / f"{name}.png", folder / f"{name}.pdf"
    figure.savefig(png, dpi=200, metadata={"Software": None})
    figure.savefig(pdf, dpi=200, metadata={"CreationDate": None, "Producer": None, "Creator": None})
    plt.close(figure)
    return [png, pdf]
