"""The same weights under two instruction sets, with one thread and two: ``python -m tests.repeats.every_way``.

Prints each cell mean, and how far it lies apart, over batches of 50 and 16 too.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.helpers import PROJECT
from tests.repeats.weights_again import train

WAYS = ("1:50", "2:50", "1:16")  # threads : batch size; 16 leaves 8 images for the last group
SETS = ("default", "avx2")


def measured_in_every_way(folder: Path) -> dict[tuple[str, str], dict[str, float]]:
    """{(instruction set, way): cell means} of one set of weights, trained here."""
    weights = folder / "rts.pt"
    train(weights)
    found = {}
    for name in SETS:
        command = [sys.executable, "-m", "tests.repeats.weights_again", str(weights), *WAYS]
        environment = {**os.environ, "ATEN_CPU_CAPABILITY": name}
        ran = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stderr
        found |= {(name, way): means for way, means in zip(WAYS, json.loads(ran.stdout), strict=True)}
    return found


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        measured = measured_in_every_way(Path(folder))
    for name in next(iter(measured.values())):
        values = [means[name] for means in measured.values()]
        print(f"{name}: {values[0]:.4f}, apart by {max(values) - min(values):.2g}")
