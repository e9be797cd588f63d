"""A plan as tables for the terminal: states, artefacts, and what is wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from benchmark.planning.forecast import FREE, Cost, Forecast
from benchmark.planning.forecast_text import amount, forecast_json, sentences, short
from benchmark.planning.plan import STATES, CellStatus, Plan
from benchmark.planning.required_artefacts import ArtefactRef

KINDS = ("classifier", "predictions", "interpreter", "scale", "spread", "probed")
_SHOWN = 12


def render(made: Plan, foreseen: Forecast | None = None, *, every: bool = False) -> RenderableType:
    """The plan as tables: states, artefacts, what is wrong, and what is left to do; ``every`` names each cell."""
    parts: list[RenderableType] = [Text(_headline(made))]
    if made.uses:
        parts.append(_artefact_table(made, foreseen))
        parts += _artefacts(made, foreseen) if every else []
    parts += _named(made.cells, foreseen, every)
    if foreseen is not None:
        parts += [Text(line, style="" if foreseen.fits else "red") for line in sentences(foreseen)]
    parts += [Text(note, style="yellow") for note in made.notes]
    return Group(*parts)


def as_json(made: Plan, foreseen: Forecast | None = None) -> dict[str, Any]:
    """The plan for a script: the number of cells in each state, every cell, every artefact, the notes, the forecast."""
    costs = {} if foreseen is None else foreseen.cells
    kept = {} if foreseen is None else foreseen.artefacts
    return {
        "count": {state: made.count(state) for state in STATES},
        "cells": [{**vars(cell), "cost": costs.get(place)} for place, cell in enumerate(made.cells)],
        "artefacts": [
            {
                **{"kind": need.kind, "key": need.key, "label": need.label},
                **{"state": _state(made, need), "cells": count, "cost": kept.get(need)},
            }
            for need, count in made.uses.items()
        ],
        "notes": made.notes,
        "forecast": None if foreseen is None else forecast_json(foreseen),
    }


def _state(made: Plan, need: ArtefactRef) -> str:
    return made.made.get(need, "missing")


def _headline(made: Plan) -> str:
    counts = [f"{made.count(state)} {state}" for state in STATES if made.count(state) or state in ("done", "missing")]
    return f"{len(made.cells)} cells: {', '.join(counts)}"


def _artefacts(made: Plan, foreseen: Forecast | None) -> list[RenderableType]:
    """Each artefact by name, with the number of cells that need it, and what it takes."""
    costs = {} if foreseen is None else foreseen.artefacts
    needed = sorted(made.uses.items(), key=lambda item: KINDS.index(item[0].kind))
    return [
        Text(f"{_state(made, need):<8} {need.kind} {need.key}  {need.label}, for {count} cells{_told(costs.get(need))}")
        for need, count in needed
    ]


def _told(cost: Cost | None) -> str:
    return "" if cost is None else f"  ({amount(cost)})"


def _artefact_table(made: Plan, foreseen: Forecast | None) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("artefact")
    for title in ("needed", "there", "being made", "begun", "missing", "cells that share one"):
        table.add_column(title, justify="right")
    if foreseen is not None:
        table.add_column("to make them")
    for kind in KINDS:
        own = {need: count for need, count in made.uses.items() if need.kind == kind}
        if own:
            states = Counter(_state(made, need) for need in own)
            low, high = min(own.values()), max(own.values())
            shared = str(low) if low == high else f"{low} to {high}"
            numbers = (len(own), states["done"], states["running"], states["begun"], states["missing"])
            costs = [] if foreseen is None else [foreseen.artefacts[need] for need in own if need in foreseen.artefacts]
            last = [] if foreseen is None else [short(sum(costs, FREE)) if costs else ""]
            table.add_row(kind, *map(str, numbers), shared, *last)
    return table


def _named(cells: Iterable[CellStatus], foreseen: Forecast | None, every: bool) -> list[RenderableType]:
    """Each mistake once with the number of its cells; failed, running and, if asked, all other cells by name."""
    parts: list[RenderableType] = []
    cells = list(cells)
    costs = {} if foreseen is None else {id(cells[place]): cost for place, cost in foreseen.cells.items()}
    mistakes: dict[str, list[CellStatus]] = {}
    for cell in cells:
        if cell.state == "wrong":
            mistakes.setdefault(cell.sentence, []).append(cell)
    for sentence, own in mistakes.items():
        where = own[0].name if len(own) == 1 else f"{len(own)} cells, the first: {own[0].name}"
        parts.append(Text(f"wrong    {where}\n         {sentence}", style="red"))
    for state, style in (("failed", "red"), ("running", "cyan"), ("missing", ""), ("done", "green")):
        own = [cell for cell in cells if cell.state == state]
        shown = own if every else own[:_SHOWN] if state in ("failed", "running") else []
        parts += [
            Text(f"{state:<8} {cell.name}  {cell.sentence}".rstrip() + _told(costs.get(id(cell))), style=style)
            for cell in shown
        ]
        if shown and len(own) > len(shown):
            parts.append(Text(f"         and {len(own) - len(shown)} more {state} (--cells names all)"))
    return parts
