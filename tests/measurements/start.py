"""What stands before the first attack step: of a cell on photographs, and of a folder with as many images as ImageNet's
validation set.

    python -m tests.measurements.start cell data=image_folder data.root=FOLDER classifier=efficientnet_lite0 ...
    python -m tests.measurements.start folder FOLDER    # is filled with 52,000 small images where it does not exist
"""

from __future__ import annotations

import contextlib
import logging
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

CLASSES, PER_CLASS, SIDE = 1000, 50, 64


def cell(overrides: list[str]) -> None:
    """Seconds until the first step of an attack, in an empty store."""
    from benchmark.pipeline.cell import run_cell
    from benchmark.probes.kept_state import UnderWay
    from benchmark.processes.signals import Stopped
    from tests.helpers import configured

    def stop(self: UnderWay, *args: object, **parts: object) -> None:
        raise Stopped(signal.SIGTERM)

    logging.basicConfig(level=logging.INFO, format="%(message)s")
    UnderWay.step = stop  # type: ignore[method-assign]
    with tempfile.TemporaryDirectory() as root:
        config = configured(Path(root), *overrides)
        with contextlib.suppress(Stopped):
            run_cell(config)
        told(f"first step of {config['probe']['name']}")


def told(what: str) -> None:
    """What has happened, after how many seconds."""
    started = time.perf_counter() - _START
    sys.stdout.write(f"{what}: {started:.1f} s on the wall, {time.process_time():.1f} s of CPU\n")


def folder(root: Path) -> None:
    """Seconds of three processes until the test split can be read: without a memory, with an empty one, and with it."""
    if not root.exists():
        _fill(root)
    with tempfile.TemporaryDirectory() as cache:
        for what, where in (("no memory", None), ("empty memory", cache), ("filled memory", cache)):
            code = (
                "import time; from benchmark.data.image_folder import ImageFolder; start = time.perf_counter();"
                f"data = ImageFolder(root={str(root)!r}, seed=0, image_size=224, cache={where!r});"
                "count, seconds = len(data.split('test')), time.perf_counter() - start;"
                "print(f'{count} images after {seconds:.1f} s, {time.process_time():.1f} s of CPU in all')"
            )
            ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
            sys.stdout.write(f"{what}: {ran.stdout}")


def _fill(root: Path) -> None:
    """1,000 classes of 50 test images, one for training and one for calibration, noise of 64 px."""
    from PIL import Image

    random = np.random.default_rng(0)
    for split, count in (("test", PER_CLASS), ("train", 1), ("calibration", 1)):
        for label in range(CLASSES):
            own = root / split / f"class_{label:04d}"
            own.mkdir(parents=True)
            for number in range(count):
                pixels = random.integers(0, 256, (SIDE // 8, SIDE // 8, 3), np.uint8)
                Image.fromarray(pixels).resize((SIDE, SIDE)).save(own / f"{number:04d}.jpg", quality=80)


_START = time.perf_counter()

if __name__ == "__main__":
    kind, *rest = sys.argv[1:]
    cell(rest) if kind == "cell" else folder(Path(rest[0]))
