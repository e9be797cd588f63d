"""Boxes of the objects in an image, from an XML file of PASCAL VOC as ImageNet ships them, in pixels of the square."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np

from benchmark.data.image_file import centre, opened, orientation, upright_size

# From a point of the stored image of (width w, height h) to the same point of the upright one, by EXIF orientation.
_TURNS = {
    2: lambda x, y, w, h: (w - x, y),
    3: lambda x, y, w, h: (w - x, h - y),
    4: lambda x, y, w, h: (x, h - y),
    5: lambda x, y, w, h: (y, x),
    6: lambda x, y, w, h: (h - y, x),
    7: lambda x, y, w, h: (h - y, w - x),
    8: lambda x, y, w, h: (y, w - x),
}


def read_boxes(file: Path, image_file: Path, names: tuple[str, ...], size: int) -> np.ndarray:
    """The boxes (left, top, right, bottom) of the objects of one class, (n, 4) float32 in [0, size].

    They follow the image into its centred square of ``size`` pixels; what lies outside of it is cut off. Coordinates
    are those of the ``<size>`` that the file gives, of the stored image where it gives none.

    Args:
        names: what the class may be called in the file.
    Raises:
        ValueError: not such a file, or a box without an area; names it.
    """
    with opened(image_file) as image:
        stored, turned, shown = image.size, orientation(image), upright_size(image)
    width, height, found = _boxes(file, names)
    own = (width, height) if width and height else stored
    turn = 1 if own == shown and shown != stored else turned  # else the boxes are those of the upright image already
    boxes = np.array([_turned(box, own, turn) for box in found], np.float32).reshape(-1, 4)
    frame = own[::-1] if turn >= 5 else own
    left, top, right, _ = centre(shown)
    boxes *= np.array([shown[0] / frame[0], shown[1] / frame[1]] * 2, np.float32)
    boxes = (boxes - np.array([left, top] * 2, np.float32)) * np.float32(size / (right - left))
    boxes = boxes.clip(0, size)
    return boxes[(boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])]


def _turned(box: tuple[float, ...], own: tuple[int, int], turn: int) -> tuple[float, ...]:
    if turn not in _TURNS:
        return box
    (first_x, first_y), (second_x, second_y) = (
        _TURNS[turn](x, y, *own) for x, y in ((box[0], box[1]), (box[2], box[3]))
    )
    return min(first_x, second_x), min(first_y, second_y), max(first_x, second_x), max(first_y, second_y)


def _boxes(file: Path, names: tuple[str, ...]) -> tuple[int, int, list[tuple[float, ...]]]:
    """Width and height of the image by the file (0 where it does not say), and the boxes of its objects."""
    try:
        root = ET.parse(file).getroot()
        size = [int(float(root.findtext(f"size/{side}") or 0)) for side in ("width", "height")]
        found = []
        for thing in root.iter("object"):
            box = tuple(float(thing.findtext(f"bndbox/{edge}") or "") for edge in ("xmin", "ymin", "xmax", "ymax"))
            if box[2] <= box[0] or box[3] <= box[1]:
                raise ValueError(f"the box {box} has no area")
            if (thing.findtext("name") or "").strip() in names:
                found.append(box)
    except (ET.ParseError, ValueError, OSError) as error:
        raise ValueError(
            f"{file} is no file of boxes that can be read ({error}): expected XML as of PASCAL VOC, <object> with "
            "<name> and <bndbox> of <xmin>, <ymin>, <xmax>, <ymax>; correct it or remove it"
        ) from None
    return size[0], size[1], found


def object_names(file: Path) -> set[str]:
    """What the objects in a file of boxes that can be read are called."""
    return {(thing.findtext("name") or "").strip() for thing in ET.parse(file).getroot().iter("object")}


def padded(boxes: list[np.ndarray]) -> np.ndarray:
    """Boxes of several images as (N, M, 4) float32, NaN where an image has fewer than M, which is at least 1."""
    most = max([1, *map(len, boxes)])
    array = np.full((len(boxes), most, 4), np.nan, np.float32)
    for row, own in enumerate(boxes):
        array[row, : len(own)] = own
    return array
