"""What this machine is: its processor, the cores that this process may use, and whether a GPU's driver is there."""

from __future__ import annotations

import os
import platform
from pathlib import Path


def processor() -> str:
    """The CPU's own name, or what the platform calls it."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def may_have_gpu() -> bool:
    """Whether it is worth asking torch for a GPU, which takes seconds: an NVIDIA driver, or no way to tell."""
    return not Path("/proc").is_dir() or Path("/proc/driver/nvidia").exists() or Path("/dev/nvidiactl").exists()


def device_name(accelerator: str) -> str:
    """What records call the device that ``trainer.accelerator`` takes here: a GPU's name, or "CPU" and the CPU's."""
    if accelerator != "cpu" and may_have_gpu():
        import torch

        if torch.cuda.is_available():
            return torch.cuda.get_device_name()
    return f"CPU {processor()}"


def has_avx2() -> bool | None:
    """Whether the CPU has the instructions of portable arithmetic; None where that cannot be told."""
    try:
        return " avx2 " in f"{Path('/proc/cpuinfo').read_text()} ".replace("\n", " ")
    except OSError:
        return None


def memory() -> tuple[int, int] | None:
    """(bytes that are free for use, bytes in all) of this machine's memory; None where that cannot be told."""
    try:
        lines = [line.split() for line in Path("/proc/meminfo").read_text().splitlines()]
    except OSError:
        return None
    found = {line[0].rstrip(":"): 1024 * int(line[1]) for line in lines if len(line) > 1}
    return found.get("MemAvailable", 0), found.get("MemTotal", 0)
