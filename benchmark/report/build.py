"""The report from records alone: no model, no data set, no torch."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from benchmark.report.claims.verdicts import judge, write_verdicts
from benchmark.report.cohorts.cohort import IDENTITY
from benchmark.report.cohorts.grouping import grouped
from benchmark.report.cohorts.trainings import Trainings
from benchmark.report.compare.reference import Reference, reference
from benchmark.report.compare.section import compare
from benchmark.report.figures.all_figures import write_figures
from benchmark.report.figures.curves import CAPTION as CURVES
from benchmark.report.figures.curves import curve_table, draw, lines_of
from benchmark.report.figures.style import save, styled
from benchmark.report.page import Section, how_to_read, page
from benchmark.report.published.pack import scan_results
from benchmark.report.selection import aid_study
from benchmark.report.statistics.bootstrap import DEFAULT_BOOTSTRAP, Bootstrap
from benchmark.report.tables.all_tables import all_tables
from benchmark.report.tables.formats import write_table
from benchmark.report.tables.tidy import tidy, tidy_effects
from benchmark.report.transfer.beaten import with_beaten_flags
from benchmark.report.transfer.transfer_cells import source_of
from benchmark.report.transfer.transfer_section import transfer_parts, write_transfer
from benchmark.report.web.index_page import PageContent, write_index
from benchmark.storage.records import Record, Scan

log = logging.getLogger("underfire")

INDEX = "index.html"
# Left out unless the filters name the field: smoke runs are for tests, calibration is for the choice of settings.
LEFT_OUT = {"budget": "smoke", "split": "calibration"}


def build_report(
    results_root: Path | str,
    report_root: Path | str,
    filters: Mapping[str, Any] | None = None,
    bootstrap: Bootstrap = DEFAULT_BOOTSTRAP,
    compare_with: str | None = None,
) -> Path:
    """Reads the records under ``results_root`` that pass ``filters`` and writes the report; returns its ``report.md``.
    The page to open is ``index.html`` beside it.

    ``results_root`` may also hold published results. ``filters`` are fields of cell.json with the value wanted; None
    stands for any value. ``compare_with``: "published", or a folder of results, to set the trainings beside.

    Written: index.html, report.md, verdicts.json, results.parquet, and tables/ and figures/, which lie in a folder of
    their own for each setting where cells of several (data sets, budgets, versions, settings) were found. The
    trainings of one setting, which differ in their seed alone, are reported together.

    Raises:
        ValueError: no finished record passes; says what was looked for, where, and which records there are. Or there
            is nothing to compare with in the folder.
    """
    root, out = Path(results_root), Path(report_root)
    others = reference(compare_with, root)
    wanted = {name: value for name, value in (filters or {}).items() if value is not None}
    scan = scan_results(root)
    scan.warn()
    chosen, left_out = chosen_records(scan, wanted)
    records = with_beaten_flags(chosen, scan.records, bootstrap)
    failed = [record for record in records if record.cell.get("status") != "done"]
    transferred = [record for record in records if source_of(record) and record not in failed]
    groups = grouped([record for record in records if not source_of(record)])
    if not groups and not transferred:
        raise ValueError(_no_record_message(root, wanted, scan))
    out.mkdir(parents=True, exist_ok=True)
    sections = [
        _write_section(out, group, group.slug if len(groups) > 1 else "", bootstrap, others) for group in groups
    ]
    write_verdicts(out / "verdicts.json", [row for section in sections for row in section.verdicts.rows])
    done = [record for record in records if record.cell.get("status") == "done"]
    results = [tidy(done, bootstrap), tidy_effects(groups, bootstrap)]
    pd.concat(results, ignore_index=True).to_parquet(out / "results.parquet", index=False)
    path = out / "report.md"
    text = page(sections, failed, [how_to_read(bootstrap), *left_out])
    parts = transfer_parts(transferred, bootstrap)
    more = [*_write_curves(out, groups), *write_transfer(out, parts)]
    study = _study(scan.matching(**wanted), bootstrap)
    content = PageContent(sections, failed, left_out, how_to_read(bootstrap), parts, study)
    write_index(out / INDEX, content, root)
    path.write_text("\n".join([text.rstrip("\n"), "", *more]) if more else text, encoding="utf-8")
    return path


def chosen_records(scan: Scan, filters: dict[str, Any]) -> tuple[list[Record], list[str]]:
    """Records that pass the filters, without what only a filter asks for (``LEFT_OUT``); and a sentence on each kind
    left out."""
    records = scan.matching(**filters)
    notes: list[str] = []
    if scan.damaged:
        notes.append(f"Left out: {len(scan.damaged)} damaged; `python -m benchmark verify` names them.")
    if scan.other:
        notes.append(f"{scan.others}.")
    for field, value in LEFT_OUT.items():
        if field in filters:
            continue
        kept = [record for record in records if record.cell.get(field) != value]
        if len(kept) < len(records):
            count = len(records) - len(kept)
            notes.append(f"Left out, unless asked for by {field}={value}: {count} of that kind.")
        records = kept
    return records, notes


def _write_section(
    out: Path, trainings: Trainings, folder: str, bootstrap: Bootstrap, others: Reference | None
) -> Section:
    verdicts = judge(trainings, bootstrap)
    tables = all_tables(trainings, verdicts.rows, bootstrap)
    if lines := lines_of([trainings]):
        tables.append(curve_table(lines))
    compared = compare(trainings, verdicts, others, bootstrap)
    for table in (*tables, *compared.tables):
        write_table(out / folder / "tables", table)
    figures = write_figures(out / folder / "figures", trainings, verdicts.rows, bootstrap)
    return Section(trainings, folder, verdicts, tables, figures, compared)


def _study(records: Sequence[Record], bootstrap: Bootstrap) -> list[aid_study.Result]:
    """The settings of AID on the calibration split, for the frontier; none where there are not several to choose from,
    or where more than these settings was varied."""
    try:
        found = aid_study.results(records, bootstrap=bootstrap)
    except ValueError as error:
        log.info("no frontier of AID: %s", error)
        return []
    return found if len(found) > 1 and all(each.joint is not None for each in found) else []


def _write_curves(out: Path, groups: Sequence[Trainings]) -> list[str]:
    """The curves of all classifiers in one figure and table, where there are several; returns the page's lines."""
    lines = lines_of(groups)
    if len({line.classifier for line in lines}) < 2:
        return []
    write_table(out / "tables", curve_table(lines))
    with styled():
        figure = draw(lines)
        assert figure is not None  # there are lines
        save(figure, out / "figures", "distance_by_passes")
    title = "Distance against passes, all classifiers"
    return [f"## {title}", "", f"![{title}](figures/distance_by_passes.png)", "", f"*{CURVES}*", ""]


def _no_record_message(root: Path, filters: dict[str, Any], scan: Scan) -> str:
    wanted = ", ".join(f"{name}={value}" for name, value in filters.items()) or "any finished record"
    usual = ", ".join(f"{field}={value}" for field, value in LEFT_OUT.items() if field not in filters)
    usual = f" (without {usual}, which must be asked for)" if usual else ""
    if scan.records:
        present = f"there are {len(scan.records)} records: {_overview(scan.records)}"
        present += ". Change the filters to match some of them"
    elif scan.other or scan.damaged:
        present = f"there are {len(scan.damaged)} damaged records and {len(scan.other)} of another format"
    else:
        present = "there is no record at all: compute some first, with "
        present += "`python -m benchmark run experiment=observation_8`"
    return f"No record to report: looked in {root} for {wanted}{usual}; {present}."


def _overview(records: Sequence[Record]) -> str:
    """'data: digits (27); budget: smoke (27); ...'."""
    parts = []
    for field in (*IDENTITY, "interpreter", "probe", "status"):
        count = Counter(str(record.cell.get(field)) for record in records)
        parts.append(f"{field}: " + ", ".join(f"{value} ({n})" for value, n in sorted(count.items())))
    return "; ".join(parts)
