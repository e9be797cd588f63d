"""Seconds of one unit of each loop on each machine, kept in the store: timed for the purpose, or seen in real work.

What real work took comes from finished artefacts, whose manifests hold their seconds, by way of the records that name
them and hold the configuration that they were made by. It counts in place of what was timed for the purpose.
"""

from __future__ import annotations

import json
import logging
import statistics
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmark.configuration.specs import Config
from benchmark.planning.required_artefacts import ArtefactRef, required_artefacts
from benchmark.planning.work import Loop, work_of
from benchmark.processes import portable
from benchmark.processes.machine import cores, device_name
from benchmark.storage import paths
from benchmark.storage.artefacts import read_manifest
from benchmark.storage.atomic import write_atomic

log = logging.getLogger("underfire")

FORMAT = 1
_KEPT = 20  # times of a loop, the newest
_LEAST = 3.0  # seconds of an artefact that says something of its loop, and not of its start alone
_MOST_RECORDS = 500  # that are looked through at a time

# How far one timing may be from what work takes; and that of adv2_auto, which samples may leave early.
TIMED_LOW, TIMED_HIGH, LEAVES_EARLY = 0.6, 1.6, 0.3


@dataclass(frozen=True)
class Span:
    """A number that is not known exactly: the likely value between a low and a high one."""

    low: float = 0.0
    likely: float = 0.0
    high: float = 0.0

    def __add__(self, other: Span) -> Span:
        return Span(self.low + other.low, self.likely + other.likely, self.high + other.high)

    def __mul__(self, factor: float) -> Span:
        return Span(self.low * factor, self.likely * factor, self.high * factor)


NOTHING = Span()


@dataclass
class LoopTimes:
    """Seconds of a unit of one loop, as timed and as seen in work; bytes: of what it makes (weights, a map)."""

    label: str
    timed: list[float] = field(default_factory=list)
    worked: list[float] = field(default_factory=list)
    bytes: int = 0

    def span(self, *, leaves_early: bool = False) -> Span:
        """The range that a unit's time is expected in."""
        if len(self.worked) >= 2:
            return Span(min(self.worked), statistics.median(self.worked), max(self.worked))
        likely = statistics.median(self.worked or self.timed)
        return Span(likely * (LEAVES_EARLY if leaves_early else TIMED_LOW), likely, likely * TIMED_HIGH)


def machine_of(config: Config, jobs: int = 1) -> tuple[str, int]:
    """The device that a cell runs on here as times are filed under it, and its threads, with so many jobs at a time."""
    trainer = config["trainer"]
    device = device_name(trainer["accelerator"])
    threads = portable.threads(trainer) or _threads(device, jobs)
    return f"{device}, threads: {threads}{', portable' if trainer.get('portable') else ''}", threads


def _threads(device: str, jobs: int) -> int:
    import os

    own = os.environ.get("OMP_NUM_THREADS", "")
    usual = int(own) if own.isdigit() and int(own) > 0 else cores()
    return max(cores() // jobs, 1) if jobs > 1 and device.startswith("CPU") else usual


class KeptTimes:
    """The times of one machine in the store's file.

    Args:
        store: its folder, which may not be there. machine: see :func:`machine_of`.
    """

    def __init__(self, store: Path, machine: str) -> None:
        self.store, self.machine = store, machine
        content = self._read()
        own = content.get("machines", {}).get(machine, {})
        self.loops = {key: LoopTimes(**value) for key, value in own.items()}
        self.seen: set[str] = set(content.get("seen", []))

    def _read(self) -> dict[str, Any]:
        try:
            content = json.loads(paths.times_file(self.store).read_text())
        except (OSError, ValueError):
            return {}
        return content if isinstance(content, dict) and content.get("format") == FORMAT else {}

    def missing(self, loops: Iterable[Loop]) -> list[Loop]:
        """The loops without a time, each once."""
        return [loop for loop in dict.fromkeys(loops) if not self._has(loop)]

    def _has(self, loop: Loop) -> bool:
        found = self.loops.get(loop.key)
        return found is not None and bool(found.timed or found.worked)

    def note(self, loop: Loop, *, timed: float | None = None, worked: float | None = None, size: int = 0) -> None:
        """Adds a time of a loop."""
        times = self.loops.setdefault(loop.key, LoopTimes(loop.label))
        times.timed = [*times.timed, *([] if timed is None else [timed])][-_KEPT:]
        times.worked = [*times.worked, *([] if worked is None else [worked])][-_KEPT:]
        times.bytes = size or times.bytes

    def learn(self, results: Path) -> int:
        """Takes the times of artefacts that finished records of this machine name; how many records were new."""
        count = 0
        for path in paths.cell_files(results)[-_MOST_RECORDS:]:
            if path.parent.name in self.seen:
                continue
            try:
                cell = json.loads(path.read_text())
                config = cell["config"]
                here = f"{cell['device']}, threads: {cell['threads']}{', portable' if cell.get('portable') else ''}"
                if cell["status"] == "done" and here == self.machine:
                    self._learn_from(config, float(cell["facts"]["accuracy"]))
            except (OSError, ValueError, KeyError, TypeError, AttributeError):
                continue  # failed, damaged, or of another format
            self.seen.add(path.parent.name)
            count += 1
        return count

    def _learn_from(self, config: Config, accuracy: float) -> None:
        for ref in required_artefacts(config):
            name = f"{ref.kind}/{ref.key}"
            if name in self.seen or (seconds := self._seconds(ref)) is None:
                continue
            self.seen.add(name)
            work = work_of(ref, accuracy)
            if seconds < _LEAST or not work:
                continue
            (loop, units), *others = work
            rest = sum(count * self.loops[other.key].span().likely for other, count in others if self._has(other))
            if units > 0 and seconds > 2 * rest:
                self.note(loop, worked=(seconds - rest) / units)

    def _seconds(self, ref: ArtefactRef) -> float | None:
        try:
            return float(read_manifest(self.store / ref.kind / ref.key).seconds)
        except ValueError:
            return None

    def keep(self) -> None:
        """Writes the file, beside the times of other machines. A store that cannot be written to keeps nothing."""
        content = self._read()
        machines = content.get("machines", {})
        machines[self.machine] = {key: vars(value) for key, value in sorted(self.loops.items())}
        seen = sorted({*content.get("seen", []), *self.seen})
        text = json.dumps({"format": FORMAT, "machines": machines, "seen": seen}, indent=1)
        try:
            self.store.mkdir(parents=True, exist_ok=True)
            write_atomic(paths.times_file(self.store), text.encode())
        except OSError as error:
            log.info("times of loops are not kept: paths.store %s cannot be written to (%s)", self.store, error)
