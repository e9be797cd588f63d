"""How far a sweep is: its cells done, missing, failed or running, and the artefacts that they share."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmark.configuration.cells import Cell
from benchmark.configuration.sweep_expansion import Planned, Sweep
from benchmark.configuration.validation import check_values
from benchmark.planning.required_artefacts import ArtefactRef, required_artefacts
from benchmark.storage import paths
from benchmark.storage.artefacts import is_other_format
from benchmark.storage.formats import is_other, records_left_out
from benchmark.storage.leases import is_active
from benchmark.storage.records import other_formats

STATES = ("done", "running", "failed", "missing", "wrong")  # wrong: its configuration cannot be run


@dataclass
class CellStatus:
    """One cell: its name, what sets it apart in the sweep, its state, and what went or is wrong."""

    name: str
    overrides: tuple[str, ...]
    state: str
    sentence: str = ""


@dataclass
class Plan:
    """A sweep and how far it is. ``uses`` counts for each artefact the cells that need it, ``made`` holds its state."""

    cells: list[CellStatus]
    needed: list[list[ArtefactRef]] = field(default_factory=list)  # by each cell
    uses: Counter[ArtefactRef] = field(default_factory=Counter)
    made: dict[ArtefactRef, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)  # sentences on what lies beside the sweep

    def count(self, state: str) -> int:
        """How many cells are in a state."""
        return sum(cell.state == state for cell in self.cells)


def plan(sweep: Sweep) -> Plan:
    """Looks at records and store; reads no weights and no samples, and writes nothing."""
    made = Plan([])
    for planned in sweep.cells:
        cell, wanted = inspect_cell(planned)
        made.cells.append(cell)
        made.needed.append(wanted)
        made.uses.update(wanted)
    stores = {planned.config["paths"]["store"] for planned in sweep.cells if planned.config is not None}
    if len(stores) == 1:
        root = Path(stores.pop())
        made.made = {need: _artefact_state(root / need.kind / need.key) for need in made.uses}
    if made.count("missing"):
        roots = {planned.config["paths"]["results"] for planned in sweep.cells if planned.config is not None}
        others = [each for root in sorted(roots) for each in other_formats(Path(root))]
        made.notes += filter(None, [records_left_out(others)])
    return made


def inspect_cell(planned: Planned) -> tuple[CellStatus, list[ArtefactRef]]:
    """One cell's state, and the artefacts that it uses."""
    shown = " ".join(planned.overrides) or "the configured cell"
    if planned.config is None:
        return CellStatus(shown, planned.overrides, "wrong", planned.error or ""), []
    try:
        check_values(planned.config)
        cell = Cell(planned.config)
        name, folder, wanted = cell.name, cell.folder, required_artefacts(planned.config)
    except (ValueError, OSError, TypeError, KeyError) as error:
        sentence = f"{error.args[0]} is missing" if isinstance(error, KeyError) else str(error)
        return CellStatus(shown, planned.overrides, "wrong", sentence), []
    state, sentence = _cell_state(folder)
    return CellStatus(name, planned.overrides, state, sentence), wanted


def _cell_state(folder: Path) -> tuple[str, str]:
    running = is_active(paths.lease_in_folder(folder))
    try:
        cell: dict[str, Any] = json.loads((folder / paths.CELL).read_text())
        other = is_other("cell", cell.get("format"))
        if cell["status"] == "failed" and not running and not other:
            reason = cell["reason"]
            return "failed", f"{reason['error']} in {reason['stage']}: {reason['hint']}"
        whole = all((folder / name).is_file() for name in cell["checksums"])
        whole = whole and cell["status"] == "done" and not other
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        whole = False
    return ("done" if whole else "running" if running else "missing"), ""


def _artefact_state(folder: Path) -> str:
    if (folder / paths.ARTEFACT).is_file() and not is_other_format(folder):
        return "done"
    if is_active(paths.lease_beside(folder)):
        return "running"
    return "begun" if paths.partial_folder(folder).is_dir() else "missing"
