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


def show_image(axes: Axes, image_CHW: np.ndarray) -> None:
    """A uint8 RGB picture, pixel by pixel: smoothing would hide the very noise that the figure is about."""
    axes.imshow(np.moveaxis(image_CHW, 0, -1), interpolation="nearest")
    bare(axes)


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
