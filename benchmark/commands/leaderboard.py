"""``python -m benchmark leaderboard``: a table a threat model, from results and bundles, as a page and as JSON."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from benchmark.commands.common.job import job
from benchmark.commands.common.output import tell_json
from benchmark.report.published.location import published_root
from benchmark.report.statistics.bootstrap import Bootstrap

log = logging.getLogger("underfire")

PUBLISHED = "published"


def main(config: DictConfig) -> None:
    """Writes the page and the JSON file and names them."""

    def work(resolved: dict[str, Any]) -> str:
        from benchmark.leaderboard.board import build
        from benchmark.leaderboard.page import write_board

        named = resolved["results"]
        named = [named] if isinstance(named, str) else named
        if not isinstance(named, list) or not named or not all(isinstance(each, str) and each for each in named):
            raise ValueError(f"results is a list of folders, or published, got {resolved['results']!r}")
        folders = [path for each in named for path in (shipped() if each == PUBLISHED else [Path(each)])]
        bundles = None if resolved["bundles"] is None else Path(resolved["bundles"])
        if bundles is not None and not bundles.is_dir():
            raise ValueError(f"bundles={bundles} is no folder: name one that holds bundles (*.zip)")
        board = build(folders, bundles, Bootstrap(resolved["resamples"], resolved["bootstrap_seed"]))
        page, data = write_board(board, Path(resolved["folder"]))
        for note in board.notes:
            log.warning("%s", note)
        rows = sum(len(entries) for _, entries in board.tables)
        log.info("leaderboard  %s: %d entries in %d tables, and %s", page, rows, len(board.tables), data.name)
        tell_json(board.as_dict())
        return "done"

    job(config, lambda settings: "leaderboard", work)


def shipped() -> list[Path]:
    """Every folder of published results that ships with the suite and has another probe than none."""
    from benchmark.report.published.pack import read_pack

    folders = sorted(path.parent for path in published_root().glob("*/index.json"))
    return [each for each in folders if any(record.cell["probe"] != "clean" for record in read_pack(each).records)]
