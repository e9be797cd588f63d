"""One image file as a square of RGB pixels, with errors that name the file."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageOps

from benchmark.data.folder_scan import content

# What Pillow raises for broken files besides its own errors, which are OSErrors.
BROKEN = (OSError, ValueError, SyntaxError, EOFError, struct.error, zlib.error, Image.DecompressionBombError)
# Pixels of the shorter side.
SMALLEST = 8
_ENDS = {"JPEG": b"\xff\xd9", "PNG": b"IEND"}
_TAIL = 32
SHOWABLE = ("1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr")


def check_header(file: Path) -> None:
    """Opens an image without decoding it, and decodes it if its file does not end as its format does.

    Raises:
        ValueError: not an image, too small, a mode that 8 bits cannot show, or cut off; names the file.
    """
    with opened(file) as image:
        whole = _has_end(file, image.format)
    if not whole:
        read_image(file, SMALLEST)


def read_image(file: Path, size: int) -> np.ndarray:
    """The largest centred square, resized (bicubic with antialiasing) to (size, size, 3) uint8 RGB.

    Transparent images are composed on white. The first frame of an animation. Turned as its EXIF orientation says.

    Raises:
        ValueError: not an image, less than 8 pixels a side, a mode that 8 bits cannot show, or broken pixel data;
            names the file.
    """
    with opened(file) as image:
        try:
            upright = ImageOps.exif_transpose(image) if is_turned(image) else image
            square = _rgb(upright).resize((size, size), Image.Resampling.BICUBIC, box=centre(upright.size))
        except BROKEN as error:
            raise ValueError(f"the pixels of {file} cannot be read ({error}): restore the file or remove it") from None
    return np.asarray(square)


def read_mask(file: Path, image_file: Path, size: int, value: int | None = None) -> np.ndarray:
    """The same square of the mask, resized by nearest pixels, (size, size) bool: True on the object.

    Args:
        value: of the object's pixels; None for any but 0.

    Raises:
        ValueError: not an image, of another size than the image, or broken pixel data; names the file.
    """
    with opened(image_file) as image:
        expected = upright_size(image)
    with _check_mask(file, expected) as mask:
        try:
            if mask.mode not in ("1", "L", "P", "I;16", "I"):
                mask = mask.convert("L")
            square = mask.resize((size, size), Image.Resampling.NEAREST, box=centre(mask.size))
        except BROKEN as error:
            raise ValueError(f"the pixels of {file} cannot be read ({error}): restore the mask or remove it") from None
    pixels = np.asarray(square)
    return pixels != 0 if value is None else pixels == value


def is_turned(image: Image.Image) -> bool:
    """Whether EXIF says that the image is to be turned or mirrored; EXIF data that cannot be read says nothing."""
    return orientation(image) in range(2, 9)


def upright_size(image: Image.Image) -> tuple[int, int]:
    """(width, height) of the image as it is shown."""
    width, height = image.size
    return (height, width) if orientation(image) in range(5, 9) else (width, height)


def orientation(image: Image.Image) -> int:
    """EXIF orientation, 1 to 8; 1 where there is none."""
    try:
        found = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # damaged EXIF data make Pillow fail in any way
        return 1
    return found if isinstance(found, int) else 1


def opened(file: Path) -> Image.Image:
    """An image whose header has been read; raises a ValueError that names a file that cannot be used."""
    try:
        image = Image.open(file)
    except BROKEN as error:
        raise ValueError(f"{file} is not an image that can be read ({error}): restore the file or remove it") from None
    if image.mode not in SHOWABLE:
        image.close()
        raise ValueError(f"{file} has mode {image.mode}, which 8 bits cannot show: convert it to 8-bit grey or RGB")
    if min(image.size) < SMALLEST:
        size = f"{image.size[0]}x{image.size[1]}"
        image.close()
        raise ValueError(f"{file} has {size} pixels, at least {SMALLEST} a side are expected: remove it or replace it")
    return image


def _has_end(file: Path, kind: str | None) -> bool:
    """Whether the last bytes are those that a file of this format ends with; False for formats without such bytes."""
    return kind in _ENDS and _ENDS[kind] in content(file, last=_TAIL)


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


def centre(size: tuple[int, int]) -> tuple[int, int, int, int]:
    """(left, top, right, bottom) of the largest centred square of an image of (width, height)."""
    width, height = size
    side = min(size)
    left, top = (width - side) // 2, (height - side) // 2
    return left, top, left + side, top + side
