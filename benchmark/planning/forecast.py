"""What a sweep will take, before it is started: hours and gigabytes of each cell and artefact and in all, with a range.

An artefact that cells share is counted once, one that is finished costs nothing. Several jobs at a time divide the work
as they would: each takes the next cell, and waits where another is making what it needs.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from benchmark.configuration.sweep_expansion import Planned
from benchmark.planning.image_counts import image_count, image_size
from benchmark.planning.kept_times import NOTHING, KeptTimes, Span
from benchmark.planning.plan import Plan
from benchmark.planning.required_artefacts import ArtefactRef
from benchmark.planning.work import Loop, Work, forward_loop, samples_of, work_of, work_of_cell

_ROW = 200  # bytes of a sample's row in a record
_DECISION = 24  # bytes of a sample's prediction
_FACTS = 300  # bytes that an attack tells of an image, and its curves
_DEAR = 10  # forward passes of the classifier from which on a step of an attack is worth a word


@dataclass(frozen=True)
class Cost:
    """Seconds of one process, bytes on disk, and how many loops of it have no known time."""

    seconds: Span = NOTHING
    bytes: float = 0.0
    unknown: int = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.seconds + other.seconds, self.bytes + other.bytes, self.unknown + other.unknown)


FREE = Cost()


@dataclass
class Forecast:
    """What is left of a sweep.

    cells: what each unfinished cell takes by itself and with the artefacts that it is the first to need, by its place
    in the sweep. artefacts: what each unfinished one takes. wall: seconds until the end with ``jobs`` at a time.
    unknown: loops without a time. free: bytes of disk where the store is. dear: by the step of an attack, the forward
    passes of the classifier that it takes as long as, where they are ten or more.
    """

    machine: str
    jobs: int
    cells: dict[int, Cost] = field(default_factory=dict)
    artefacts: dict[ArtefactRef, Cost] = field(default_factory=dict)
    total: Cost = FREE
    wall: Span = NOTHING
    unknown: list[Loop] = field(default_factory=list)
    free: int = 0
    faster: float = 1.0
    dear: dict[str, float] = field(default_factory=dict)

    @property
    def fits(self) -> bool:
        """Whether the disk has room for it."""
        return self.total.bytes <= self.free


def loops_of(cells: Iterable[Planned], made: Plan) -> list[Loop]:
    """The loops that what is left of a sweep consists of, each once."""
    found: dict[Loop, None] = {}
    for planned, refs in _left(cells, made):
        assert planned.config is not None
        for ref in refs:
            found |= dict.fromkeys(loop for loop, units in work_of(ref) if units)
        found |= dict.fromkeys(loop for loop, units in work_of_cell(planned.config) if units)
    return list(found)


def forecast(cells: list[Planned], made: Plan, times: KeptTimes, *, jobs: int = 1, faster: float = 1.0) -> Forecast:
    """The cost of the cells that are not done, and of the artefacts that they lack.

    Args:
        times: of the machine. jobs: processes at a time. faster: how many times as fast another device is than the one
            that the times are of; the range is then wider.
    """
    found = Forecast(times.machine, jobs, free=_free(times.store), faster=faster)
    unknown: dict[Loop, None] = {}
    number = {id(planned): place for place, planned in enumerate(cells)}
    queue: list[tuple[list[ArtefactRef], Span]] = []
    for planned, refs in _left(cells, made):
        assert planned.config is not None
        own = _cost(work_of_cell(planned.config), times, unknown, faster)
        own = replace(own, bytes=_record_bytes(planned.config, times))
        cost = own
        for ref in refs:
            found.dear |= _dear(ref, times)
            if ref not in found.artefacts:
                made_once = _cost(work_of(ref), times, unknown, faster)
                found.artefacts[ref] = replace(made_once, bytes=_artefact_bytes(ref, times))
                cost += found.artefacts[ref]
        found.cells[number[id(planned)]] = cost
        found.total += cost
        queue.append((refs, own.seconds))
    found.unknown = list(unknown)
    seconds = {ref: cost.seconds for ref, cost in found.artefacts.items()}
    found.wall = Span(*(_wall(queue, seconds, jobs, end) for end in ("low", "likely", "high")))
    return found


def _left(cells: Iterable[Planned], made: Plan) -> Iterable[tuple[Planned, list[ArtefactRef]]]:
    """The cells that are to be computed, each with the artefacts that are not made."""
    for planned, cell, needed in zip(cells, made.cells, made.needed, strict=True):
        if cell.state in ("missing", "failed", "running") and planned.config is not None:
            yield planned, [ref for ref in needed if made.made.get(ref) != "done"]


def _cost(work: list[Work], times: KeptTimes, unknown: dict[Loop, None], faster: float) -> Cost:
    total, lacking = Span(), 0
    for loop, units in work:
        found = times.loops.get(loop.key)
        if units and (found is None or not (found.timed or found.worked)):
            unknown[loop] = None
            lacking += 1
        elif units and found is not None:
            total += found.span(leaves_early="adv2_auto" in loop.label) * units
    if faster != 1:
        total = Span(0.7 * total.low, total.likely, 1.5 * total.high) * (1 / faster)
    return Cost(total, 0.0, lacking)


def _dear(ref: ArtefactRef, times: KeptTimes) -> dict[str, float]:
    """By the label of an attack's step its time over that of a forward pass, where both are known and it is large."""
    if ref.kind != "probed":
        return {}
    step = next((loop for loop, units in work_of(ref) if units and loop.name == "probe step"), None)
    both = [None if loop is None else times.loops.get(loop.key) for loop in (step, forward_loop(ref.config))]
    seconds = [known.span().likely for known in both if known is not None and (known.timed or known.worked)]
    if step is None or len(seconds) < 2 or not seconds[0] >= _DEAR * seconds[1] > 0:
        return {}
    return {step.label: seconds[0] / seconds[1]}


def _wall(queue: list[tuple[list[ArtefactRef], Span]], seconds: dict[ArtefactRef, Span], jobs: int, end: str) -> float:
    """Seconds until the last cell is done: each free job takes the next one, and waits for what others make."""
    free_at, ready = [0.0] * jobs, dict[ArtefactRef, float]()
    for refs, own in queue:
        worker = min(range(jobs), key=free_at.__getitem__)
        now = free_at[worker]
        for ref in refs:
            if ref not in ready:
                ready[ref] = now + getattr(seconds[ref], end)
            now = max(now, ready[ref])
        free_at[worker] = now + getattr(own, end)
    return max(free_at)


def _artefact_bytes(ref: ArtefactRef, times: KeptTimes) -> float:
    if ref.kind == "predictions":
        return _DECISION * float(image_count(ref.config, ref.spec["split"]) or 0)
    if ref.kind == "probed":
        pixels = 3 * image_size(ref.config) ** 2
        maps = _bytes(times, work_of_cell(ref.config), "map") if ref.config["probe"]["needs_map"] else 0
        return samples_of(ref.config) * (pixels + maps + _FACTS)
    wanted = {"classifier": "forward", "interpreter": "stage step"}.get(ref.kind)
    return 2000.0 if wanted is None else _bytes(times, work_of(ref), wanted)


def _record_bytes(config: dict[str, Any], times: KeptTimes) -> float:
    samples = samples_of(config)
    kept, images = min(config["measure"]["keep"], samples), 1 if config["probe"]["module"] is None else 2
    maps = _bytes(times, work_of_cell(config), "map") / 2
    return samples * _ROW + kept * images * (3 * image_size(config) ** 2 + maps)


def _bytes(times: KeptTimes, work: list[Work], name: str) -> float:
    """Of what a loop of this name makes, as far as it has been timed here."""
    return float(sum(times.loops[loop.key].bytes for loop, _ in work if loop.name == name and loop.key in times.loops))


def _free(folder: Path) -> int:
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return shutil.disk_usage(folder).free
