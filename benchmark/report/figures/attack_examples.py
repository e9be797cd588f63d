"""Figure 16: benign inputs and the adversarial ones made of them, each interpreter attacked with itself in the loop.

Samples are not picked by hand: they are those that stand for the cells shown, see ``panels.representative``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from benchmark.report.cohorts.cohort import Cohort, fact_of
from benchmark.report.cohorts.strongest import AUTOMATIC
from benchmark.report.figures.kept import masks_of
from benchmark.report.figures.panel_grid import PanelGrid
from benchmark.report.figures.panels import (
    ExampleImages,
    interpreters_to_draw,
    is_empty,
    kept_examples,
    median_distance,
    representative,
)
from benchmark.report.figures.style import gain_of, show_difference, show_image, show_map, show_overlay
from benchmark.report.labels import interpreter_name, probe_name

if TYPE_CHECKING:
    from benchmark.storage.records import Record

SAMPLES = 2
ATTACKS = ("pgd", "adv2", AUTOMATIC)
CHOICE = (
    "Samples are those that stand for the whole: on which every attack reached its class on every interpreter, and "
    "whose map L1 lies nearest to the median of the successes in each cell at once, by rank. PGD does not look at the "
    "map; ADV2 and ADV2 auto do, each with the interpreter itself in the loop, so that its adversarial input is its "
    "own. Spread: the distance by which the interpreter's maps move when nothing that matters changes."
)
CAPTION = (
    "Benign and adversarial inputs: what was added, amplified by the factor stated (grey is no change), the map over "
    "the input, and the map alone; the white line is the object's outline, where there are masks. {count} samples. "
    + CHOICE
)


def shown_cells(cohort: Cohort) -> tuple[list[str], dict[str, list[Record]]]:
    """The interpreters, and of each attack that all of them have the cells, where images were kept."""
    names = [name for name in interpreters_to_draw(cohort.records) if cohort.find(name, "adv2") is not None]
    by_attack = {}
    for attack in ATTACKS:
        records = [record for name in names if (record := cohort.find(name, attack)) is not None]
        if records and len(records) == len(names):
            by_attack[attack] = records
    return names, by_attack


def draw(cohort: Cohort, count: int = SAMPLES) -> Figure | None:
    """The figure, or None where no ADV2 cell kept a success on every interpreter."""
    names, by_attack = shown_cells(cohort)
    every = [record for records in by_attack.values() for record in records]
    samples = representative(every, count) if "adv2" in by_attack else []
    if not samples:
        return None
    examples = {id(record): kept_examples(record, samples) for record in every}
    changes = [shown.probed.astype(int) - shown.benign for cell in examples.values() for shown in cell.values()]
    gain = gain_of(np.stack(changes))
    rows = len(samples) * (1 + len(by_attack))
    grid = PanelGrid(groups=len(names), panels=3, rows=rows, blocks=len(samples), top=0.42, lines=2, left=0.8)
    for column, name in enumerate(names):
        grid.heading(column, interpreter_name(name), (f"added × {gain}", "map over input", "map"))
    masks = masks_of(cohort.records, samples)
    for sample in samples:
        grid.row_label("benign\ninput")
        for column, record in enumerate(by_attack["adv2"]):
            _benign(grid, column, examples[id(record)][sample], fact_of(record, "benign_spread"), masks.get(sample))
        grid.next_row()
        for attack, records in by_attack.items():
            grid.row_label(probe_name(attack))
            for column, record in enumerate(records):
                _attacked(grid, column, examples[id(record)][sample], gain, median_distance(record), masks.get(sample))
            grid.next_row()
        grid.next_block()
    grid.scale()
    return grid.figure


def _benign(
    grid: PanelGrid, column: int, shown: ExampleImages, spread: float | None, mask_HW: np.ndarray | None
) -> None:
    show_image(grid.panel(column, 0), shown.benign, mask_HW)
    show_overlay(grid.panel(column, 1), shown.benign, shown.map_benign, mask_HW)
    show_map(grid.panel(column, 2), shown.map_benign)
    empty = ", empty map" if is_empty(shown.map_benign) else ""
    grid.below(column, f"class {shown.benign_class}{empty}", "" if spread is None else f"spread {spread:.3f}")


def _attacked(
    grid: PanelGrid, column: int, shown: ExampleImages, gain: int, median: float, mask_HW: np.ndarray | None
) -> None:
    show_difference(grid.panel(column, 0), shown.benign, shown.probed, gain)
    show_overlay(grid.panel(column, 1), shown.probed, shown.map_probed, mask_HW)
    show_map(grid.panel(column, 2), shown.map_probed)
    empty = ", empty map" if is_empty(shown.map_probed) else ""
    grid.below(column, f"class {shown.change}{empty}", f"{shown.distance}, median {median:.3f}")
