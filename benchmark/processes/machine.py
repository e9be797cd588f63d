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
