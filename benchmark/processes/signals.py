"""A clean end at the next batch, when the machine's manager or somebody at the keyboard asks for one.

Signals reach the process that was started; the workers that it starts learn of them by a file whose name they inherit.
A job of a cluster's queue learns so of what stops the sweep, but keeps to itself what stops it alone.
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

SIGNALS = ("SIGTERM", "SIGINT", "SIGUSR1")  # SIGUSR1: SLURM's warning before the time limit
_FILE = "UNDERFIRE_STOP"

_asked: list[int] = []
_listening: list[int] = []
_above: list[str] = []  # the files of those who started this process and are not stopped along with it


class Stopped(BaseException):
    """Work ended between two batches because a signal asked for it; what is finished is kept."""

    def __init__(self, number: int) -> None:
        super().__init__(
            f"stopped by {signal.Signals(number).name} between two batches; what is finished is kept, and the same "
            "command goes on where this one was"
        )
        self.number, self.exit_code = number, 128 + number

    def __reduce__(self) -> tuple[type[Stopped], tuple[int]]:
        return Stopped, (self.number,)


def install_handlers(*, isolated: bool = False) -> None:
    """From now on the signals are noted; the same one for a second time acts as it would without us.

    A second call in one process, and one outside its main thread, changes nothing.

    Args:
        isolated: what stops this process does not stop the one that started it, nor its other workers.
    """
    if os.getpid() in _listening or threading.current_thread() is not threading.main_thread():
        return
    _listening.append(os.getpid())
    for name in SIGNALS:
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), _note)
    if isolated and _FILE in os.environ:
        _above.append(os.environ.pop(_FILE))
    if _FILE not in os.environ:
        path = Path(tempfile.gettempdir(), f"underfire-stop-{_siblings() or uuid.uuid4().hex}")
        os.environ[_FILE] = str(path)
        if not _siblings():
            atexit.register(path.unlink, missing_ok=True)


def _siblings() -> str | None:
    """What the processes that torchrun has started on this machine have in common: they stop together."""
    run = os.environ.get("TORCHELASTIC_RUN_ID")
    return None if run is None else f"{run}-{os.environ.get('MASTER_PORT')}-{os.getppid()}"


def _note(number: int, frame: FrameType | None) -> None:
    _asked.append(number)
    os.write(2, f"\n{signal.Signals(number).name}: stopping at the next batch; once more ends at once\n".encode())
    signal.signal(number, signal.SIG_DFL if number != signal.SIGINT else signal.default_int_handler)
    if path := os.environ.get(_FILE):
        Path(path).write_text(str(number))


def raise_if_stopped() -> None:
    """Raises Stopped if a signal has asked for it, here or in the process that started this one."""
    if _asked:
        raise Stopped(_asked[0])
    for path in (os.environ.get(_FILE), *_above):
        if path and os.path.exists(path):
            raise Stopped(int(Path(path).read_text() or signal.SIGTERM))


def reset() -> None:
    """For tests: as if nobody had asked."""
    _asked.clear()
    if path := os.environ.get(_FILE):
        Path(path).unlink(missing_ok=True)
