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
from benchmark.storage.records import Record
from tests.docs.tables import RESULTS, Published
from tests.helpers import PROJECT

FIGURES = PROJECT / "docs" / "figures"
# Of the study: the settings that conf/interpreter has, by what tells them from the candidates.
DEFAULTS = {
    "rts": {"finish_steps": 200},
    "rtsa": {"finish_steps": 200, "lambda_aid": 2.0},
    "rtsa_anchored": {
        "finish_steps": 200,
        "finish_after": "start",
        "own_trunk": False,
        "lambda_aid": 20.0,
        "kappa": 0.3,
        "inner.steps": 5,
    },
}


def has_defaults(record: Record) -> bool:
    """Whether a cell of the study has the settings of conf/interpreter."""
    interpreter = record.cell["config"]["interpreter"]

    def value(key: str) -> object:
        group, _, leaf = key.rpartition(".")
        return (interpreter[group] if group else interpreter)[leaf]

    return all(value(key) == wanted for key, wanted in DEFAULTS[record.cell["interpreter"]].items())


def main() -> None:
    trainings = Published(read_pack(RESULTS / VERSION))
    study = read_pack(RESULTS / "aid_study").records
    defaults = [record for record in study if has_defaults(record)]
    drawn = {
        "differences": lambda: forest.forest(trainings.verdicts.rows),
        "distance_by_passes": lambda: curves.draw(curves.lines_of(grouped(defaults))),
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
