"""How far a sweep is: its cells done, missing, failed or running, and the artefacts that they share."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from benchmark.configuration.specs import cell_name
from benchmark.configuration.sweep_expansion import Planned, Sweep
from benchmark.configuration.validation import check_values
from benchmark.planning.required_artefacts import ArtefactRef, required_artefacts
from benchmark.storage import paths
from benchmark.storage.leases import is_active

STATES = ("done", "running", "failed", "missing", "wrong")  # wrong: its configuration cannot be run
KINDS = ("classifier", "predictions", "interpreter", "scale", "spread", "probed")
_SHOWN = 12


@dataclass
class Cell:
    """One cell: its name, what sets it apart in the sweep, its state, and what went or is wrong."""

    name: str
    overrides: tuple[str, ...]
    state: str
    sentence: str = ""


@dataclass
class Plan:
    """A sweep and how far it is. ``uses`` counts for each artefact the cells that need it."""

    cells: list[Cell]
    uses: Counter[ArtefactRef] = field(default_factory=Counter)
    made: dict[ArtefactRef, str] = field(default_factory=dict)

    def count(self, state: str) -> int:
        """How many cells are in a state."""
        return sum(cell.state == state for cell in self.cells)


def plan(sweep: Sweep) -> Plan:
    """Looks at records and store; reads no weights and no samples, and writes nothing."""
    made = Plan([])
    for planned in sweep.cells:
        cell, wanted = inspect_cell(planned)
        made.cells.append(cell)
        made.uses.update(wanted)
    stores = {planned.config["paths"]["store"] for planned in sweep.cells if planned.config is not None}
    if len(stores) == 1:
        root = Path(stores.pop())
        made.made = {need: _artefact_state(root / need.kind / need.key) for need in made.uses}
    return made


def inspect_cell(planned: Planned) -> tuple[Cell, list[ArtefactRef]]:
    """One cell's state, and the artefacts that it uses."""
    shown = " ".join(planned.overrides) or "the configured cell"
    if planned.config is None:
        return Cell(shown, planned.overrides, "wrong", planned.error or ""), []
    try:
        check_values(planned.config)
        name, wanted = cell_name(planned.config), required_artefacts(planned.config)
    except (ValueError, OSError, TypeError, KeyError) as error:
        sentence = f"{error.args[0]} is missing" if isinstance(error, KeyError) else str(error)
        return Cell(shown, planned.overrides, "wrong", sentence), []
    state, sentence = _cell_state(Path(planned.config["paths"]["results"]) / name)
    return Cell(name, planned.overrides, state, sentence), wanted


def _cell_state(folder: Path) -> tuple[str, str]:
    running = is_active(paths.lease_in_folder(folder))
    try:
        cell: dict[str, Any] = json.loads((folder / paths.CELL).read_text())
        if cell["status"] == "failed" and not running:
            reason = cell["reason"]
            return "failed", f"{reason['error']} in {reason['stage']}: {reason['hint']}"
        whole = all((folder / name).is_file() for name in cell["checksums"])
        whole = whole and cell["status"] == "done"
    except (OSError, ValueError, KeyError, TypeError):
        whole = False
    return ("done" if whole else "running" if running else "missing"), ""


def _artefact_state(folder: Path) -> str:
    if (folder / paths.ARTEFACT).is_file():
        return "done"
    if is_active(paths.lease_beside(folder)):
        return "running"
    return "begun" if paths.partial_folder(folder).is_dir() else "missing"


def render(made: Plan, *, every: bool = False) -> RenderableType:
    """The plan as tables: states, artefacts, and what is wrong; ``every`` names each cell."""
    parts: list[RenderableType] = [Text(_headline(made))]
    if made.uses:
        parts.append(_artefact_table(made))
        parts += _artefacts(made) if every else []
    parts += _named(made.cells, every)
    return Group(*parts)


def _headline(made: Plan) -> str:
    counts = [f"{made.count(state)} {state}" for state in STATES if made.count(state) or state in ("done", "missing")]
    return f"{len(made.cells)} cells: {', '.join(counts)}"


def _artefacts(made: Plan) -> list[RenderableType]:
    """Each artefact by name, with the number of cells that need it."""
    needed = sorted(made.uses.items(), key=lambda item: KINDS.index(item[0].kind))
    return [
        Text(f"{made.made.get(need, 'missing'):<8} {need.kind} {need.key}  {need.label}, for {count} cells")
        for need, count in needed
    ]


def _artefact_table(made: Plan) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("artefact")
    for title in ("needed", "there", "being made", "begun", "missing", "cells that share one"):
        table.add_column(title, justify="right")
    for kind in KINDS:
        own = {need: count for need, count in made.uses.items() if need.kind == kind}
        if own:
            states = Counter(made.made.get(need, "missing") for need in own)
            low, high = min(own.values()), max(own.values())
            shared = str(low) if low == high else f"{low} to {high}"
            numbers = (len(own), states["done"], states["running"], states["begun"], states["missing"])
            table.add_row(kind, *map(str, numbers), shared)
    return table


def _named(cells: Iterable[Cell], every: bool) -> list[RenderableType]:
    """Each mistake once with the number of its cells; failed, running and, if asked, all other cells by name."""
    parts: list[RenderableType] = []
    cells = list(cells)
    mistakes: dict[str, list[Cell]] = {}
    for cell in cells:
        if cell.state == "wrong":
            mistakes.setdefault(cell.sentence, []).append(cell)
    for sentence, own in mistakes.items():
        where = own[0].name if len(own) == 1 else f"{len(own)} cells, the first: {own[0].name}"
        parts.append(Text(f"wrong    {where}\n         {sentence}", style="red"))
    for state, style in (("failed", "red"), ("running", "cyan"), ("missing", ""), ("done", "green")):
        own = [cell for cell in cells if cell.state == state]
        shown = own if every else own[:_SHOWN] if state in ("failed", "running") else []
        parts += [Text(f"{state:<8} {cell.name}  {cell.sentence}".rstrip(), style=style) for cell in shown]
        if shown and len(own) > len(shown):
            parts.append(Text(f"         and {len(own) - len(shown)} more {state} (--cells names all)"))
    return parts
