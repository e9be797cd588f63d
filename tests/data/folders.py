"""Image folders planted by tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from benchmark.data.image_folder import ImageFolder


def save(path: Path, pixels: np.ndarray, mode: str | None = None, **options) -> Path:
    """``pixels`` as an image file, converted to ``mode`` where one is given."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(pixels)
    (image if mode is None else image.convert(mode)).save(path, **options)
    return path


def plant(root: Path, splits: dict[str, dict[str, int]], size: tuple[int, int] = (20, 24), masks: bool = False) -> Path:
    """``splits[split][class]`` noise images of (height, width) ``size``, and masks of their first channel above 127."""
    rng = np.random.default_rng(0)
    for split, classes in splits.items():
        for name, count in classes.items():
            (root / split / name).mkdir(parents=True)
            for index in range(count):
                pixels = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
                save(root / split / name / f"{index:03}.png", pixels)
                if masks:
                    save(root / "masks" / split / name / f"{index:03}.png", (pixels[..., 0] > 127).astype(np.uint8))
    return root


def small(root: Path, **options) -> Path:
    """Two classes, 20 and 10 to train with, 4 and 2 to test."""
    return plant(root, {"train": {"ant": 20, "bee": 10}, "test": {"ant": 4, "bee": 2}}, **options)


def folder(root: Path, **knobs) -> ImageFolder:
    """The data set of a planted folder."""
    return ImageFolder(root=str(root), **{"seed": 0, "image_size": 16, **knobs})
