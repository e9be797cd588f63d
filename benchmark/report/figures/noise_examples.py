"""Figure 15: samples that noise makes the classifier get wrong, with each interpreter's map before and after.

Samples are not picked: of those kept in the records, each block shows the first misclassified ones by sample id.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from matplotlib.figure import Figure

from benchmark.report.cohorts.cohort import Cohort
from benchmark.report.figures.panel_grid import PanelGrid
from benchmark.report.figures.panels import ExampleImages, first_successes, interpreters_to_draw, kept_examples
from benchmark.report.figures.style import show_image, show_map
from benchmark.report.labels import interpreter_name, probe_name

SAMPLES = 2
CAPTION = (
    "Samples misclassified under noise. Each block shows the first {count} misclassified samples by sample id among "
    "those kept. Left: the input, clean and noisy, with the prediction before → after. Right: each interpreter's map "
    "of the clean and the noisy input (for the class predicted on it), on the map's own grid, and the L1 distance "
    "between the two."
)


@dataclass(frozen=True)
class _Line:
    """One sample under one noise, with the images and maps of each interpreter; None where its cell did not keep it."""

    block: str
    shown: list[ExampleImages | None]

    @property
    def first(self) -> ExampleImages:
        return next(shown for shown in self.shown if shown is not None)


def _lines(cohort: Cohort, names: list[str], count: int) -> list[_Line]:
    lines = []
    for probe, level in cohort.noises:
        records = [cohort.find(name, probe, level) for name in names]
        cells = [kept_examples(record) if record is not None else {} for record in records]
        present = [cell for cell in cells if cell]
        for sample in first_successes(present, count):
            lines.append(_Line(probe_name(probe, level), [cell.get(sample) for cell in cells]))
    return lines


def draw(cohort: Cohort, count: int = SAMPLES) -> Figure | None:
    """The figure, or None where no cell kept a misclassified sample."""
    names = interpreters_to_draw(cohort.records)
    lines = _lines(cohort, names, count)
    if not lines:
        return None
    blocks = [(name, list(rows)) for name, rows in itertools.groupby(lines, key=lambda line: line.block)]
    grid = PanelGrid(pairs=1 + len(names), rows=len(lines), blocks=len(blocks), top=0.42)
    grid.heading(0, "Input", ("clean", "noisy"))
    for column, name in enumerate(names, start=1):
        grid.heading(column, f"{interpreter_name(name)} map", ("clean", "noisy"))
    for block, rows in blocks:
        grid.block_label(block, len(rows))
        for line in rows:
            _draw_line(grid, line)
            grid.next_row()
        grid.next_block()
    grid.scale()
    absent = [name for probe, level in cohort.noises if (name := probe_name(probe, level)) not in dict(blocks)]
    if absent:
        grid.remark(f"no kept sample is misclassified under {', '.join(absent)}")
    return grid.figure


def _draw_line(grid: PanelGrid, line: _Line) -> None:
    show_image(grid.panel(0, 0), line.first.benign)
    show_image(grid.panel(0, 1), line.first.probed)
    grid.below(0, f"class {line.first.change}")
    for column, shown in enumerate(line.shown, start=1):
        if shown is None:
            continue
        show_map(grid.panel(column, 0), shown.map_benign)
        show_map(grid.panel(column, 1), shown.map_probed)
        grid.below(column, shown.distance)
