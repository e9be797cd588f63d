"""The parts of the page as plain values, which its template and its script show."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from benchmark.report.cohorts.cohort import level_of, steps_factor_of
from benchmark.report.cohorts.trainings import Trainings
from benchmark.report.figures.curves import lines_of
from benchmark.report.figures.frontier import CAPTION as FRONTIER
from benchmark.report.labels import interpreter_name, probe_setting
from benchmark.report.page import Section, provenance_rows
from benchmark.report.selection import aid_study
from benchmark.report.tables.formats import Table
from benchmark.report.transfer.transfer_section import TransferPart
from benchmark.report.web import charts
from benchmark.report.web.cell_index import CellIndex
from benchmark.report.web.heat_view import heat_view
from benchmark.report.web.table_view import table_view
from benchmark.report.web.verdict_view import claims_view

if TYPE_CHECKING:
    from benchmark.storage.records import Record

# What a table is about, in the words of its heading on the page.
_TITLES = {
    "claims": "What decides the verdicts",
    "effects": "Does the map give the attack away?",
    "attack_rates": "Attacks: how often they succeed",
    "attack_maps": "Attacks: how far the maps move",
    "attack_goals": "Attacks with a goal map",
    "attack_gaps": "Attacks against PGD",
    "noise_rates": "Noise: how often it misleads the classifier",
    "noise_maps": "Noise: how far the maps move",
    "benign": "Benign inputs",
    "curves": "Distance against passes",
    "verdicts": "Every comparison made",
    "compared": "Every figure compared with other trainings",
}
_FOLDED = ("verdicts", "compared", "curves", "attack_goals")  # opened by who wants them


def section_view(section: Section, place: int, figures: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What the template shows of one setting; ``figures`` are its Figures 15 and 16."""
    trainings = section.trainings
    lines = lines_of([trainings])
    names = list(dict.fromkeys(line.interpreter for line in lines))
    return {
        "place": place,
        "title": trainings.title,
        "key": trainings.key,
        "seeds": trainings.seeds_in_words,
        "trainings": len(trainings.cohorts),
        "cells": len(trainings.records),
        "interpreters": [interpreter_name(name) for name in trainings.interpreters],
        "claims": claims_view(section.verdicts),
        "curve": charts.distance_by_passes(lines),
        "legend": _legend(names),
        "figures": figures,
        "files": [(figure, f"{_prefix(section)}figures/{figure.name}") for figure in section.figures],
        "compared": section.compared.sentences,
        "provenance": provenance_rows(trainings),
    }


def _prefix(section: Section) -> str:
    return f"{section.folder}/" if section.folder else ""


def _legend(names: Sequence[str]) -> list[tuple[int, str]]:
    return [(charts.series(name, place), interpreter_name(name)) for place, name in enumerate(names)]


def section_tables(section: Section, index: CellIndex) -> list[dict[str, Any]]:
    """All tables of one setting, its cells last."""
    found = [*section.tables, *section.compared.tables]
    views = [_table(table, index, file=f"{_prefix(section)}tables/{table.name}") for table in found]
    return [*views, _cells(section.trainings, index)]


def _table(table: Table, index: CellIndex, *, title: str = "", file: str = "") -> dict[str, Any]:
    about = {"title": title or _TITLES.get(table.name, table.name), "file": file, "folded": table.name in _FOLDED}
    return table_view(table, index) | about


def _cells(trainings: Trainings, index: CellIndex) -> dict[str, Any]:
    numbers = [index.number(record) for record in trainings.records]
    cells = [index.cells[number] for number in numbers]
    rows = [
        [
            *(cell[name] for name in ("interpreter", "probe", "seed", "n", "spread")),
            ", ".join(name for name, _ in cell["flags"]),
            *(cell[name] for name in ("seconds", "name")),
        ]
        for cell in cells
    ]
    return {
        "name": "cells",
        "title": f"The {len(cells)} cells",
        "caption": "Every cell behind this setting: its benign spread, its flags, and what it took.",
        "columns": ["interpreter", "probe", "seed", "n", "benign spread", "flags", "seconds", "record"],
        "rows": rows,
        "cells": [[number] for number in numbers],
        "file": "",
        "folded": True,
    }


def transfer_view(part: TransferPart, index: CellIndex) -> dict[str, Any]:
    """The matrices of one set of like cells, and the ensemble as a defence."""
    maps = [heat_view(metric, matrix, part.cells, index) for metric, matrix in part.matrices.items()]
    tables: list[dict[str, Any]] = []
    if part.defence is not None:
        title = "The ensemble as a defence"
        tables.append(_table(part.defence, index, title=title, file=f"tables/{part.defence.name}"))
    return {
        "title": part.title,
        "caption": part.caption,
        "maps": maps,
        "tables": tables,
        "file": f"figures/{part.name}",
    }


def study_view(found: Sequence[aid_study.Result], index: CellIndex) -> dict[str, Any]:
    """The frontier of AID and its table; an empty chart where there is none."""
    points = aid_study.points(found)
    names = list(dict.fromkeys(point.interpreter for point in points))
    title = "Settings of AID, on the calibration split"
    tables = [_table(aid_study.study_table(found), index, title=title)] if found else []
    return {"chart": charts.frontier(points), "tables": tables, "caption": FRONTIER, "legend": _legend(names)}


def failure_view(record: Record) -> dict[str, str]:
    """A cell that failed, and why."""
    reason = record.cell.get("reason") or {}
    probe = probe_setting(str(record.cell["probe"]), level_of(record), steps_factor_of(record))
    about = {"name": str(record.cell.get("name")), "probe": probe, "interpreter": str(record.cell["interpreter"])}
    return about | {name: str(reason.get(name, "") or "") for name in ("stage", "error", "hint")}
