"""The processes of one distributed run: their ranks, and how they exchange values.

Only the main process, rank 0, writes leases, artefacts, records and W&B runs. Without torch.distributed there is one
process, the main one.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

Value = TypeVar("Value")

# Not empty inside single_process().
_single: list[bool] = []


def _group() -> Any:
    """torch.distributed once the processes have found each other, else None; torch is not imported for it."""
    if _single:
        return None
    distributed = sys.modules.get("torch.distributed")
    return distributed if distributed is not None and distributed.is_initialized() else None


@contextmanager
def single_process() -> Iterator[None]:
    """Inside, the main process acts as the only one. The others must wait for it at a barrier."""
    _single.append(True)
    try:
        yield
    finally:
        _single.pop()


def started() -> int:
    """The rank that a launcher (torchrun, Lightning) gave this process by its environment; 0 without one."""
    return int(os.environ.get("RANK") or os.environ.get("LOCAL_RANK") or 0)


def rank() -> int:
    """The number of this process, from 0."""
    group = _group()
    if group is not None:
        return int(group.get_rank())
    return 0 if _single else started()


def world_size() -> int:
    """How many processes there are."""
    group = _group()
    return 1 if group is None else int(group.get_world_size())


def is_main_process() -> bool:
    """Whether this is rank 0, the process that writes."""
    return rank() == 0


def barrier() -> None:
    """Waits until all processes have come here."""
    if (group := _group()) is not None:
        group.barrier()


def broadcast(compute: Callable[[], Value]) -> Value:
    """What ``compute`` returns in the main process, in all of them; only the main process calls it."""
    group = _group()
    if group is None:
        return compute()
    values = [compute() if is_main_process() else None]
    group.broadcast_object_list(values, src=0)
    return values[0]  # type: ignore[return-value]


def gather(value: Value) -> list[Value]:
    """The values of all processes by rank, in the main process; an empty list in the others."""
    group = _group()
    if group is None:
        return [value]
    values: list[Any] | None = [None] * world_size() if is_main_process() else None
    group.gather_object(value, values, dst=0)
    return values or []


def mean(value: Any) -> Any:
    """The mean of a tensor over the processes, without its gradient."""
    group = _group()
    if group is None:
        return value
    total = value.detach().clone()
    group.all_reduce(total)
    return total / world_size()
