"""``python -m benchmark submit``: finished records as one file, to be entered into the leaderboard."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from benchmark.commands.common.finished import finished_records
from benchmark.commands.common.job import job

log = logging.getLogger("underfire")


def main(config: DictConfig) -> None:
    """Writes the file, reads it back as a stranger would, and says what it holds."""

    def work(resolved: dict[str, Any]) -> str:
        from benchmark.leaderboard.bundle import read_bundle, write_bundle
        from benchmark.leaderboard.check import faults_of

        for key in ("name", "by"):
            if not isinstance(resolved[key], str) or not resolved[key].strip():
                raise ValueError(f"{key} is not set: say {'what it is called' if key == 'name' else 'who made it'}")
        path = Path(str(resolved["file"]))
        if path.suffix != ".zip" or not path.parent.is_dir():
            raise ValueError(f"file={path} is the file to write, NAME.zip in a folder that is there")
        done = finished_records(resolved)
        if resolved["kind"] == "attack":
            done = [record for record in done if "goal" in record.samples]
            if not done:
                raise ValueError(
                    f"no finished record of an attack below {resolved['paths']['results']} passes the filters"
                )
        texts = {key: str(resolved[key] or "") for key in ("name", "by", "url", "note")}
        write_bundle(path, done, kind=resolved["kind"], store=Path(resolved["paths"]["store"]), **texts)
        if faults := faults_of(read_bundle(path)):
            path.unlink()
            raise ValueError("\n  ".join(["the records contradict themselves:", *faults]))
        samples = sum(len(record.samples) for record in done)
        size = path.stat().st_size / 1e6
        log.info("submit  %s: %d cells, %d samples, %.1f MB", path, len(done), samples, size)
        return "done"

    job(config, lambda settings: "submit", work)
