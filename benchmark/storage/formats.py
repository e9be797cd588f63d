"""A version per kind of artefact, part of its hash: raise it when a formula or a file format changes."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

FORMAT = {
    "data": 2,
    "classifier": 2,
    "interpreter": 2,
    "predictions": 2,
    "scale": 2,
    "probed": 6,
    "spread": 4,
    "cell": 4,
    "published": 1,
}

_BEGINNING = re.compile(rb'\A\{\s*(?:"kind":\s*"[^"]*",\s*)?"format":\s*(\d+)\s*[,}]')


def format_of(path: Path) -> Any:
    """The format that a cell.json or artefact.json says it has, from its first bytes; None where it says none.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        if found := _BEGINNING.match(file.read(200)):
            return int(found[1])
    try:
        content = json.loads(path.read_text())
    except ValueError:
        return None
    return content.get("format") if isinstance(content, dict) else None


def is_other(kind: str, found: Any) -> bool:
    """Whether ``found`` is the format of another version of the suite; None, no format at all, is not."""
    return found is not None and found != FORMAT.get(kind)


def records_left_out(formats: Iterable[Any]) -> str:
    """A sentence on records of other formats, with their number; empty where there are none."""
    count = Counter(map(str, formats))
    if not count:
        return ""
    (first, number), *rest = sorted(count.items())
    kinds = [f"{number} {'record' if number == 1 else 'records'} of format {first}"]
    kinds += [f"{number} of format {other}" for other, number in rest]
    cells, them = ("its cell", "it") if sum(count.values()) == 1 else ("their cells", "them")
    return (
        f"{' and '.join(kinds)}, this suite writes {FORMAT['cell']}: left out; run {cells} again or report {them} with "
        f"the version that wrote {them}"
    )
