"""What is known of a sweep before its first job starts, also by putting networks together."""

from __future__ import annotations

import logging

from benchmark.commands.common.options import Settings
from benchmark.planning.precheck import log_mistakes, precheck_sweep
from benchmark.processes import portable, ranks

log = logging.getLogger("underfire")


def check_sweep(conf: str, settings: Settings) -> int | None:
    """The exit status of ``run`` if it is known without launching a job, else None.

    Where something of a sweep is still to be computed, this puts each distinct combination of data set, networks and
    probe together once, untrained, see deep_check.py: what does not go together is told before any training. A sweep
    that asks for portable arithmetic starts the process again, once it is known that something is to be computed.
    """
    checked = precheck_sweep(conf, settings.overrides, multirun=settings.multirun, config_dir=settings.config_dir)
    if checked.status is None and checked.portable and not portable.is_on():
        portable.start_again()
    if checked.status is not None or not checked.left or ranks.started():
        return checked.status
    from benchmark.commands.common.deep_check import deep_check

    found = deep_check(checked.left)
    if found.note:
        log.info("%s", found.note)
    if any(cell.state == "wrong" for cell in found.cells):
        log_mistakes(found.cells)
        return 1
    return None
