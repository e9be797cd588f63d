"""One image file as a square of RGB pixels, with errors that name the file."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

# What Pillow raises for broken files besides its own errors, which are OSErrors.
BROKEN = (OSError, ValueError, SyntaxError, EOFError, struct.error, zlib.error, Image.DecompressionBombError)
SHOWABLE = ("1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr")


def check_header(file: Path, mask: Path | None) -> None:
    """Opens an image and its mask without decoding them.

    Raises:
        ValueError: not an image, a mode that 8 bits cannot show, or a mask of another size; names the file.
    """
    with _opened(file) as image:
        if mask is not None:
            _check_mask(mask, image.size)


def read_image(file: Path, size: int) -> np.ndarray:
    """The largest centred square, resized (bicubic with antialiasing) to (size, size, 3) uint8 RGB.

    Transparent images are composed on white. The first frame of an animation; EXIF orientation is not applied.

    Raises:
        ValueError: as :func:`check_header`, or broken pixel data; names the file.
    """
    with _opened(file) as image:
        try:
            square = _rgb(image).resize((size, size), Image.Resampling.BICUBIC, box=_centre(image.size))
        except BROKEN as error:
            raise ValueError(f"the pixels of {file} cannot be read ({error}): restore the file or remove it") from None
    return np.asarray(square)


def read_mask(file: Path, image_file: Path, size: int) -> np.ndarray:
    """The same square of the mask, resized by nearest pixels, (size, size) bool: True on the object."""
    with _opened(image_file) as image:
        expected = image.size
    with _check_mask(file, expected) as mask:
        try:
            if mask.mode not in ("1", "L", "P", "I;16", "I"):
                mask = mask.convert("L")
            square = mask.resize((size, size), Image.Resampling.NEAREST, box=_centre(mask.size))
        except BROKEN as error:
            raise ValueError(f"the pixels of {file} cannot be read ({error}): restore the mask or remove it") from None
    return np.asarray(square) != 0


def _opened(file: Path) -> Image.Image:
    try:
        image = Image.open(file)
    except BROKEN as error:
        raise ValueError(f"{file} is not an image that can be read ({error}): restore the file or remove it") from None
    if image.mode not in SHOWABLE:
        image.close()
        raise ValueError(f"{file} has mode {image.mode}, which 8 bits cannot show: convert it to 8-bit grey or RGB")
    return image


def _check_mask(file: Path, expected: tuple[int, int]) -> Image.Image:
    try:
        mask = Image.open(file)
    except BROKEN as error:
        raise ValueError(f"{file} is not a mask that can be read ({error}): restore the file or remove it") from None
    if mask.size != expected:
        mask.close()
        raise ValueError(
            f"the mask {file} has {mask.size[0]}x{mask.size[1]} pixels, its image {expected[0]}x{expected[1]}: "
            "make a mask of the image's size"
        )
    return mask


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode == "La" or image.mode == "RGBa":
        image = image.convert({"La": "LA", "RGBa": "RGBA"}[image.mode])
    if not image.has_transparency_data:
        return image.convert("RGB")
    image = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")


def _centre(size: tuple[int, int]) -> tuple[int, int, int, int]:
    width, height = size
    side = min(size)
    left, top = (width - side) // 2, (height - side) // 2
    return left, top, left + side, top + side
