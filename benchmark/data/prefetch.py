"""The next batches read while the present one is computed."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from queue import Full, Queue
from typing import TypeVar

Item = TypeVar("Item")

# Batches that are ready or being read beside the present one.
AHEAD = 2
_END = object()


def prefetched(items: Iterable[Item], ahead: int = AHEAD) -> Iterator[Item]:
    """The same items in the same order; a thread makes up to ``ahead`` of them before they are asked for.

    What making one raises is raised when it is asked for. Threads and not processes: files are read and decoded outside
    of Python's lock, and nothing has to be sent.
    """
    queue: Queue[tuple[Item | object, BaseException | None]] = Queue(max(ahead - 1, 1))
    ended = threading.Event()

    def put(item: Item | object, error: BaseException | None = None) -> None:
        while not ended.is_set():
            try:
                return queue.put((item, error), timeout=0.1)
            except Full:
                continue

    def work() -> None:
        try:
            for item in items:
                put(item)
                if ended.is_set():
                    return
            put(_END)
        except BaseException as error:
            put(_END, error)

    thread = threading.Thread(target=work, name="prefetch", daemon=True)
    thread.start()
    try:
        while True:
            item, error = queue.get()
            if error is not None:
                raise error
            if item is _END:
                return
            yield item  # type: ignore[misc]
    finally:
        ended.set()
        thread.join()
