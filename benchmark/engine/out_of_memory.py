"""When the memory does not suffice: groups of samples are halved, which changes no result beyond float summation."""

from __future__ import annotations

import gc
import sys
from typing import Any

from benchmark.processes import ranks


class TrainingMemoryError(MemoryError):
    """A training ran out of memory: its batch size is part of its result, so it is not halved automatically."""


def ran_out(error: BaseException) -> bool:
    """Whether a device or the machine had no memory left."""
    if isinstance(error, MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(
        words in str(error) for words in ("out of memory", "can't allocate memory", "ALLOC_FAILED")
    )


def next_divisor(error: BaseException, config: dict[str, Any], shrink: int) -> int | None:
    """By what to divide ``probe.batch_size`` at the next try; None where that does not help."""
    if not ran_out(error) or isinstance(error, TrainingMemoryError) or ranks.world_size() > 1:
        return None
    return 2 * shrink if config["probe"]["batch_size"] // (2 * shrink) >= 1 else None


def with_smaller_batches(config: dict[str, Any], shrink: int) -> dict[str, Any]:
    """The configuration at a smaller ``probe.batch_size``."""
    probe = config["probe"]
    return {**config, "probe": {**probe, "batch_size": probe["batch_size"] // shrink}}


def free_memory() -> None:
    """Frees the memory of the failed attempt."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()
