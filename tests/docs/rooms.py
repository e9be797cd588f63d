"""Draws docs/figures/rooms.svg, the rooms and their imports: ``python -m tests.docs.rooms``.

Rooms stand in the order of ROOMS from the top down, on as few floors as this order allows: no room of a floor imports
another of the same floor. An arrow that follows from others (a imports b, b imports c) is not drawn; all imports are
listed in the picture's <desc>.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from html import escape
from itertools import pairwise

from tests.helpers import PROJECT
from tests.test_imports import FILES, NO_TORCH, ROOMS, room_of, rooms_used

PICTURE = PROJECT / "docs" / "figures" / "rooms.svg"

# lightning_modules uses the rooms from "probes" on.
ORDER = (*ROOMS[: ROOMS.index("probes")], "lightning_modules", *ROOMS[ROOMS.index("probes") :])
CONTENT = {
    "__main__": "the command line",
    "commands": "one file per command",
    "leaderboard": "entries, bundles, the page",
    "api": "what scripts and notebooks call",
    "timing": "what the hot loops cost",
    "pipeline": "a cell, from data to record",
    "engine": "Lightning: fit and predict",
    "planning": "what a sweep still lacks",
    "configuration": "what a configuration means",
    "lightning_modules": "batch in, loss or columns out",
    "probes": "noise, attacks, goals",
    "interpreters": "(image, class) → map",
    "data": "image sets, fixed groups",
    "classifiers": "timm networks",
    "metrics": "distances, faithfulness",
    "objectives": "losses, one formula each",
    "tracking": "Weights & Biases",
    "report": "claims, tables, figures",
    "storage": "artefacts, records, leases",
    "processes": "ranks, signals",
    "numerics": "random numbers, images",
    "types": "shapes and protocols",
}

Arrow = tuple[str, str]
WIDTH, HEIGHT, FLOOR, GAP = 186, 46, 104, 26


@cache
def imports() -> list[Arrow]:
    """(room, room that it imports from), in the order of the rooms."""
    files = [path for path in FILES if path.name != "__init__.py"]
    found = {(room_of(path), used) for path in files for used in rooms_used(path)}
    return sorted(((a, b) for a, b in found if a != b), key=lambda arrow: tuple(map(ORDER.index, arrow)))


def without_implied(arrows: list[Arrow]) -> list[Arrow]:
    """The arrows that do not follow from two or more others (transitive reduction)."""
    reached: dict[str, set[str]] = {}
    for room in reversed(ORDER):
        below = [b for a, b in arrows if a == room]
        reached[room] = set(below).union(*(reached[b] for b in below))
    return [(a, b) for a, b in arrows if not any(b in reached[c] for d, c in arrows if d == a and c != b)]


def floors(arrows: list[Arrow]) -> list[list[str]]:
    """The rooms in their order; a room that the current floor imports opens the next one."""
    rows: list[list[str]] = [[]]
    for room in ORDER:
        if any((above, room) in arrows for above in rows[-1]):
            rows.append([])
        rows[-1].append(room)
    return rows


@dataclass
class Node:
    """A room, or where the arrows to a lower room pass a floor."""

    name: str
    floor: int
    is_room: bool
    x: float = 0.0
    neighbours: list[Node] = field(default_factory=list)

    @property
    def width(self) -> int:
        return WIDTH if self.is_room else 0


def drawing(arrows: list[Arrow]) -> tuple[list[list[Node]], list[tuple[Node, Node]]]:
    """Nodes by floor from the left, and the lines between nodes of successive floors."""
    rows = [[Node(room, level, True) for room in row] for level, row in enumerate(floors(arrows))]
    room = {node.name: node for row in rows for node in row}
    lines: dict[tuple[int, int], tuple[Node, Node]] = {}
    passing: dict[tuple[str, int], Node] = {}
    for start, end in without_implied(arrows):
        previous = room[start]
        for level in range(room[start].floor + 1, room[end].floor):
            if (end, level) not in passing:  # arrows to one room share their way
                passing[end, level] = Node(end, level, False)
                rows[level].append(passing[end, level])
            lines[id(previous), id(passing[end, level])] = (previous, passing[end, level])
            previous = passing[end, level]
        lines[id(previous), id(room[end])] = (previous, room[end])
    for upper, lower in lines.values():
        upper.neighbours.append(lower)
        lower.neighbours.append(upper)
    _place(rows)
    return rows, list(lines.values())


def _place(rows: list[list[Node]]) -> None:
    """Puts every node near the mean of its neighbours, down and up in turn, so that few lines cross."""
    for row in rows:
        _spread(row, 0.0)
    for turn in range(100):
        for row in rows if turn % 2 == 0 else rows[::-1]:
            wanted = {id(node): _mean(other.x for other in node.neighbours) for node in row}
            if turn < 40:
                row.sort(key=lambda node: wanted[id(node)])
            for node in row:
                node.x = wanted[id(node)]
            _spread(row, _mean(node.x for node in row))


def _spread(row: list[Node], centre: float) -> None:
    """Moves nodes apart until none overlap, and the whole floor about its centre."""
    for _ in range(200):
        for left, right in pairwise(row):
            least = (left.width + right.width) / 2 + GAP
            if (lack := least - (right.x - left.x)) > 0:
                left.x, right.x = left.x - lack / 2, right.x + lack / 2
    shift = centre - _mean(node.x for node in row)
    for node in row:
        node.x += shift


def _mean(values: Iterable[float]) -> float:
    each = list(values)
    return math.fsum(each) / len(each) if each else 0.0  # fsum: the same in every version of Python


def picture(arrows: list[Arrow]) -> str:
    """The SVG."""
    rows, lines = drawing(arrows)
    nodes = [node for row in rows for node in row]
    left = min(node.x - node.width / 2 for node in nodes) - 20
    for node in nodes:
        node.x = round(node.x - left)
    width = max(node.x + node.width // 2 for node in nodes) + 20
    height = (len(rows) - 1) * FLOOR + HEIGHT + 76
    listed = "\n".join(f"{room}: {', '.join(b for a, b in arrows if a == room)}" for room in ORDER)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" '
        'font-family="Helvetica, Arial, sans-serif" text-anchor="middle">',
        "<title>The rooms of the suite and what they import</title>",
        f"<desc>\n{listed}\n</desc>",
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0,0 L8,4 L0,8 Z" fill="#5b6770"/></marker></defs>',
        f'<rect width="{width:.0f}" height="{height}" fill="white"/>',
        *(_line(upper, lower, lines) for upper, lower in lines),
        *(_box(node) for node in nodes if node.is_room),
        _legend(height),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _y(node: Node) -> int:
    return 20 + node.floor * FLOOR


def _port(node: Node, other: Node, others: list[Node]) -> float:
    """Where a line meets a node's edge: those of one edge are spread over it from the left."""
    if not node.is_room:
        return node.x
    ordered = sorted({id(each): each for each in others}.values(), key=lambda each: each.x)
    step = min(28, (WIDTH - 30) / max(len(ordered) - 1, 1))
    return node.x + step * (ordered.index(other) - (len(ordered) - 1) / 2)


def _line(upper: Node, lower: Node, lines: list[tuple[Node, Node]]) -> str:
    x1 = _port(upper, lower, [below for above, below in lines if above is upper])
    x2 = _port(lower, upper, [above for above, below in lines if below is lower])
    y1, y2 = _y(upper) + HEIGHT, _y(lower)
    middle = (y1 + y2) / 2
    path = f"M{x1:.0f},{y1} C{x1:.0f},{middle:.0f} {x2:.0f},{middle:.0f} {x2:.0f},{y2}"
    if not lower.is_room:
        path += f" V{_y(lower) + HEIGHT}"
    tip = ' marker-end="url(#tip)"' if lower.is_room else ""
    return f'<path d="{path}" fill="none" stroke="#5b6770" stroke-width="1.3"{tip}/>'


def _box(node: Node) -> str:
    fill = "#e3f0e6" if node.name in NO_TORCH else "#e7edf7"
    dashed = ' stroke-dasharray="5 3"' if node.name == "lightning_modules" else ""
    return (
        f'<rect x="{node.x - WIDTH // 2:.0f}" y="{_y(node)}" width="{WIDTH}" height="{HEIGHT}" rx="6" fill="{fill}" '
        f'stroke="#2f3b45"{dashed}/>'
        f'<text x="{node.x:.0f}" y="{_y(node) + 19}" font-size="15" font-weight="bold">{node.name}</text>'
        f'<text x="{node.x:.0f}" y="{_y(node) + 36}" font-size="12" fill="#38444d">{escape(CONTENT[node.name])}</text>'
    )


def _legend(height: int) -> str:
    y = height - 30
    return (
        f'<g font-size="12" text-anchor="start"><rect x="20" y="{y}" width="22" height="14" fill="#e3f0e6" '
        f'stroke="#2f3b45"/><text x="48" y="{y + 11}">imports no torch</text>'
        f'<rect x="180" y="{y}" width="22" height="14" fill="#e7edf7" stroke="#2f3b45" stroke-dasharray="5 3"/>'
        f'<text x="208" y="{y + 11}">beside benchmark/, named only in conf/</text>'
        f'<text x="480" y="{y + 11}">An arrow is an import; imports that follow from two arrows or more are not drawn.'
        "</text></g>"
    )


if __name__ == "__main__":
    PICTURE.write_text(picture(imports()))
    print(PICTURE)
