"""Times of loops over the times of the bare passes that they need, as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmark.timing import bare
from benchmark.timing.bare import Work
from benchmark.timing.clock import shortest
from benchmark.timing.loop import Loop
from benchmark.timing.workbench import Workbench


@dataclass(frozen=True)
class Cost:
    """Seconds of one step of a loop, and those of the bare passes that it needs."""

    loop: Loop
    step: float
    needed: float

    @property
    def ratio(self) -> float:
        """1 is the bare passes and nothing beside them."""
        return self.step / self.needed


def costs(bench: Workbench, loops: Sequence[Loop], repeats: int) -> list[Cost]:
    """Every loop, and in turn with it the bare passes that it needs.

    These are made in a row, as many as by the loop: the shortest time of a short work is nearer to that of an idle
    machine than the shortest of a long one.
    """
    works, shared = dict[str, Work](), bare.passes(bench)
    for loop in loops:
        works[loop.name] = loop.work
        works[f"{loop.name}: needed"] = _in_a_row(loop, shared)
        if loop.end is not None:
            works[f"{loop.name}: end"] = loop.end
    times = shortest(works, repeats, bench.device)
    told = []
    for loop in loops:
        needed = times[f"{loop.name}: needed"] * sum(loop.needs.values()) / sum(_whole(loop).values())
        end = times.get(f"{loop.name}: end", 0.0)
        told.append(Cost(loop, (times[loop.name] - end) / loop.units, needed))
    return told


def _in_a_row(loop: Loop, shared: Mapping[str, Work]) -> Work:
    """All passes of all steps; one of the loop's own goes before a shared one of its name."""
    passes = {**shared, **(loop.passes or {})}

    def work() -> None:
        for name, count in _whole(loop).items():
            for _ in range(count):
                passes[name]()

    return work


def _whole(loop: Loop) -> dict[str, int]:
    """Passes of all steps; whole ones, also where images leave on the way."""
    return {name: count for name, needed in loop.needs.items() if (count := round(needed * loop.units))}


def lines(told: Sequence[Cost]) -> list[str]:
    """A table in Markdown."""
    head = ["loop", "ms", "bare passes that it needs", "ms of these", "ratio"]
    rows = [
        [
            cost.loop.name,
            f"{1e3 * cost.step:.1f}",
            " + ".join(_times(count, name) for name, count in cost.loop.needs.items() if count),
            f"{1e3 * cost.needed:.1f}",
            f"{cost.ratio:.2f}",
        ]
        for cost in told
    ]
    return ["| " + " | ".join(cells) + " |" for cells in [head, ["---"] * len(head), *rows]]


def _times(count: float, name: str) -> str:
    return name if count == 1 else f"{count:.4g} × {name}"
