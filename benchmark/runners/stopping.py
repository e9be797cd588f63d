"""A clean end at the next batch, when the machine's manager or somebody at the keyboard asks for one."""

from __future__ import annotations

import signal
from types import FrameType

SIGNALS = ("SIGTERM", "SIGINT", "SIGUSR1")  # SIGUSR1: SLURM's warning before the time limit

_asked: list[int] = []


class Stopped(BaseException):
    """Work ended between two batches because a signal asked for it; what is finished is kept."""

    def __init__(self, number: int) -> None:
        super().__init__(
            f"stopped by {signal.Signals(number).name} between two batches; what is finished is kept, and the same "
            "command goes on where this one was"
        )
        self.exit_code = 128 + number


def listen() -> None:
    """From now on the signals are noted; the same one for a second time acts as it would without us."""
    for name in SIGNALS:
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), _note)


def _note(number: int, frame: FrameType | None) -> None:
    _asked.append(number)
    signal.signal(number, signal.SIG_DFL if number != signal.SIGINT else signal.default_int_handler)


def check() -> None:
    """Raises Stopped if a signal has asked for it."""
    if _asked:
        raise Stopped(_asked[0])


def forget() -> None:
    """For tests: as if nobody had asked."""
    _asked.clear()
