"""A clean end at the next step of an attack or batch of anything else after SIGTERM, SIGINT or SIGUSR1.

A signal reaches the process that was started. It writes the signal's number into a file, whose name its workers inherit
by an environment variable, and they stop as well. A job of a cluster's queue also has a file of its own: what stops the
sweep stops the job, and what stops the job leaves the sweep running.
"""

from __future__ import annotations

import atexit
import os
import signal
import tempfile
import threading
import uuid
from pathlib import Path
from types import FrameType
from typing import Any

SIGNALS = ("SIGTERM", "SIGINT", "SIGUSR1")  # SIGUSR1: SLURM's warning before the time limit
_FILE = "UNDERFIRE_STOP"

_received: list[int] = []  # signals of this process
_installed_in: list[int] = []  # processes with handlers; a forked one inherits this list and not its own number
_before: dict[int, Any] = {}  # the handlers of the signals before ours
_parents_files: list[str] = []  # the stop files of processes that started this isolated one


class Stopped(BaseException):
    """Work ended between two steps because of a signal; what is done is kept."""

    def __init__(self, number: int) -> None:
        super().__init__(
            f"stopped by {signal.Signals(number).name} between two steps; what is done is kept, and the same command "
            "goes on where this one was"
        )
        self.number, self.exit_code = number, 128 + number

    def __reduce__(self) -> tuple[type[Stopped], tuple[int]]:
        return Stopped, (self.number,)


def install_handlers(*, isolated: bool = False) -> None:
    """Makes the first signal of each kind a request to stop; the second one acts as it did before.

    A second call in one process, and a call outside its main thread, changes nothing.

    Args:
        isolated: a signal to this process stops neither the process that started it nor the other workers of that.
    """
    if os.getpid() in _installed_in or threading.current_thread() is not threading.main_thread():
        return
    _installed_in.append(os.getpid())
    for name in SIGNALS:
        if hasattr(signal, name):
            number = getattr(signal, name)
            _before[number] = signal.signal(number, _note)
    if isolated and _FILE in os.environ:
        _parents_files.append(os.environ.pop(_FILE))
    if _FILE not in os.environ:
        path = Path(tempfile.gettempdir(), f"underfire-stop-{_siblings() or uuid.uuid4().hex}")
        os.environ[_FILE] = str(path)
        if not _siblings():
            atexit.register(path.unlink, missing_ok=True)


def _siblings() -> str | None:
    """A name that the processes of one torchrun on this machine share, because they stop together; None without it."""
    run = os.environ.get("TORCHELASTIC_RUN_ID")
    return None if run is None else f"{run}-{os.environ.get('MASTER_PORT')}-{os.getppid()}"


def _note(number: int, frame: FrameType | None) -> None:
    _received.append(number)
    os.write(2, f"\n{signal.Signals(number).name}: stopping at the next step; once more ends at once\n".encode())
    signal.signal(number, _before.get(number) or signal.SIG_DFL)
    if path := os.environ.get(_FILE):
        Path(path).write_text(str(number))


def is_stopped() -> bool:
    """Whether a signal has come, to this process or to one that started it."""
    return _number() is not None


def raise_if_stopped() -> None:
    """Raises Stopped after a signal to this process or to one that started it."""
    if (number := _number()) is not None:
        raise Stopped(number)


def _number() -> int | None:
    """Of the first signal."""
    if _received:
        return _received[0]
    for path in (os.environ.get(_FILE), *_parents_files):
        if path and os.path.exists(path):
            return int(Path(path).read_text() or signal.SIGTERM)
    return None


def reset() -> None:
    """Forgets all signals, for tests."""
    _received.clear()
    if path := os.environ.get(_FILE):
        Path(path).unlink(missing_ok=True)
