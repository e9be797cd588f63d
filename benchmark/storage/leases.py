"""Who is making what: leases that processes on one shared file system hold, keep alive and inherit.

A lease is a small file that names its owner and counts heartbeats. Whoever waits watches the count with its own clock:
a count that has stood still for ``patience`` seconds, or an owner on this host that no longer runs, is dead, and the
lease is taken over. Clocks of different machines are never compared. Reading and writing the file happens under a lock
of the operating system that is held for an instant and dies with its process, so that no order of deaths leaves
anything locked.
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
from pathlib import Path
from typing import Any, TypeVar

from filelock import FileLock

from benchmark.processes import signals
from benchmark.storage.atomic import make_folder

log = logging.getLogger("underfire")

Place = TypeVar("Place")

HEARTBEAT = 2.0  # seconds between two beats
PATIENCE = 60.0  # seconds without a beat after which an owner counts as dead
POLL = 0.2  # seconds between two looks of somebody who waits


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
        self._beating: threading.Thread | None = None

    def take(self, *, patient: bool = True) -> bool:
        """Whether the lease was free, or its owner a dead process of this host; then it is held from now on.

        Not ``patient``: also one whose file is old by this machine's clock, and whose owner is not alive here.
        """
        make_folder(self.path.parent, "the folder of leases")
        old = None if patient or beating(self.path) else read(self.path)
        if taken := self._claim(old):
            self._keep()
        return taken

    def __enter__(self) -> Lease:
        make_folder(self.path.parent, "the folder of leases")
        watched, since, told = None, time.monotonic(), False
        while not self._claim(watched if time.monotonic() - since > self.patience else None):
            seen = read(self.path)
            if seen != watched:
                watched, since = seen, time.monotonic()
            if not told:
                told = True
                log.info("waiting for %s, which %s is making", self.what, _owner(seen))
            signals.raise_if_stopped()
            time.sleep(POLL)
        self._keep()
        return self

    def _keep(self) -> None:
        self._end.clear()
        self._beating = threading.Thread(target=self._beat, daemon=True, name=f"lease {self.path.name}")
        self._beating.start()

    def __exit__(self, *error: object) -> None:
        self.leave()

    def leave(self) -> None:
        """Ends it, if it is still held."""
        self._end.set()
        if self._beating is not None:
            self._beating.join()
        with self._mutex():
            if (read(self.path) or {}).get("token") == self.token:
                self.path.unlink(missing_ok=True)

    def must_be_held(self) -> None:
        """Raises an OSError if another process has taken it over: what is written now would be written by two."""
        if self.lost or (read(self.path) or {}).get("token") != self.token:
            raise OSError(
                f"{self.what} was taken over by {_owner(read(self.path))}: this process had been silent for more than "
                f"{self.patience:.0f} s (a full disk, a stopped machine); run the same command again"
            )

    def _mutex(self) -> FileLock:
        return FileLock(self.path.with_name(f"{self.path.name}.mutex"))

    def _claim(self, still: dict[str, Any] | None) -> bool:
        """Takes a free lease, one of a dead process of this host, or one whose count has stood at ``still``."""
        with self._mutex():
            held = read(self.path)
            if held is not None and not _dead_here(held) and (still is None or held != still or _alive_here(held)):
                return False
            if held is not None:
                log.warning("%s has stopped making %s; it is taken over", _owner(held), self.what)
            self._write(0)
            return True

    def _write(self, count: int) -> None:
        about = {"token": self.token, "beat": count, "pid": os.getpid(), "born": _born(os.getpid())}
        partial = self.path.with_name(f"{self.path.name}.{self.token}")
        partial.write_text(json.dumps(about | {"host": socket.gethostname(), "space": _space()}))
        os.replace(partial, self.path)

    def _beat(self) -> None:
        count = 0
        while not self._end.wait(self.heartbeat):
            count += 1
            try:
                with self._mutex():
                    if (read(self.path) or {}).get("token") != self.token:
                        self.lost = True
                        return
                    self._write(count)
            except OSError as error:  # a full disk: the owner goes on as long as it can
                log.warning("the lease on %s could not be renewed (%s)", self.what, error)


def first_free(places: Iterable[tuple[Place, Lease]]) -> tuple[Place, Lease] | None:
    """The first place whose lease can be taken, with the lease, held; None where there is none.

    A lease that nobody has renewed for long, whose owner cannot be looked at from here, counts as free: what is
    taken here costs nobody a result.
    """
    return next(((place, lease) for place, lease in places if lease.take(patient=False)), None)


def read(path: Path) -> dict[str, Any] | None:
    """What a lease says of its owner; None where nobody holds it. An unreadable one counts as held by nobody."""
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def held(path: Path) -> bool:
    """Whether a lease is there, by an owner that is not known to be dead."""
    found = read(path)
    return found is not None and not _dead_here(found)


def beating(path: Path) -> bool:
    """Whether somebody seems to be at work: held, and renewed of late by this machine's clock. For people to read."""
    try:
        return held(path) and time.time() - path.stat().st_mtime < 10 * PATIENCE
    except OSError:
        return False


def cell_lease(folder: Path) -> Path:
    """The lease of the cell whose record lies in ``folder``: who is computing it, if anybody is."""
    return folder.parent / ".leases" / folder.name


def _owner(lease: dict[str, Any] | None) -> str:
    return "another process" if lease is None else f"process {lease.get('pid')} on {lease.get('host')}"


def _dead_here(lease: dict[str, Any]) -> bool:
    """Whether the owner was a process of this host that runs no more. Of other hosts nothing is known."""
    if (lease.get("host"), lease.get("space")) != (socket.gethostname(), _space()):
        return False
    born = _born(int(lease.get("pid", -1)))
    return born is None or (lease.get("born") is not None and born != lease["born"])


def _alive_here(lease: dict[str, Any]) -> bool:
    """Whether the owner is a process of this host that runs, however silent it is: a stopped one may go on."""
    return (lease.get("host"), lease.get("space")) == (socket.gethostname(), _space()) and not _dead_here(lease)


def _space() -> str:
    """This machine since its start, and the space that process numbers are counted in (a container has its own)."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip() + os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""


def _born(pid: int) -> str | None:
    """When a process of this machine started, in the kernel's ticks; None where there is no such process."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        return None if fields[0] == "Z" else fields[19]
    except (OSError, IndexError):
        pass
    if Path("/proc/self/stat").exists():
        return None
    try:  # systems without /proc: alive or not is all there is to know
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except OSError:
        return "unknown"
    return "unknown"
