"""The board as one self-contained HTML file, and as JSON. Texts of strangers are escaped."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from benchmark.leaderboard.board import Board
from benchmark.leaderboard.entry import Entry, Numbers
from benchmark.report.labels import INTERPRETERS
from benchmark.report.statistics.bootstrap import Estimate
from benchmark.storage.atomic import make_folder, write_atomic
from benchmark.storage.flags import BY_NAME


def write_board(board: Board, folder: Path) -> tuple[Path, Path]:
    """Writes index.html and leaderboard.json, and returns their paths.

    Raises:
        OSError: the folder cannot be made or written to.
    """
    make_folder(folder, "folder")
    page, data = folder / "index.html", folder / "leaderboard.json"
    write_atomic(page, render(board).encode())
    write_atomic(data, (json.dumps(board.as_dict(), indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode())
    return page, data


def render(board: Board) -> str:
    """The HTML: no script, font or picture from elsewhere, nothing that leaves the page but the entries' links."""
    environment = Environment(
        loader=PackageLoader("benchmark.leaderboard", "."), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    tables = [
        {
            "title": threat.title,
            "rows": [_row(place, entry, varied(entries)) for place, entry in enumerate(entries, 1)],
            "is_calibration": threat.split == "calibration",
        }
        for threat, entries in board.tables
    ]
    raised = {flag for _, entries in board.tables for entry in entries for flag in entry.strongest.flags}
    flags = [(name, flag.sentence) for name, flag in BY_NAME.items() if name in raised]
    return environment.get_template("page.html.j2").render(tables=tables, flags=flags, notes=board.notes)


def varied(entries: Sequence[Entry]) -> set[str]:
    """The settings that tell entries of the same defence apart."""
    found: set[str] = set()
    for entry in entries:
        for other in entries:
            if (entry.training, entry.interpreter, entry.defence) == (other.training, other.interpreter, other.defence):
                both = {**entry.settings, **other.settings}
                found |= {path for path in both if entry.settings.get(path) != other.settings.get(path)}
    return found


def _row(place: int, entry: Entry, shown: set[str]) -> dict[str, Any]:
    settings = ", ".join(f"{path.split('.')[-1]}={value}" for path, value in entry.settings.items() if path in shown)
    best = entry.strongest
    return {
        "place": place,
        "network": entry.classifier,
        "training": "" if entry.training == "standard" else f"adversarial training ({entry.training})",
        "interpreter": INTERPRETERS.get(entry.interpreter, entry.interpreter),
        "defence": entry.defence,
        "settings": settings,
        "name": entry.name,
        "url": entry.url,
        "accuracy": None if entry.accuracy is None else f"{100 * entry.accuracy:.1f} %",
        "best": _bar(best.joint_success),
        "attack": best.attack if not entry.is_broken else f"{best.attack} by {best.by}",
        "is_broken": entry.is_broken,
        "passes": "" if best.passes is None else f"{best.passes:.0f} passes",
        "reported": _number(entry.reported.joint_success),
        "rechecked": "" if entry.rechecked is None else f"{entry.rechecked['joint_success']:.3f}",
        "external": [_external(numbers, entry.why_not(numbers)) for numbers in entry.external],
        "alarm": _number(entry.reported.pair_alarm_auc),
        "harm": entry.harm,
        "flags": best.flags,
        "trainings": entry.trainings,
        "seeds": ", ".join(map(str, entry.seeds)),
        "by": entry.by,
        "provenance": entry.provenance,
    }


def _external(numbers: Numbers, why_not: str) -> str:
    state = f"{why_not}, does not count" if why_not else "re-checked"
    return f"{_number(numbers.joint_success)} {numbers.attack} by {numbers.by} ({state})"


def _number(estimate: Estimate | None) -> str:
    if estimate is None or not estimate.n:
        return ""
    return f"{estimate.value:.3f} [{estimate.low:.3f}, {estimate.high:.3f}]"


def _bar(estimate: Estimate) -> dict[str, Any]:
    """A rate with its interval, in percent of the cell's width."""
    low, high = (100 * min(max(end, 0.0), 1.0) if end == end else None for end in (estimate.low, estimate.high))
    return {"text": _number(estimate), "value": estimate.value, "at": 100 * estimate.value, "low": low, "high": high}
