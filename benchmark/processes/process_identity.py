"""Which process is meant by a number: numbers are used again after an end, a restart, and in every container."""

from __future__ import annotations

import os
from pathlib import Path


def number_space() -> str:
    """This machine since its start, and the space that process numbers are counted in (a container has its own)."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip() + os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""


def start_time(pid: int) -> str | None:
    """When a process of this machine started, in the kernel's ticks; None where there is no such process.

    Without /proc only whether the process is alive can be found out, and the answer is "unknown" or None.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        return None if fields[0] == "Z" else fields[19]
    except (OSError, IndexError):
        pass
    if Path("/proc/self/stat").exists():
        return None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except OSError:
        return "unknown"
    return "unknown"
