"""Whether an attack's time grows with images and steps as their number does.

    python -m tests.measurements.linear

PGD on the network of digits and ADV2 on RTS, untrained; the shortest of so many rounds in which all are done in turn.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import torch

from benchmark.processes.allocator import keep_freed_memory
from benchmark.timing.clock import shortest
from benchmark.timing.loops import attack_on, pgd
from benchmark.timing.workbench import Workbench
from tests.helpers import configured

IMAGES, STEPS, ROUNDS = (50, 100, 200), (10, 20, 40), 3


def works(root: Path, images: int, steps: int) -> dict[str, object]:
    words = (f"batch={images}", f"steps={steps}", "budget=smoke", "trainer=cpu")
    bench = Workbench(configured(root, *words, command="speed"))
    (plain,) = pgd(bench)
    return {"PGD": plain.work, "ADV2 on RTS": attack_on(bench, "", bench.explained, "map").work}


def main() -> None:
    torch.set_num_threads(1)
    keep_freed_memory()
    cases = [(images, STEPS[0]) for images in IMAGES] + [(IMAGES[0], steps) for steps in STEPS[1:]]
    with tempfile.TemporaryDirectory() as root:
        made = {case: works(Path(root), *case) for case in cases}
    for name in ("PGD", "ADV2 on RTS"):
        times = shortest({case: made[case][name] for case in cases}, ROUNDS, torch.device("cpu"))  # type: ignore
        least = times[cases[0]] / (IMAGES[0] * STEPS[0])
        for (images, steps), seconds in times.items():
            own = seconds / (images * steps)
            sys.stdout.write(f"{name}: {images} images, {steps} steps: {1e3 * own:.3f} ms each, {own / least:.3f}\n")


if __name__ == "__main__":
    main()
