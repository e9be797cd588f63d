"""How far a long computation is: a line that is written over on a terminal, elsewhere a line of the log a minute."""

from __future__ import annotations

import logging
import shutil
import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from benchmark.processes import ranks

log = logging.getLogger("underfire")

EVERY = 60.0  # seconds between two lines of the log
_REDRAWN = 0.25  # the same on a terminal


class Progress:
    """Tells how many of ``total`` are done; the rest of the time is what they would take at the mean speed so far.

    Args:
        what: is computed, the first words of the line. unit: of what is counted. total: None where it is not known.
        done: of an earlier run that this one goes on from. quiet: says nothing on a terminal, where another bar is.
    """

    def __init__(self, what: str, unit: str, total: int | None = None, done: int = 0, *, quiet: bool = False) -> None:
        self.what, self.unit, self.total, self.before, self.done = what, unit, total, done, done
        self.start = time.monotonic()
        self.terminal = sys.stderr.isatty()
        self.silent = not ranks.is_main_process() or (quiet and self.terminal)
        self.told = self.start

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.terminal and not self.silent:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()

    def advance(self, count: int = 1, note: str | Callable[[], str] = "") -> None:
        """So many more are done; ``note`` is the last part of the line, made where it is told."""
        self.done += count
        now = time.monotonic()
        if now - self.told < (_REDRAWN if self.terminal else EVERY) or self.silent:
            return
        self.told = now
        line = self.line(note if isinstance(note, str) else note(), now - self.start)
        if self.terminal:
            sys.stderr.write(f"\r\x1b[K{line[: shutil.get_terminal_size().columns - 1]}")
            sys.stderr.flush()
        else:
            log.info("%s", line)

    def line(self, note: str, seconds: float) -> str:
        """What is told after so many seconds."""
        parts = [f"{self.done:,}{'' if self.total is None else f' of {self.total:,}'} {self.unit}", duration(seconds)]
        if self.total is not None and (made := self.done - self.before) > 0:
            parts.append(f"about {duration(seconds * (self.total - self.done) / made)} left")
        return f"{self.what}: {', '.join([*parts, *([note] if note else [])])}"


def duration(seconds: float) -> str:
    """40 s, 12 min, 3.5 h."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
