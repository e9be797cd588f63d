"""All figures of the trainings of one setting, written as PNG and PDF."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure

from benchmark.report.claims.rows import ClaimRow
from benchmark.report.cohorts.trainings import Trainings
from benchmark.report.figures import attack_examples, curves, distances, forest, noise_examples
from benchmark.report.figures.style import save, styled
from benchmark.report.statistics.bootstrap import DEFAULT_BOOTSTRAP, Bootstrap


@dataclass(frozen=True)
class FigureFile:
    """A figure on disk: ``name`` without suffix, its title and what stands below it."""

    name: str
    title: str
    caption: str


def write_figures(
    folder: Path, trainings: Trainings, rows: list[ClaimRow], bootstrap: Bootstrap = DEFAULT_BOOTSTRAP
) -> list[FigureFile]:
    """Draws what the records allow; a figure without data is left out. Example images are of the first training."""
    first = trainings.cohorts[0]
    plans: list[tuple[FigureFile, Callable[[], Figure | None]]] = [
        (FigureFile("differences", "Differences at a glance", forest.CAPTION), lambda: forest.forest(rows)),
        (
            FigureFile("map_l1", "Distance under each probe", distances.CAPTION),
            lambda: distances.distances(trainings, bootstrap),
        ),
        (
            FigureFile("distance_by_passes", "Distance against passes", curves.CAPTION),
            lambda: curves.draw(curves.lines_of([trainings])),
        ),
        (
            FigureFile("figure_15", "Figure 15, noise", noise_examples.CAPTION.format(count=noise_examples.SAMPLES)),
            lambda: noise_examples.draw(first),
        ),
        (
            FigureFile("figure_16", "Figure 16, ADV2", attack_examples.CAPTION.format(count=attack_examples.SAMPLES)),
            lambda: attack_examples.draw(first),
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
