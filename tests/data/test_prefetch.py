"""Batches read ahead: the same, in order, and no further than asked."""

from __future__ import annotations

import threading
import time

import pytest

from benchmark.data.prefetch import prefetched


def test_items_come_in_order_and_two_ahead_at_most():
    made = []

    def items():
        for number in range(6):
            made.append(number)
            yield number

    found = prefetched(items(), ahead=2)
    assert next(found) == 0
    deadline = time.monotonic() + 5
    while len(made) < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.05)
    assert made == [0, 1, 2], "one is ready, one is in the making"
    assert list(found) == [1, 2, 3, 4, 5]


def test_a_fault_is_raised_where_its_item_is_asked_for():
    def items():
        yield 1
        raise ValueError("x.jpg is broken")

    found = prefetched(items())
    assert next(found) == 1
    with pytest.raises(ValueError, match=r"x\.jpg"):
        next(found)


def test_who_stops_asking_leaves_no_thread():
    found = prefetched(iter(range(1000)))
    next(found)
    found.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "prefetch"]
