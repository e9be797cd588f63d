"""Leases: small files that say which process is making something, on one machine or on many that share a file system.

A lease names its owner and counts heartbeats. A waiting process watches the count with its own clock: it takes the
lease over when the count has stood still for ``patience`` seconds, or when the owner ran on this host and has ended.
Clocks of different machines are never compared. The file is read and written under a lock of the operating system,
which is kept for an instant and ends with its process: whichever process dies when, nothing stays locked.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

from filelock import FileLock

from benchmark.processes import signals
from benchmark.processes.process_identity import number_space, start_time
from benchmark.storage.atomic import make_folder
from benchmark.storage.paths import mutex_of

log = logging.getLogger("underfire")

Slot = TypeVar("Slot")

HEARTBEAT = 2.0  # seconds between two beats
PATIENCE = 60.0  # seconds without a beat after which an owner counts as dead
POLL = 0.2  # seconds between two readings by a waiting process


@dataclass(frozen=True)
class LeaseOwner:
    """What a lease says: its owner's process, and how often it has renewed the lease."""

    token: str  # unique for every acquisition
    beat: int  # heartbeats so far
    pid: int
    born: str | None  # when the process started, in ticks of its machine
    host: str
    space: str  # the space of process numbers, see process_identity

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"

    def on_this_host(self) -> bool:
        """Whether its process number means something here. Of other hosts nothing is known."""
        return (self.host, self.space) == (socket.gethostname(), number_space())

    def has_ended(self) -> bool:
        """Whether it was a process of this host that runs no more."""
        if not self.on_this_host():
            return False
        born = start_time(self.pid)
        return born is None or (self.born is not None and born != self.born)

    def runs_here(self) -> bool:
        """Whether it is a process of this host that still runs, however silent it is: a stopped one may go on."""
        return self.on_this_host() and not self.has_ended()


class Lease:
    """``with Lease(file, what): ...`` is entered by one process at a time, on this machine or another.

    Args:
        path: the lease's file. what: is made under it, for the sentence that a waiting process prints.
        patience: seconds without a heartbeat after which the owner counts as dead.
    Raises:
        OSError: the folder cannot be written.
    """

    def __init__(self, path: Path, what: str, *, patience: float = PATIENCE, heartbeat: float = HEARTBEAT) -> None:
        self.path, self.what = path, what
        self.patience, self.heartbeat = patience, heartbeat
        self.token = uuid.uuid4().hex
        self.lost = False
        self._end = threading.Event()
        self._renewer: threading.Thread | None = None

    def try_acquire(self, *, take_stale: bool = False) -> bool:
        """Acquires the lease without waiting, and returns whether that succeeded.

        It succeeds where the lease is free, and where its owner ran on this host and has ended. With ``take_stale``
        also where the owner is not known to run here and this machine's clock says that the file is old.
        """
        make_folder(self.path.parent, "the folder of leases")
        stale = read(self.path) if take_stale and not is_active(self.path) else None
        if acquired := self._claim(stale):
            self._start_renewing()
        return acquired

    def __enter__(self) -> Lease:
        make_folder(self.path.parent, "the folder of leases")
        watched, since, announced = None, time.monotonic(), False
        while not self._claim(watched if time.monotonic() - since > self.patience else None):
            seen = read(self.path)
            if seen != watched:
                watched, since = seen, time.monotonic()
            if not announced:
                announced = True
                log.info("waiting for %s, which %s is making", self.what, _name(seen))
            signals.raise_if_stopped()
            time.sleep(POLL)
        self._start_renewing()
        return self

    def _start_renewing(self) -> None:
        self._end.clear()
        self._renewer = threading.Thread(target=self._renew, daemon=True, name=f"lease {self.path.name}")
        self._renewer.start()

    def __exit__(self, *error: object) -> None:
        self.release()

    def release(self) -> None:
        """Ends the lease, unless another process has taken it over."""
        self._end.set()
        if self._renewer is not None:
            self._renewer.join()
        with self._mutex():
            if self._is_own(read(self.path)):
                self.path.unlink(missing_ok=True)

    def must_be_held(self) -> None:
        """Raises an OSError if another process has taken the lease over, for then two would write at once."""
        owner = read(self.path)
        if self.lost or not self._is_own(owner):
            raise OSError(
                f"{self.what} was taken over by {_name(owner)}: this process had been silent for more than "
                f"{self.patience:.0f} s (a full disk, a stopped machine); run the same command again"
            )

    def _is_own(self, owner: LeaseOwner | None) -> bool:
        return owner is not None and owner.token == self.token

    def _mutex(self) -> FileLock:
        return FileLock(mutex_of(self.path))

    def _claim(self, stale: LeaseOwner | None) -> bool:
        """Writes this process into a lease that is free, whose owner has ended, or that still reads ``stale``."""
        with self._mutex():
            owner = read(self.path)
            if owner is not None:
                if not owner.has_ended() and (stale is None or owner != stale or owner.runs_here()):
                    return False
                log.warning("%s has stopped making %s; it is taken over", owner, self.what)
            self._write(0)
            return True

    def _write(self, beat: int) -> None:
        pid = os.getpid()
        owner = LeaseOwner(self.token, beat, pid, start_time(pid), socket.gethostname(), number_space())
        partial = self.path.with_name(f"{self.path.name}.{self.token}")
        partial.write_text(json.dumps(asdict(owner)))
        os.replace(partial, self.path)

    def _renew(self) -> None:
        beat = 0
        while not self._end.wait(self.heartbeat):
            beat += 1
            try:
                with self._mutex():
                    if not self._is_own(read(self.path)):
                        self.lost = True
                        return
                    self._write(beat)
            except OSError as error:  # a full disk: the owner goes on as long as it can
                log.warning("the lease on %s could not be renewed (%s)", self.what, error)


def first_free(slots: Iterable[tuple[Slot, Lease]]) -> tuple[Slot, Lease] | None:
    """The first slot whose lease can be acquired, with that lease; None where there is none.

    A stale lease counts as free, see ``Lease.try_acquire``: only for slots that two processes may share by mistake
    without a wrong result.
    """
    return next(((slot, lease) for slot, lease in slots if lease.try_acquire(take_stale=True)), None)


def read(path: Path) -> LeaseOwner | None:
    """The owner of a lease; None where there is none, and where the file cannot be read."""
    try:
        found = json.loads(path.read_text())
        return LeaseOwner(
            token=str(found.get("token", "")),
            beat=int(found.get("beat", 0)),
            pid=int(found.get("pid", -1)),
            born=found.get("born"),
            host=str(found.get("host", "")),
            space=str(found.get("space", "")),
        )
    except (OSError, ValueError, TypeError, AttributeError):
        return None


def is_held(path: Path) -> bool:
    """Whether there is a lease whose owner is not known to have ended."""
    owner = read(path)
    return owner is not None and not owner.has_ended()


def is_active(path: Path) -> bool:
    """Whether a lease is held and was renewed not long ago by this machine's clock. An estimate, for people to read."""
    try:
        return is_held(path) and time.time() - path.stat().st_mtime < 10 * PATIENCE
    except OSError:
        return False


def _name(owner: LeaseOwner | None) -> str:
    return "another process" if owner is None else str(owner)
