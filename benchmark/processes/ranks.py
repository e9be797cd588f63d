"""The processes of one distributed run: which one this is, and what all of them agree on.

Only the first one writes: leases, artefacts, records, views. Without torch.distributed there is one process, the first.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

Answer = TypeVar("Answer")

# Not empty while this process works for itself.
_single: list[bool] = []


def _group() -> Any:
    """torch.distributed once the processes have found each other, else None; torch is not imported for it."""
    if _single:
        return None
    distributed = sys.modules.get("torch.distributed")
    return distributed if distributed is not None and distributed.is_initialized() else None


@contextmanager
def single_process() -> Iterator[None]:
    """Inside, the first process works for itself as if there were no others; they wait for it elsewhere."""
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
    """Whether this is the process that writes."""
    return rank() == 0


def barrier() -> None:
    """Goes on when all have come here."""
    if (group := _group()) is not None:
        group.barrier()


def broadcast(ask: Callable[[], Answer]) -> Answer:
    """What ``ask`` says in the first process, in all of them; the others do not ask."""
    group = _group()
    if group is None:
        return ask()
    said = [ask() if is_main_process() else None]
    group.broadcast_object_list(said, src=0)
    return said[0]  # type: ignore[return-value]


def gather(own: Answer) -> list[Answer]:
    """What every process has, by rank, in the first one; in the others nothing."""
    group = _group()
    if group is None:
        return [own]
    found: list[Any] | None = [None] * world_size() if is_main_process() else None
    group.gather_object(own, found, dst=0)
    return found or []


def mean(value: Any) -> Any:
    """The mean of a tensor over the processes, without its gradient."""
    group = _group()
    if group is None:
        return value
    total = value.detach().clone()
    group.all_reduce(total)
    return total / world_size()
