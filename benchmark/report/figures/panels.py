"""What a figure of example images needs of a cell: kept images and maps, their texts, and which samples are drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmark.report.cohorts.cohort import REFERENCE, interpreters_of, is_rtsa
from benchmark.report.figures.kept import kept_ids, kept_rows
from benchmark.report.labels import class_name

if TYPE_CHECKING:
    from benchmark.storage.records import Record

EMPTY_BELOW = 0.5  # a map that nowhere reaches this, where maps are binarised, marks no object


@dataclass(frozen=True)
class ExampleImages:
    """One sample of one cell: images uint8 (3, H, W), maps float16 (h, w), and the sample's row of the record."""

    benign: np.ndarray
    probed: np.ndarray
    map_benign: np.ndarray
    map_probed: np.ndarray
    row: Any
    cell: Any

    @property
    def benign_class(self) -> str:
        return class_name(self.cell, int(self.row.pred_benign))

    @property
    def change(self) -> str:
        """'7 → 1': the prediction before and after, in words where the classes have any."""
        return f"{self.benign_class} → {class_name(self.cell, int(self.row.pred_probe))}"

    @property
    def distance(self) -> str:
        return f"L1 {float(self.row.map_l1):.3f}"


def is_empty(map_hw: np.ndarray) -> bool:
    """Whether the map marks nothing."""
    return not float(np.nan_to_num(map_hw.astype(np.float32)).max(initial=0.0)) >= EMPTY_BELOW


def kept_examples(record: Record, sample_ids: Sequence[int] | None = None) -> dict[int, ExampleImages]:
    """Samples whose images and maps the cell kept, by sample id in ascending order; of ``sample_ids`` if given."""
    table = record.samples.set_index("sample_id")
    wanted = sorted(set(kept_ids(record) if sample_ids is None else sample_ids) & set(table.index))
    images, maps = kept_rows(record, "images", wanted), kept_rows(record, "maps", wanted)
    if "probed" not in images or "probed" not in maps:
        return {}
    at_image = {int(i): position for position, i in enumerate(images["sample_id"])}
    at_map = {int(i): position for position, i in enumerate(maps["sample_id"])}
    return {
        i: ExampleImages(
            images["benign"][at_image[i]],
            images["probed"][at_image[i]],
            maps["benign"][at_map[i]],
            maps["probed"][at_map[i]],
            table.loc[i],
            record.cell,
        )
        for i in wanted
        if i in at_image and i in at_map
    }


def interpreters_to_draw(records: Sequence[Record]) -> list[str]:
    """Interpreters to draw: RTS and its relatives where there are any, else all; four at most, for the page's width."""
    names = interpreters_of(records)
    relatives = [name for name in names if name == REFERENCE or is_rtsa(name)]
    return (relatives or names)[:4]


def successes(record: Record) -> list[int]:
    """Kept samples on which the probe succeeded and whose maps have a distance, by sample id."""
    table = record.samples
    chosen = table.loc[table["success"].astype(bool) & table["map_l1"].notna(), "sample_id"]
    return sorted(set(kept_ids(record)) & {int(i) for i in chosen})


def representative(records: Sequence[Record], count: int) -> list[int]:
    """The samples that stand for their cells: on which every probe succeeded, and whose map L1 lies nearest to the
    median of the successes in each cell at once.

    Nearest by rank, so that cells of unlike distances weigh the same: the smallest of the largest |share of successes
    with a smaller distance − 1/2|; ties by sample id. ``count`` at most, the most typical first.
    """
    if not records:
        return []
    common = set.intersection(*(set(successes(record)) for record in records))
    off = dict.fromkeys(sorted(common), 0.0)
    for record in records:
        table = record.samples
        distance = table.loc[table["success"].astype(bool) & table["map_l1"].notna()].set_index("sample_id")["map_l1"]
        rank = (distance.rank(method="average") - 0.5) / len(distance) - 0.5
        off = {i: max(worst, abs(float(rank[i]))) for i, worst in off.items()}
    return sorted(off, key=lambda i: (round(off[i], 9), i))[:count]


def median_distance(record: Record) -> float:
    """Median map L1 of the successes of a cell; NaN where there is none."""
    table = record.samples
    return float(table.loc[table["success"].astype(bool), "map_l1"].median())
