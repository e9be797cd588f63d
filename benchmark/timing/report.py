"""Times of loops over the times of the bare passes that they need, as a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmark.timing import bare
from benchmark.timing.clock import shortest
from benchmark.timing.loops import Loop
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
    """Every loop and every bare pass, timed in turn."""
    works = {name: work for name, work in bare.passes(bench).items() if any(name in loop.needs for loop in loops)}
    for loop in loops:  # a pass of its own is named after the loop: another loop's may be on other weights
        works |= {f"{loop.name}: {name}": work for name, work in (loop.passes or {}).items()}
        works[loop.name] = loop.work
        if loop.end is not None:
            works[f"{loop.name}: end"] = loop.end
    times = shortest(works, repeats, bench.device)
    told = []
    for loop in loops:
        own = loop.passes or {}
        seconds = {name: times[f"{loop.name}: {name}" if name in own else name] for name in loop.needs}
        needed = sum(count * seconds[name] for name, count in loop.needs.items())
        end = times.get(f"{loop.name}: end", 0.0)
        told.append(Cost(loop, (times[loop.name] - end) / loop.units, needed))
    return told


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
