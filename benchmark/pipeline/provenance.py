"""What a record says it was computed with, and the line that a finished cell prints."""

from __future__ import annotations

import platform
import subprocess
import traceback
from importlib import metadata
from pathlib import Path
from typing import Any

import pandas as pd

from benchmark.configuration.specs import Config
from benchmark.processes import portable
from benchmark.processes.machine import device_name, processor
from benchmark.storage.suite_version import VERSION

_PACKAGES = ("torch", "timm", "pytorch-lightning", "hydra-core", "torchmetrics", "numpy", "scipy")


def surroundings(config: Config) -> dict[str, Any]:
    """Versions, commit, device, CPU, threads, and whether the arithmetic is portable."""
    import torch

    return {
        "versions": {
            **{"python": platform.python_version(), "underfire": VERSION},
            **{name: _version(name) for name in _PACKAGES},
        },
        "commit": _commit(),
        "device": device_name(config["trainer"]["accelerator"]),
        "cpu": processor(),
        "threads": torch.get_num_threads(),
        "portable": portable.is_on(),
    }


def stage_of(error: BaseException) -> str:
    """The part of the suite in which an error arose: the innermost of our own modules on its way."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if {"benchmark", "lightning_modules"} & set(Path(frame.filename).parts)]
    return f"{Path(ours[-1].filename).stem}.{ours[-1].name}" if ours else "unknown"


def one_line(samples: pd.DataFrame, probe: Config) -> str:
    """Number of samples, success and map distance of a cell, for its line on the terminal.

    Where there are fewer samples than ``probe.samples`` asks for, the line says why. A mean of fewer samples, because
    some have no map, says of how many.
    """
    means = [_mean(name, samples[name]) for name in ("map_l1", "success") if name in samples]
    return "  ".join([_count(len(samples), probe), *means])


def _count(n: int, probe: Config) -> str:
    asked = probe["samples"]
    if asked is None or n >= asked:
        return f"n {n}"
    if probe.get("surrogate") is None:
        return f"n {n} of {asked}: the classifier gets no more of the split right"
    return f"n {n} of {asked}: the classifier gets no more of the surrogate's samples right"


def _mean(name: str, values: pd.Series[Any]) -> str:
    n = int(values.notna().sum())
    mean = f"{values.mean():.3f}" if n else "null"
    return f"{name} {mean}" + (f" (n {n})" if n < len(values) else "")


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _commit() -> str | None:
    here = Path(__file__).resolve().parent
    try:
        found = subprocess.run(
            ["git", "-C", str(here), "describe", "--always", "--dirty", "--abbrev=12"],
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return found.stdout.strip()
