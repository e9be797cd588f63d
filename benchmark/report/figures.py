"""All figures of one group of cells, written as PNG and PDF."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure

from benchmark.report import figure15, figure16, summary
from benchmark.report.groups import Group
from benchmark.report.intervals import RESAMPLES
from benchmark.report.rows import Row
from benchmark.report.style import save, styled


@dataclass(frozen=True)
class Written:
    """A figure on disk: ``name`` without suffix, its title and what stands below it."""

    name: str
    title: str
    caption: str


def write_figures(
    folder: Path, group: Group, rows: list[Row], *, resamples: int = RESAMPLES, seed: int = 0
) -> list[Written]:
    """Draws what the group's records allow; a figure without data is left out."""
    plans: list[tuple[Written, Callable[[], Figure | None]]] = [
        (Written("differences", "Differences at a glance", summary.FOREST_CAPTION), lambda: summary.forest(rows)),
        (
            Written("map_l1", "Distance under each probe", summary.BARS_CAPTION),
            lambda: summary.bars(group, resamples=resamples, seed=seed),
        ),
        (
            Written("figure_15", "Figure 15, noise", figure15.CAPTION.format(count=figure15.SAMPLES)),
            lambda: figure15.draw(group),
        ),
        (
            Written("figure_16", "Figure 16, ADV2", figure16.CAPTION.format(count=figure16.SAMPLES)),
            lambda: figure16.draw(group),
        ),
    ]
    written = []
    with styled():
        for plan, draw in plans:
            figure = draw()
            if figure is not None:
                save(figure, folder, plan.name)
                written.append(plan)
    return written
