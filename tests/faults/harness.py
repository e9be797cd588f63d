"""A small sweep that can be disturbed: started in processes of its own, killed, compared with an undisturbed one."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from benchmark.storage.records import read_records
from tests.helpers import PROJECT, underfire

SWEEP = ["-m", "interpreter=rts,rtsa", "probe=clean,pgd,adv2", "budget=smoke", "logger=none", "trainer=cpu"]
CELLS = 6
PAYLOAD = ("samples.parquet", "images.safetensors", "maps.safetensors")


def start(root: Path, *arguments: str, log: Path | None = None, **environment: str) -> subprocess.Popen[str]:
    """``python -m benchmark run`` of the sweep in the background, its words at the end of a file."""
    told = (log or root / "log").open("a")
    return subprocess.Popen(
        [sys.executable, "-m", "benchmark", "run", *(arguments or SWEEP)],
        cwd=PROJECT,
        env={**os.environ, "UNDERFIRE_ROOT": str(root), "OMP_NUM_THREADS": "1", "WANDB_MODE": "offline", **environment},
        stdout=told,
        stderr=subprocess.STDOUT,
        text=True,
    )


def computed(root: Path) -> dict[str, dict[str, bytes]]:
    """What the records of a folder hold, to the byte."""
    return {
        record.folder.name: {name: (record.folder / name).read_bytes() for name in PAYLOAD}
        for record in read_records(root / "results", status="done")
    }


def finished(root: Path) -> dict[Path, tuple[int, int]]:
    """Everything that is finished, with what tells whether it was made anew: inode and time of its last file."""
    files = [*(root / "store").glob("*/*/artefact.json"), *(root / "results").glob("*/cell.json")]
    whole = [path for path in files if not path.parent.name.endswith(".partial")]
    return {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in whole}


class Killer:
    """Runs the sweep in two processes and kills one of them, at random, at random moments."""

    def __init__(self, root: Path, seed: int) -> None:
        self.root, self.random = root, random.Random(seed)
        self.kills = 0
        self.known: dict[Path, tuple[int, int]] = {}

    def _check(self) -> None:
        """What has been finished once is never made again."""
        now = finished(self.root)
        for path, mark in self.known.items():
            assert now.get(path) == mark, f"{path} was made twice or lost"
        self.known = now

    def run(self, kills: int, deadline: float) -> None:
        """Until so many kills have hit a process at work; when all is done before that, the records are forgotten."""
        processes = [start(self.root) for _ in range(2)]
        end = time.monotonic() + deadline
        try:
            while self.kills < kills:
                assert time.monotonic() < end, f"{self.kills} kills in {deadline} s"
                time.sleep(self.random.uniform(0.5, 7.0))
                which = self.random.randrange(2)
                if processes[which].poll() is None:
                    processes[which].send_signal(signal.SIGKILL)
                    self.kills += 1
                processes[which].wait()
                self._check()
                if len([path for path in self.known if path.name == "cell.json"]) == CELLS:
                    self._forget()
                processes[which] = start(self.root)
        finally:
            for process in processes:
                process.kill()
                process.wait()
        self._check()

    def _forget(self) -> None:
        """One interpreter's last stage, all probed images and the records: work for the next kills."""
        for pattern in ("results/*", "store/probed/*", "store/spread/*"):
            for path in self.root.glob(pattern):
                if path.is_dir():
                    subprocess.run(["rm", "-rf", str(path)], check=True)
        newest = max(
            (self.root / "store" / "interpreter").glob("*/artefact.json"), key=lambda path: path.stat().st_mtime
        )
        subprocess.run(["rm", "-rf", str(newest.parent)], check=True)
        self.known = finished(self.root)


def finish(root: Path) -> str:
    """The sweep once more, undisturbed; what it said."""
    ran = underfire(root, "run", *SWEEP)
    assert ran.returncode == 0, ran.stderr
    return ran.stderr
