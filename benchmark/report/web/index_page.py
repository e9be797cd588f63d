"""``index.html``: the whole report in one file that opens from disk and asks for nothing else."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
import matplotlib
import numpy as np

from benchmark.report.figures.curves import CAPTION as CURVES
from benchmark.report.figures.curves import lines_of
from benchmark.report.figures.style import MAP_COLOURS
from benchmark.report.page import Section
from benchmark.report.selection.aid_study import Result
from benchmark.report.transfer.transfer_section import TransferPart
from benchmark.report.web import charts
from benchmark.report.web.cell_index import CellIndex
from benchmark.report.web.examples_view import Pictures, figures, gallery
from benchmark.report.web.section_views import failure_view, section_tables, section_view, study_view, transfer_view

if TYPE_CHECKING:
    from benchmark.storage.records import Record

TEMPLATE = Path(__file__).with_name("template")
SCRIPTS = ("page.js", "tables.js", "tiles.js", "figures.js", "gallery.js", "start.js")


@dataclass(frozen=True)
class PageContent:
    """What the page is made of. reading: how to read an interval. study: the settings of AID, where there are some."""

    sections: Sequence[Section]
    failed: Sequence[Record]
    notes: Sequence[str]
    reading: str
    transfer: Sequence[TransferPart] = ()
    study: Sequence[Result] = field(default_factory=list)


def write_index(path: Path, content: PageContent, results: Path) -> None:
    """Writes the page; ``results`` is where the records lie, to which it links by relative paths."""
    trainings = [section.trainings for section in content.sections]
    cohorts = [cohort for group in trainings for cohort in group.cohorts]
    swept = {str(record.cell["name"]): cohort.settings for cohort in cohorts for record in cohort.records}
    index = CellIndex(results.resolve(), path.parent.resolve(), swept)
    records = [record for group in trainings for record in group.records]
    records += [record for part in content.transfer for record in part.cells.values()]
    for record in records:
        index.number(record)
    pictures = Pictures(index, records)
    drawn = figures(trainings, pictures)
    shown = gallery(records, pictures)
    transfer = [transfer_view(part, index) for part in content.transfer]
    study = study_view(content.study, index)
    originals = pictures.originals.sheets()
    data: dict[str, Any] = {
        "page": {
            "cells": index.cells,
            "classes": index.classes,
            "colours": _colour_scale(),
            "sheets": pictures.described,
            "originals": [
                {**{name: sheet[name] for name in ("start", "n", "size")}, "masked": bool(sheet["masks"])}
                for sheet in originals
            ],
            "figures": drawn,
            "gallery": shown,
        },
        **{f"tables-{place}": section_tables(section, index) for place, section in enumerate(content.sections)},
        "tables-transfer": [table for part in transfer for table in part["tables"]],
        "tables-study": study["tables"],
    }
    lines = lines_of(trainings)
    values = {
        "sections": [section_view(section, place, drawn[place]) for place, section in enumerate(content.sections)],
        "failed": [failure_view(record) for record in content.failed],
        "notes": content.notes,
        "reading": content.reading,
        "transfer": transfer,
        "study": study,
        "all_curves": charts.distance_by_passes(lines) if len({line.classifier for line in lines}) > 1 else "",
        "curves_caption": CURVES,
        "has_gallery": bool(shown),
        "cells": len(index.cells),
        "data": {name: _json(value) for name, value in data.items()},
        "sheets": pictures.sheets,
        "originals": originals,
        "style": _part("style.css"),
        "script": "\n".join(map(_part, SCRIPTS)),
    }
    path.write_text(_environment().get_template("index.html.j2").render(values), encoding="utf-8")


def _environment() -> jinja2.Environment:
    loader = jinja2.FileSystemLoader(TEMPLATE)
    return jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )


def _part(name: str) -> str:
    return (TEMPLATE / name).read_text(encoding="utf-8")


def _json(value: Any) -> str:
    """JSON that cannot end the script element it stands in."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _colour_scale() -> list[int]:
    """Red, green and blue of the maps' scale at 256 values, one after another."""
    scale = matplotlib.colormaps[MAP_COLOURS](np.arange(256))[:, :3]
    return [round(255 * float(value)) for value in scale.ravel()]
