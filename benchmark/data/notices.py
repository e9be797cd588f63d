"""What a data set has to be known for and is no mistake: a warning, once a process."""

from __future__ import annotations

import logging
from functools import cache

from benchmark.processes import ranks

log = logging.getLogger("underfire")


def warn_once(sentence: str) -> None:
    """Logs a warning at its first call with this sentence; in a distributed run only in the main process."""
    if ranks.is_main_process():
        _warn(sentence)


@cache
def _warn(sentence: str) -> None:
    log.warning(sentence)
