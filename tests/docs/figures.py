"""Draws the pages' figures from the published results: ``python -m tests.docs.figures``.

Figures 15 and 16 of digits hold images, which published results do not: they are copied from a report. Those of
photographs are drawn, with one sample of each, from the results of ``make imagenet``: ``python -m tests.docs.figures
RESULTS``.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from PIL import Image

from benchmark.report.cohorts.grouping import grouped
from benchmark.report.figures import attack_examples, curves, forest, frontier, noise_examples
from benchmark.report.figures.style import WIDTH, save, styled
from benchmark.report.published.location import SETS
from benchmark.report.published.pack import read_pack
from benchmark.report.selection import aid_study
from benchmark.storage.records import Record, read_records
from tests.docs.tables import RESULTS, Published
from tests.helpers import PROJECT

FIGURES = PROJECT / "docs" / "figures"
DOTS = 1200 / WIDTH  # an inch: 1,200 pixels across


def attacks_in(*folders: str) -> list[Record]:
    """The cells of adv2_auto that are published in these folders."""
    found = [record for name in folders for record in read_pack(RESULTS / name).records]
    return [record for record in found if record.cell["probe"] == "adv2_auto"]


def write_photographs(results: Path) -> None:
    """Figures 15 and 16 of the trainings there, as JPEG, which photographs take less room in."""
    first = grouped(read_records(results))[0].cohorts[0]
    with styled():
        for number, draw in ((15, noise_examples.draw), (16, attack_examples.draw)):
            figure = draw(first, 1)
            assert figure is not None
            _write_jpeg(figure, FIGURES / f"photographs_{number}.jpg")


def _write_jpeg(figure: Figure, path: Path) -> None:
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=DOTS)
    plt.close(figure)
    with Image.open(buffer) as picture:
        picture.convert("RGB").save(path, quality=88, optimize=True)
    print(path)


def main() -> None:
    if sys.argv[1:]:
        write_photographs(Path(sys.argv[1]))
        return
    trainings = Published([read_pack(RESULTS / name) for name in SETS])
    cifar = Published([read_pack(RESULTS / "cifar10")])
    study = read_pack(RESULTS / "aid_study").records
    drawn = {
        "differences": lambda: forest.forest(trainings.verdicts.rows),
        "distance_by_passes": lambda: curves.draw(curves.lines_of(grouped(attacks_in("v2", "robust")))),
        "cifar10_differences": lambda: forest.forest(cifar.verdicts.rows),
        "cifar10_distance_by_passes": lambda: curves.draw(
            curves.lines_of(grouped(attacks_in("cifar10", "cifar10_robust")))
        ),
        "aid_study": lambda: frontier.draw(aid_study.points(aid_study.results(study))),
    }
    with styled():
        for name, draw in drawn.items():
            figure = draw()
            assert figure is not None
            save(figure, FIGURES, name)
            (FIGURES / f"{name}.pdf").unlink()
            print(FIGURES / f"{name}.png")


if __name__ == "__main__":
    main()
