"""Figure 16: benign inputs and the adversarial ones made of them, each interpreter attacked with itself in the loop.

Samples are not picked: the first ones, by sample id among those kept, on which ADV2 reached its class on every
interpreter.
"""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from benchmark.report.cohorts.cohort import Cohort
from benchmark.report.figures.panel_grid import Page
from benchmark.report.figures.panels import Shown, family, kept, successes
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

Cells = dict[str, list[dict[int, Shown]]]


def _cells(cohort: Cohort, names: list[str]) -> Cells:
    """{attack: one {sample: what is shown} an interpreter} for attacks that every interpreter has."""
    found: Cells = {}
    for attack in ATTACKS:
        records = [cohort.find(name, attack) for name in names]
        cells = [kept(record) for record in records if record is not None]
        if cells and len(cells) == len(names) and all(cells):
            found[attack] = cells
    return found


def draw(cohort: Cohort, count: int = SAMPLES) -> Figure | None:
    """The figure, or None where no ADV2 cell kept a success on every interpreter."""
    names = [name for name in family(cohort) if cohort.find(name, "adv2") is not None]
    cells = _cells(cohort, names)
    chosen = successes(cells.get("adv2", []), count)
    chosen = [i for i in chosen if all(i in cell for attack in cells.values() for cell in attack)]
    if not chosen:
        return None
    page = Page(pairs=len(names), rows=len(chosen) * (1 + len(cells)), blocks=len(chosen), top=0.28)
    for place, name in enumerate(names):
        page.heading(place, interpreter_name(name))
    for sample in chosen:
        page.row_label("benign")
        for place, cell in enumerate(cells["adv2"]):
            shown = cell[sample]
            _pair(page, place, shown.benign, shown.map_benign, f"class {int(shown.row.pred_benign)}")
        page.next_row()
        for attack, shown_by in cells.items():
            page.row_label(probe_name(attack))
            for place, cell in enumerate(shown_by):
                shown = cell[sample]
                _pair(page, place, shown.probed, shown.map_probed, f"class {shown.change}, {shown.distance}")
            page.next_row()
        page.next_block()
    page.scale()
    return page.figure


def _pair(page: Page, place: int, image_CHW: np.ndarray, map_hw: np.ndarray, text: str) -> None:
    show_image(page.panel(place, 0), image_CHW)
    show_map(page.panel(place, 1), map_hw)
    page.below(place, text)
