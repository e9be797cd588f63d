"""Draws the pages' figures from the published results: ``python -m tests.docs.figures``.

Figures 15 and 16 hold photographs or digits, which published results do not: they are copied from a report.
"""

from __future__ import annotations

from benchmark.report.cohorts.grouping import grouped
from benchmark.report.figures import curves, forest, frontier
from benchmark.report.figures.style import save, styled
from benchmark.report.published.location import SETS
from benchmark.report.published.pack import read_pack
from benchmark.report.selection import aid_study
from benchmark.storage.records import Record
from tests.docs.tables import RESULTS, Published
from tests.helpers import PROJECT

FIGURES = PROJECT / "docs" / "figures"


def attacks_in(*folders: str) -> list[Record]:
    """The cells of adv2_auto that are published in these folders."""
    found = [record for name in folders for record in read_pack(RESULTS / name).records]
    return [record for record in found if record.cell["probe"] == "adv2_auto"]


def main() -> None:
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
