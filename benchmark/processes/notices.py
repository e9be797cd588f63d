"""What is to be known and is no mistake, told once a process; in a distributed run by the main process alone."""

from __future__ import annotations

import logging
from functools import cache

from benchmark.processes import ranks

log = logging.getLogger("underfire")


def warn_once(sentence: str) -> None:
    """Logs a warning at its first call with this sentence."""
    _once(logging.WARNING, sentence)


def tell_once(sentence: str) -> None:
    """Logs the sentence at its first call."""
    _once(logging.INFO, sentence)


def _once(level: int, sentence: str) -> None:
    if ranks.is_main_process():
        _log(level, sentence)


@cache
def _log(level: int, sentence: str) -> None:
    log.log(level, sentence)
