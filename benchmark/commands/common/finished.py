"""The finished records that a command packs."""

from __future__ import annotations

import logging
from typing import Any

from benchmark.report.build import chosen_records
from benchmark.storage.records import Record, scan_records

log = logging.getLogger("underfire")


def finished_records(config: dict[str, Any]) -> list[Record]:
    """The finished cells below ``paths.results`` that pass ``filter``; says what was left out, and why.

    Raises:
        ValueError: there is none.
    """
    scan = scan_records(config["paths"]["results"])
    scan.warn()
    wanted = {name: value for name, value in config["filter"].items() if value is not None}
    records, left_out = chosen_records(scan, wanted)
    for note in left_out:
        log.info("%s", note)
    done = [record for record in records if record.cell["status"] == "done"]
    if not done:
        raise ValueError(f"no finished record below {config['paths']['results']} passes the filters")
    return done
