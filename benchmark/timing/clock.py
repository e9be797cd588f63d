"""Seconds of several works, timed in turn, so that what disturbs a machine disturbs all of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import torch


def shortest(works: Mapping[str, Callable[[], object]], repeats: int, device: torch.device) -> dict[str, float]:
    """The fewest seconds of each work over ``repeats`` rounds, in each of which every work is done once.

    What else a machine does only ever adds to a time. One round more comes first and is not counted. On a GPU a work
    has ended when its kernels have.
    """
    now = timer(device)
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for repeat in range(repeats + 1):
        for name, work in works.items():
            wait(device)
            start = now()
            work()
            wait(device)
            if repeat:
                seconds[name].append(now() - start)
    return {name: min(values) for name, values in seconds.items()}


def timer(device: torch.device) -> Callable[[], float]:
    """The clock on the wall; on the CPU with one thread that of the process, which other processes do not disturb."""
    alone = device.type == "cpu" and torch.get_num_threads() == 1
    return time.process_time if alone else time.perf_counter


def wait(device: torch.device) -> None:
    """Returns when the device has done all that it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
