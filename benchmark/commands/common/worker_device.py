"""One process a device: what a worker of a joblib sweep takes for itself, so that no two share a GPU or a core."""

from __future__ import annotations

import atexit
import os
from pathlib import Path
from typing import Any

from benchmark.processes.machine import cores
from benchmark.storage.leases import Lease, first_free

# The slot that this process has claimed, until it ends.
_taken: list[Lease] = []


def take(launcher: dict[str, Any], sweep: Path) -> None:
    """A device and a share of the CPU's threads, if this process works for a joblib launcher with several workers.

    Must be called before the process touches a GPU; a second call changes nothing.

    Args:
        launcher: Hydra's settings of it. sweep: the folder of the sweep, where workers leave their claims.
    """
    if _taken or not str(launcher.get("_target_", "")).endswith("JoblibLauncher"):
        return
    workers = _workers(int(launcher.get("n_jobs", -1)))
    slot = _claim(workers, sweep / ".slots")
    os.environ |= shares(slot, workers, cores(), visible_devices())
    _limit_threads(int(os.environ["OMP_NUM_THREADS"]))


def shares(slot: int, workers: int, cores: int, devices: list[str]) -> dict[str, str]:
    """The environment of worker ``slot`` of so many: its device in turn, and an equal share of the cores."""
    chosen = {"OMP_NUM_THREADS": str(max(cores // workers, 1))}
    return chosen | ({"CUDA_VISIBLE_DEVICES": devices[slot % len(devices)]} if devices else {})


def visible_devices() -> list[str]:
    """The GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them; empty where there is none."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return [device for device in named.split(",") if device]
    import torch

    return [str(number) for number in range(torch.cuda.device_count())]


def _workers(jobs: int) -> int:
    return jobs if jobs > 0 else max(cores() + 1 + jobs, 1)


def _claim(workers: int, folder: Path) -> int:
    """The first free slot; that of a worker that died counts as free."""
    claimed = first_free((slot, Lease(folder / str(slot), f"slot {slot} of the sweep")) for slot in range(workers))
    if claimed is None:
        return os.getpid() % workers  # more processes than workers: the launcher is about to end some
    slot, lease = claimed
    _taken.append(lease)
    atexit.register(lease.release)
    return slot


def _limit_threads(threads: int) -> None:
    import torch

    torch.set_num_threads(threads)
