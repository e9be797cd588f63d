"""The layout as W&B has it: a saved view of a project's workspace, and a report. Both are made without a server."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import wandb_workspaces.expr as expr
import wandb_workspaces.reports.v2 as reports
import wandb_workspaces.workspaces as workspaces

from benchmark.tracking.dashboard.layout import COLUMNS, LAYOUT, Panel, Section
from benchmark.tracking.run_config import GROUP_KEYS

Filters = Mapping[str, tuple[Any, ...]]
_WIDTH, _HEIGHT, _PER_ROW = 12, 8, 2  # of a panel, in the 24 columns of a report's grid


def workspace(entity: str, project: str, name: str, filters: Filters) -> workspaces.Workspace:
    """A saved view: a section for each question, grouped so that a bar is one setting, withheld cells left out."""
    sections = [
        workspaces.Section(
            name=section.title,
            panels=[made(panel) for panel in section.panels],
            is_open=True,
            layout_settings=workspaces.SectionLayoutSettings(
                columns=_PER_ROW, rows=-(-len(section.panels) // _PER_ROW)
            ),
        )
        for section in LAYOUT
    ]
    return workspaces.Workspace(
        entity=entity,
        project=project,
        name=name,
        sections=sections,
        settings=workspaces.WorkspaceSettings(max_runs=100),
        runset_settings=workspaces.RunsetSettings(
            filters=conditions(filters),
            groupby=[expr.Config(key) for key in GROUP_KEYS],
            order=[expr.Ordering(expr.Config("interpreter")), expr.Ordering(expr.Config("condition"))],
            pinned_columns=[f"{name}.value" if name.startswith("config:") else name for name in COLUMNS],
        ),
    )


def report(entity: str, project: str, name: str, filters: Filters) -> reports.Report:
    """A report: each section with its text, its own filter and its own groups."""
    blocks: list[Any] = [reports.TableOfContents()]
    for section in LAYOUT:
        blocks += [reports.H1(section.title), reports.P(section.text), _grid(section, filters)]
    return reports.Report(
        entity=entity,
        project=project,
        title=name,
        description="Attribution maps under noise and attack, from the runs that underfire logs.",
        blocks=blocks,
        width="fluid",
    )


def as_json(view: workspaces.Workspace | reports.Report) -> dict[str, Any]:
    """What W&B is sent of a view, with the same ids each time."""
    content: dict[str, Any] = view._to_model().model_dump(mode="json", by_alias=True, exclude_none=True)
    _number(content, itertools.count(1))
    return content


def _number(node: Any, ids: Iterator[int]) -> None:
    """Numbers the panels and run sets, whose ids wandb-workspaces draws at random."""
    for name, value in node.items() if isinstance(node, dict) else enumerate(node):
        if name in ("__id__", "id") and value:
            node[name] = f"underfire-{next(ids)}"
        elif isinstance(value, dict | list):
            _number(value, ids)


def _grid(section: Section, filters: Filters) -> reports.PanelGrid:
    """The panels of a section over the runs that log them. A run set without a project is of the report's own."""
    placed = []
    for index, panel in enumerate(section.panels):
        wide = panel.kind in ("table", "media")
        each = made(panel)
        each.layout = reports.Layout(
            x=0 if wide else (index % _PER_ROW) * _WIDTH,
            y=index * _HEIGHT if wide else (index // _PER_ROW) * _HEIGHT,
            w=2 * _WIDTH if wide else _WIDTH,
            h=_HEIGHT,
        )
        placed.append(each)
    runs = reports.Runset(
        name=section.title,
        filters=conditions({**filters, **section.only}),
        groupby=[f"config.{key}" for key in section.group_by],
    )
    return reports.PanelGrid(runsets=[runs], panels=placed)


def conditions(filters: Filters) -> expr.And:
    """Filters as W&B takes them; cells that are no evidence stay out."""
    found = [expr.Config("withheld") == False]  # noqa: E712
    for key, values in filters.items():
        found.append(expr.Config(key) == values[0] if len(values) == 1 else expr.Config(key).isin(list(values)))
    return expr.And(*found)


def made(panel: Panel) -> Any:
    """One panel of the layout as W&B's."""
    summary: list[Any] = [reports.SummaryMetric(key) for key in panel.keys]
    match panel.kind:
        case "bars":
            return reports.BarPlot(
                title=panel.title, metrics=summary, orientation="h", max_bars_to_show=100, groupby_rangefunc="minmax"
            )
        case "lines":
            return reports.LinePlot(title=panel.title, x=panel.x, y=list(panel.keys), max_runs_to_show=100)
        case "scatter":
            return reports.ScatterPlot(title=panel.title, x=reports.SummaryMetric(str(panel.x)), y=summary[0])
        case "coordinates":
            columns = [reports.Config(key) for key in panel.settings] + summary
            return reports.ParallelCoordinatesPlot(
                title=panel.title, columns=[reports.ParallelCoordinatesPlotColumn(each) for each in columns]
            )
        case "table":
            return reports.WeavePanelSummaryTable(table_name=panel.keys[0])
        case "media":
            return reports.MediaBrowser(title=panel.title, media_keys=list(panel.keys), num_columns=1)
