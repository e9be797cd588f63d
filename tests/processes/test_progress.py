"""What a long computation tells of itself."""

from __future__ import annotations

import logging

import pytest

from benchmark.processes import progress as module
from benchmark.processes.progress import Progress, duration


@pytest.fixture
def clock(monkeypatch):
    """Seconds that a test sets."""
    now = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    return now


def test_the_log_gets_a_line_a_minute(clock, caplog):
    with caplog.at_level(logging.INFO, "underfire"), Progress("training", "steps", 400, done=100) as progress:
        for second in range(1, 151):
            clock[0] = float(second)
            progress.advance(note=f"loss {second}")
    assert [record.message for record in caplog.records] == [
        "training: 160 of 400 steps, 60 s, about 4 min left, loss 60",
        "training: 220 of 400 steps, 2 min, about 3 min left, loss 120",
    ]


def test_a_terminal_gets_one_line_that_is_written_over(clock, monkeypatch, capsys, caplog):
    monkeypatch.setattr(module.sys.stderr, "isatty", lambda: True)
    with caplog.at_level(logging.INFO, "underfire"), Progress("noise", "passes") as progress:
        clock[0] = 1.0
        progress.advance(100)
        clock[0] = 1.1
        progress.advance(100)
    assert capsys.readouterr().err == "\r\x1b[Knoise: 100 passes, 1 s\r\x1b[K"
    assert not caplog.records


@pytest.mark.parametrize(("seconds", "words"), [(40, "40 s"), (720, "12 min"), (12600, "3.5 h")])
def test_durations_are_short(seconds, words):
    assert duration(seconds) == words
