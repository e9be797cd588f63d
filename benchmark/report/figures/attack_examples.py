"""Figure 16: benign inputs and the adversarial ones made of them, each interpreter attacked with itself in the loop.

Samples are not picked: the first ones, by sample id among those kept, on which ADV2 reached its class on every
interpreter.
"""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from benchmark.report.cohorts.cohort import Cohort
from benchmark.report.figures.panel_grid import PanelGrid
from benchmark.report.figures.panels import ExampleImages, first_successes, interpreters_to_draw, kept_examples
from benchmark.report.figures.style import show_image, show_map
from benchmark.report.labels import interpreter_name, probe_name

SAMPLES = 2
CAPTION = (
    "Benign and adversarial inputs with their maps, for the first {count} samples by sample id among those kept on "
    "which ADV2 reached its class on every interpreter shown. PGD, which does not look at the map, is the reference. "
    "Each interpreter is attacked with itself in the loop, so that its adversarial input is its own. Below: the "
    "prediction, benign → adversarial, and the L1 distance to the benign map."
)
ATTACKS = ("pgd", "adv2")

CellsByAttack = dict[str, list[dict[int, ExampleImages]]]


def _cells(cohort: Cohort, names: list[str]) -> CellsByAttack:
    """For each attack that every interpreter has: the kept examples of each interpreter, by sample id."""
    by_attack: CellsByAttack = {}
    for attack in ATTACKS:
        records = [cohort.find(name, attack) for name in names]
        cells = [kept_examples(record) for record in records if record is not None]
        if cells and len(cells) == len(names) and all(cells):
            by_attack[attack] = cells
    return by_attack


def draw(cohort: Cohort, count: int = SAMPLES) -> Figure | None:
    """The figure, or None where no ADV2 cell kept a success on every interpreter."""
    names = [name for name in interpreters_to_draw(cohort.records) if cohort.find(name, "adv2") is not None]
    cells = _cells(cohort, names)
    samples = first_successes(cells.get("adv2", []), count)
    samples = [i for i in samples if all(i in cell for attack in cells.values() for cell in attack)]
    if not samples:
        return None
    grid = PanelGrid(pairs=len(names), rows=len(samples) * (1 + len(cells)), blocks=len(samples), top=0.28)
    for column, name in enumerate(names):
        grid.heading(column, interpreter_name(name))
    for sample in samples:
        grid.row_label("benign")
        for column, cell in enumerate(cells["adv2"]):
            shown = cell[sample]
            _pair(grid, column, shown.benign, shown.map_benign, f"class {int(shown.row.pred_benign)}")
        grid.next_row()
        for attack, shown_by in cells.items():
            grid.row_label(probe_name(attack))
            for column, cell in enumerate(shown_by):
                shown = cell[sample]
                _pair(grid, column, shown.probed, shown.map_probed, f"class {shown.change}, {shown.distance}")
            grid.next_row()
        grid.next_block()
    grid.scale()
    return grid.figure


def _pair(grid: PanelGrid, column: int, image_CHW: np.ndarray, map_hw: np.ndarray, text: str) -> None:
    show_image(grid.panel(column, 0), image_CHW)
    show_map(grid.panel(column, 1), map_hw)
    grid.below(column, text)
