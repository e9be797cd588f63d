"""A plan as tables for the terminal: states, artefacts, and what is wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from benchmark.planning.plan import STATES, CellStatus, Plan
from benchmark.planning.required_artefacts import ArtefactRef

KINDS = ("classifier", "predictions", "interpreter", "scale", "spread", "probed")
_SHOWN = 12


def render(made: Plan, *, every: bool = False) -> RenderableType:
    """The plan as tables: states, artefacts, and what is wrong; ``every`` names each cell."""
    parts: list[RenderableType] = [Text(_headline(made))]
    if made.uses:
        parts.append(_artefact_table(made))
        parts += _artefacts(made) if every else []
    parts += _named(made.cells, every)
    parts += [Text(note, style="yellow") for note in made.notes]
    return Group(*parts)


def as_json(made: Plan) -> dict[str, Any]:
    """The plan for a script: the number of cells in each state, every cell, every artefact, and the notes."""
    return {
        "count": {state: made.count(state) for state in STATES},
        "cells": made.cells,
        "artefacts": [
            {"kind": need.kind, "key": need.key, "label": need.label, "state": _state(made, need), "cells": count}
            for need, count in made.uses.items()
        ],
        "notes": made.notes,
    }


def _state(made: Plan, need: ArtefactRef) -> str:
    return made.made.get(need, "missing")


def _headline(made: Plan) -> str:
    counts = [f"{made.count(state)} {state}" for state in STATES if made.count(state) or state in ("done", "missing")]
    return f"{len(made.cells)} cells: {', '.join(counts)}"


def _artefacts(made: Plan) -> list[RenderableType]:
    """Each artefact by name, with the number of cells that need it."""
    needed = sorted(made.uses.items(), key=lambda item: KINDS.index(item[0].kind))
    return [
        Text(f"{_state(made, need):<8} {need.kind} {need.key}  {need.label}, for {count} cells")
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
            states = Counter(_state(made, need) for need in own)
            low, high = min(own.values()), max(own.values())
            shared = str(low) if low == high else f"{low} to {high}"
            numbers = (len(own), states["done"], states["running"], states["begun"], states["missing"])
            table.add_row(kind, *map(str, numbers), shared)
    return table


def _named(cells: Iterable[CellStatus], every: bool) -> list[RenderableType]:
    """Each mistake once with the number of its cells; failed, running and, if asked, all other cells by name."""
    parts: list[RenderableType] = []
    cells = list(cells)
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
        parts += [Text(f"{state:<8} {cell.name}  {cell.sentence}".rstrip(), style=style) for cell in shown]
        if shown and len(own) > len(shown):
            parts.append(Text(f"         and {len(own) - len(shown)} more {state} (--cells names all)"))
    return parts
