"""Kept images and maps as small sheets of tiles: a sheet a cell, which the page decodes when it comes into view.

A cell's perturbed inputs are kept as their differences to the benign ones, amplified, so that a lossy picture of them
is exact where it matters; the page adds them up again. Benign inputs are shared by all cells that were measured on
them. Maps are 8 bit, lossless.
"""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from benchmark.report.figures.kept import kept_rows
from benchmark.report.figures.panels import is_empty
from benchmark.report.figures.style import amplified, gain_of

if TYPE_CHECKING:
    from benchmark.storage.records import Record

_ORIGINALS = 64  # tiles of one sheet of benign inputs
_BENIGN, _DIFFERENCE, _COARSE = 88, 62, 10  # qualities of lossy pictures
_MAP_SIDE = 64  # pixels of the largest map on the page


@dataclass(frozen=True)
class Sheet:
    """Tiles of one cell, a column a sample: amplified differences, and below each other benign and probed maps.

    gain: what the differences were multiplied by. size, map_size: (width, height) of a tile. empty: 1 where the benign
    map marks nothing, 2 where the probed one does, 3 for both, else 0.
    """

    sample_ids: list[int]
    gain: int
    size: tuple[int, int]
    map_size: tuple[int, int]
    differences: str
    maps: str
    originals: list[int]
    empty: list[int]

    @property
    def bytes(self) -> int:
        return len(self.differences) + len(self.maps)


class Originals:
    """Benign inputs, each once however many cells were measured on it, in sheets of ``_ORIGINALS`` of one size, with
    the masks of their objects."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._tiles: list[np.ndarray] = []
        self._masks: list[np.ndarray] = []

    def number(self, image_HWC: np.ndarray, mask_HW: np.ndarray | None = None) -> int:
        """mask_HW: bool, of the size of the input that the tile was made from; None where there is none."""
        digest = hashlib.sha256(repr(image_HWC.shape).encode() + image_HWC.tobytes()).hexdigest()
        if digest not in self._numbers:
            self._numbers[digest] = len(self._tiles)
            self._tiles.append(image_HWC)
            shape = image_HWC.shape[:2]
            grey = np.zeros(shape, np.uint8) if mask_HW is None else np.where(mask_HW, 255, 0).astype(np.uint8)
            fitted = grey if grey.shape == shape else np.asarray(Image.fromarray(grey).resize(shape[::-1]))
            self._masks.append(np.where(fitted > 127, 255, 0).astype(np.uint8))
        return self._numbers[digest]

    def sheets(self) -> list[dict[str, object]]:
        """Of every sheet ``start`` (number of its first tile), ``n``, ``size``, the picture, and the masks ("" where
        no tile has one)."""
        found: list[dict[str, object]] = []
        start = 0
        while start < len(self._tiles):
            shape = self._tiles[start].shape
            end = start
            while end < len(self._tiles) and end - start < _ORIGINALS and self._tiles[end].shape == shape:
                end += 1
            picture = webp(np.concatenate(self._tiles[start:end], axis=1), _BENIGN)
            mask = np.concatenate(self._masks[start:end], axis=1)
            about = {"start": start, "n": end - start, "size": [shape[1], shape[0]]}
            found.append({**about, "picture": picture, "masks": png(mask) if mask.any() else ""})
            start = end
        return found


def cell_sheet(
    record: Record,
    sample_ids: Sequence[int],
    side: int,
    originals: Originals,
    *,
    masks: Mapping[int, np.ndarray] | None = None,
    coarse: bool = False,
) -> Sheet | None:
    """The tiles of these samples at most ``side`` pixels wide and high; None where the cell kept none of them.

    masks: of objects, by sample id. coarse: with less quality, for pages of many cells.
    """
    images, maps = (kept_rows(record, name, sample_ids) for name in ("images", "maps"))
    if "probed" not in images or "probed" not in maps or not len(images["sample_id"]):
        return None
    benign, probed = (
        [_small(tile, side) for tile in np.moveaxis(images[name], 1, -1)] for name in ("benign", "probed")
    )
    difference_NHWC = np.stack(probed).astype(np.int16) - np.stack(benign)
    gain = gain_of(difference_NHWC)
    grown_NHWC = amplified(difference_NHWC, gain)
    ids = [int(i) for i in images["sample_id"]]
    grey = [_small_map(maps[name]) for name in ("benign", "probed")]
    height, width = grown_NHWC.shape[1:3]
    return Sheet(
        sample_ids=ids,
        gain=gain,
        size=(width, height),
        map_size=(grey[0].shape[2], grey[0].shape[1]),
        differences=webp(np.concatenate(list(grown_NHWC), axis=1), _COARSE if coarse else _DIFFERENCE),
        maps=png(np.concatenate([np.concatenate(list(half), axis=1) for half in grey], axis=0)),
        originals=[
            originals.number(np.ascontiguousarray(tile), (masks or {}).get(i))
            for tile, i in zip(benign, ids, strict=True)
        ],
        empty=[is_empty(one) + 2 * is_empty(two) for one, two in zip(maps["benign"], maps["probed"], strict=True)],
    )


def _small(image_HWC: np.ndarray, side: int) -> np.ndarray:
    """The image, averaged down where it is larger than ``side``."""
    largest = max(image_HWC.shape[:2])
    if largest <= side:
        return image_HWC
    height, width = (max(1, round(length * side / largest)) for length in image_HWC.shape[:2])
    return np.asarray(Image.fromarray(image_HWC).resize((width, height), Image.Resampling.BOX))


def _small_map(map_Nhw: np.ndarray) -> np.ndarray:
    """Maps as uint8, averaged down where they are larger than ``_MAP_SIDE``; what is no number is 0."""
    grey_Nhw = np.round(255 * np.clip(np.nan_to_num(map_Nhw.astype(np.float32)), 0, 1)).astype(np.uint8)
    if max(grey_Nhw.shape[1:]) <= _MAP_SIDE:
        return grey_Nhw
    return np.stack([_small(one, _MAP_SIDE) for one in grey_Nhw])


def webp(image_HWC: np.ndarray, quality: int) -> str:
    """Base64 of a lossy picture."""
    return _encoded(image_HWC, "WEBP", quality=quality, method=4)


def png(grey_HW: np.ndarray) -> str:
    """Base64 of a lossless picture in grey."""
    return _encoded(grey_HW, "PNG", optimize=True)


def _encoded(array: np.ndarray, kind: str, **options: object) -> str:
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, kind, **options)
    return base64.b64encode(buffer.getvalue()).decode()
