"""Kept pictures of the figures, drawn from planted records: ``python -m tests.report.references`` makes them anew.

Look at each before keeping it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from benchmark.report.claims.verdicts import judge
from benchmark.report.cohorts.grouping import grouped
from benchmark.report.figures import attack_examples, distances, forest, noise_examples
from benchmark.report.figures.style import styled
from benchmark.report.statistics.bootstrap import Bootstrap
from tests.report.planted import World, sweep, trainings

FOLDER = Path(__file__).with_name("references")
DPI = 50  # small files; what matters is seen
_FEW = Bootstrap(50)


def _several():
    (group,) = grouped(trainings(World(n=120, between=0.01)))
    return group


def _pictured():
    (group,) = grouped(sweep(World(n=120), pictures=True))
    return group.cohorts[0]


DRAWN: dict[str, Callable[[], Figure | None]] = {
    "differences": lambda: forest.forest(judge(_several(), _FEW).rows),
    "map_l1": lambda: distances.distances(_several(), _FEW),
    "figure_15": lambda: noise_examples.draw(_pictured(), 1),
    "figure_16": lambda: attack_examples.draw(_pictured(), 1),
}


def write(folder: Path, name: str) -> Path:
    """<folder>/<name>.png."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.png"
    with styled():
        figure = DRAWN[name]()
        assert figure is not None
        figure.savefig(path, dpi=DPI, metadata={"Software": None})
        plt.close(figure)
    return path


if __name__ == "__main__":
    for drawn in DRAWN:
        print(write(FOLDER, drawn))
