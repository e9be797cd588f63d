"""Figure 15: samples that noise makes the classifier get wrong, with each interpreter's map before and after.

Samples are not picked by hand: of those kept, each block shows the ones that stand for its cells.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from benchmark.report.cohorts.cohort import Cohort
from benchmark.report.figures.kept import kept_ids, masks_of
from benchmark.report.figures.panel_grid import PanelGrid
from benchmark.report.figures.panels import (
    ExampleImages,
    interpreters_to_draw,
    is_empty,
    kept_examples,
    median_distance,
    representative,
)
from benchmark.report.figures.style import show_image, show_overlay
from benchmark.report.labels import interpreter_name, probe_name

if TYPE_CHECKING:
    from benchmark.storage.records import Record

SAMPLES = 2
CHOICE = (
    "Of the samples that the noise makes the classifier get wrong, each noise shows those that stand for it: whose map "
    "L1 lies nearest to the median of the misclassified ones on every interpreter at once, by rank."
)
CAPTION = (
    "Samples misclassified under noise, {count} a noise. Left: the input, clean and noisy, with the prediction before "
    "→ after. Right: each interpreter's map of the clean and the noisy input (for the class predicted on it) over the "
    "input, and the L1 distance between the two; the white line is the object's outline, where there are masks. "
    + CHOICE
)


@dataclass(frozen=True)
class _Block:
    """One noise: its name, the samples, and of each interpreter its cell, where it kept images."""

    name: str
    samples: list[int]
    records: list[Record | None]


def _blocks(cohort: Cohort, names: list[str], count: int) -> list[_Block]:
    blocks = []
    for probe, level in cohort.noises:
        found = [cohort.find(name, probe, level) for name in names]
        records = [record if record is not None and kept_ids(record) else None for record in found]
        samples = representative([record for record in records if record is not None], count)
        if samples:
            blocks.append(_Block(probe_name(probe, level), samples, records))
    return blocks


def draw(cohort: Cohort, count: int = SAMPLES) -> Figure | None:
    """The figure, or None where no cell kept a misclassified sample."""
    names = interpreters_to_draw(cohort.records)
    blocks = _blocks(cohort, names, count)
    if not blocks:
        return None
    rows = sum(len(block.samples) for block in blocks)
    grid = PanelGrid(groups=1 + len(names), rows=rows, blocks=len(blocks), top=0.42, lines=2)
    grid.heading(0, "Input", ("clean", "noisy"))
    for column, name in enumerate(names, start=1):
        grid.heading(column, f"{interpreter_name(name)} map", ("clean", "noisy"))
    for block in blocks:
        grid.block_label(block.name, len(block.samples))
        _draw_block(grid, block, masks_of(cohort.records, block.samples))
        grid.next_block()
    grid.scale()
    drawn = {block.name for block in blocks}
    absent = [name for probe, level in cohort.noises if (name := probe_name(probe, level)) not in drawn]
    if absent:
        grid.remark(f"no kept sample is misclassified under {', '.join(absent)}")
    return grid.figure


def _draw_block(grid: PanelGrid, block: _Block, masks: dict[int, np.ndarray]) -> None:
    cells = [{} if record is None else kept_examples(record, block.samples) for record in block.records]
    medians = [None if record is None else median_distance(record) for record in block.records]
    for sample in block.samples:
        first = next(cell[sample] for cell in cells if sample in cell)
        show_image(grid.panel(0, 0), first.benign, masks.get(sample))
        show_image(grid.panel(0, 1), first.probed)
        grid.below(0, f"class {first.change}")
        for column, (cell, median) in enumerate(zip(cells, medians, strict=True), start=1):
            if sample in cell:
                _maps(grid, column, cell[sample], median or 0.0, masks.get(sample))
        grid.next_row()


def _maps(grid: PanelGrid, column: int, shown: ExampleImages, median: float, mask_HW: np.ndarray | None) -> None:
    show_overlay(grid.panel(column, 0), shown.benign, shown.map_benign, mask_HW)
    show_overlay(grid.panel(column, 1), shown.probed, shown.map_probed, mask_HW)
    sides = [word for word, one in (("clean", shown.map_benign), ("noisy", shown.map_probed)) if is_empty(one)]
    empty = f"empty map: {', '.join(sides)}" if sides else ""
    grid.below(column, f"{shown.distance}, median {median:.3f}", empty)
