"""The kept samples of a cell as pictures: input, perturbed input, their difference and both maps, labelled."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib import colormaps
from PIL import Image, ImageDraw, ImageFont

from benchmark.report.figures.style import MAP_COLOURS
from benchmark.report.labels import class_name
from benchmark.storage.records import Record

TILE = 96  # pixels of a tile's side in the sheet
_HEAD, _LABEL, _GAP = 16, 190, 4
_LETTERS = 20  # of a class's name that fit beside the pictures
CLASSES = ("label", "pred_benign", "pred_probe", "goal")  # columns that hold classes
TITLES = {
    "input": "input",
    "perturbed": "perturbed input",
    "difference": "difference",
    "map": "map",
    "map_perturbed": "map, perturbed",
}


@dataclass(frozen=True)
class Sample:
    """One kept sample: its row of the record, uint8 (H, W, 3) pictures by the names of ``TITLES``, and the names of the
    classes in those columns of ``CLASSES`` that have one."""

    row: Any
    pictures: dict[str, np.ndarray]
    classes: dict[str, str]


def kept_samples(record: Record, count: int) -> list[Sample]:
    """The first ``count`` kept samples in the order of the record; without a probe of input and map alone."""
    return list(_samples(record, count)) if len(record.images.get("sample_id", ())) else []


def _samples(record: Record, count: int) -> Iterator[Sample]:
    images, maps = record.images, record.maps
    row_of = record.samples.set_index("sample_id", drop=False)
    map_at = {int(i): position for position, i in enumerate(maps.get("sample_id", ()))}
    factor = amplification(record)
    for position, sample_id in enumerate(images["sample_id"][:count]):
        pictures = {"input": _channels_last(images["benign"][position])}
        if "probed" in images:
            pictures["perturbed"] = _channels_last(images["probed"][position])
            pictures["difference"] = difference(images["benign"][position], images["probed"][position], factor)
        if int(sample_id) in map_at:
            named = {"benign": "map", "probed": "map_perturbed"}
            at = map_at[int(sample_id)]
            pictures |= {named[kind]: coloured(maps[kind][at]) for kind in named if kind in maps}
        row: Any = row_of.loc[int(sample_id)]
        numbers = {name: int(row[name]) for name in CLASSES if name in row and row[name] >= 0}
        yield Sample(row, pictures, {name: class_name(record.cell, number) for name, number in numbers.items()})


def amplification(record: Record) -> int:
    """By what the differences of a cell are multiplied, so that the largest just reaches black or white."""
    images = record.images
    if "probed" not in images:
        return 1
    largest = np.abs(images["probed"].astype(int) - images["benign"].astype(int)).max(initial=0)
    return max(127 // int(largest), 1) if largest else 1


def difference(benign_CHW: np.ndarray, probed_CHW: np.ndarray, factor: int) -> np.ndarray:
    """x' - x, so many times, on grey: uint8 (H, W, 3)."""
    scaled = 128 + factor * (probed_CHW.astype(int) - benign_CHW.astype(int))
    return _channels_last(np.clip(scaled, 0, 255).astype(np.uint8))


def coloured(map_HW: np.ndarray) -> np.ndarray:
    """A map in the report's colours, its values from 0 to 1 in every picture alike: uint8 (H, W, 3)."""
    colours: np.ndarray = colormaps[MAP_COLOURS](np.clip(map_HW.astype(np.float32), 0, 1), bytes=True)[..., :3]
    return colours


def _channels_last(image_CHW: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(image_CHW.transpose(1, 2, 0))


def sheet(samples: list[Sample], factor: int) -> Image.Image | None:
    """All samples in one picture, a row each, with headings and labels; None without a sample.

    Args:
        factor: by what the differences are multiplied, for the heading.
    """
    if not samples:
        return None
    names = [name for name in TITLES if any(name in sample.pictures for sample in samples)]
    size = (_LABEL + len(names) * (TILE + _GAP), _HEAD + len(samples) * (TILE + _GAP))
    page = Image.new("RGB", size, "white")
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(11)
    for column, name in enumerate(names):
        title = f"{TITLES[name]} x{factor}" if name == "difference" else TITLES[name]
        pen.text((_LABEL + column * (TILE + _GAP), 1), title, fill="black", font=font)
    for line, sample in enumerate(samples):
        top = _HEAD + line * (TILE + _GAP)
        pen.multiline_text((4, top + 4), "\n".join(labels(sample)), fill="black", font=font)
        for column, name in enumerate(names):
            if name in sample.pictures:
                tile = Image.fromarray(sample.pictures[name]).resize((TILE, TILE), Image.Resampling.NEAREST)
                page.paste(tile, (_LABEL + column * (TILE + _GAP), top))
    return page


def shorten(word: str, letters: int) -> str:
    """The word, or its beginning and an ellipsis."""
    return word if len(word) <= letters else f"{word[: letters - 1]}…"


def labels(sample: Sample) -> list[str]:
    """What stands beside the pictures of one sample."""
    row, name = sample.row, {column: shorten(word, _LETTERS) for column, word in sample.classes.items()}
    lines = [f"sample {int(row.sample_id)}", f"true: {name['label']}", f"predicted: {name['pred_benign']}"]
    if "pred_probe" not in row:
        return lines
    lines.append(f"then: {name['pred_probe']}")
    reached = "success" if bool(row.success) else "no success"
    lines.append(f"goal: {name['goal']}" if "goal" in name else reached)
    lines[0] += f", {reached}" if "goal" in name else ""
    return [*lines, "no map" if np.isnan(float(row.map_l1)) else f"map L1:  {float(row.map_l1):.3f}"]
