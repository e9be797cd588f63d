"""Draws the pages' figures from the published results: ``python -m tests.docs.figures``.

Figures 15 and 16 hold photographs or digits, which published results do not: they are copied from a report.
"""

from __future__ import annotations

from benchmark.report.cohorts.grouping import grouped
from benchmark.report.figures import curves, forest, frontier
from benchmark.report.figures.style import save, styled
from benchmark.report.published.location import VERSION
from benchmark.report.published.pack import read_pack
from benchmark.report.selection import aid_study
from tests.docs.tables import RESULTS, Published
from tests.helpers import PROJECT

FIGURES = PROJECT / "docs" / "figures"
def main() -> None:
    trainings = Published(read_pack(RESULTS / VERSION))
    study = read_pack(RESULTS / "aid_study").records
    attacked = [
        record
        for published in (trainings.pack, read_pack(RESULTS / "robust"))
        for record in published.records
        if record.cell["probe"] == "adv2_auto"
    ]
    drawn = {
        "differences": lambda: forest.forest(trainings.verdicts.rows),
        "distance_by_passes": lambda: curves.draw(curves.lines_of(grouped(attacked))),
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
