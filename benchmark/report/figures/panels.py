"""What a figure of example images needs of a cell: kept images and maps, their texts, and which samples are drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmark.report.cohorts.cohort import REFERENCE, interpreters_of, is_rtsa

if TYPE_CHECKING:
    from benchmark.storage.records import Record


@dataclass(frozen=True)
class ExampleImages:
    """One sample of one cell: images uint8 (3, H, W), maps float16 (h, w), and the sample's row of the record."""

    benign: np.ndarray
    probed: np.ndarray
    map_benign: np.ndarray
    map_probed: np.ndarray
    row: Any

    @property
    def change(self) -> str:
        """'7 → 1': the prediction before and after."""
        return f"{int(self.row.pred_benign)} → {int(self.row.pred_probe)}"

    @property
    def distance(self) -> str:
        return f"L1 {float(self.row.map_l1):.3f}"


def kept_examples(record: Record) -> dict[int, ExampleImages]:
    """Samples whose images and maps the cell kept, by sample id in ascending order."""
    images, maps = record.images, record.maps
    if "probed" not in images or "probed" not in maps:
        return {}
    table = record.samples.set_index("sample_id")
    at_image = {int(i): position for position, i in enumerate(images["sample_id"])}
    at_map = {int(i): position for position, i in enumerate(maps["sample_id"])}
    return {
        i: ExampleImages(
            images["benign"][at_image[i]],
            images["probed"][at_image[i]],
            maps["benign"][at_map[i]],
            maps["probed"][at_map[i]],
            table.loc[i],
        )
        for i in sorted(at_image.keys() & at_map.keys() & set(table.index))
    }


def interpreters_to_draw(records: Sequence[Record]) -> list[str]:
    """Interpreters to draw: RTS and its relatives where there are any, else all; four at most, for the page's width."""
    names = interpreters_of(records)
    relatives = [name for name in names if name == REFERENCE or is_rtsa(name)]
    return (relatives or names)[:4]


def first_successes(cells: list[dict[int, ExampleImages]], count: int) -> list[int]:
    """The first samples, by sample id, on which the probe succeeded in every cell shown."""
    common = sorted(set.intersection(*(set(cell) for cell in cells))) if cells else []
    return [i for i in common if all(bool(cell[i].row.success) for cell in cells)][:count]
