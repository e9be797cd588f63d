"""What a cell takes beside the model's own work: everything in ``run_cell`` but the steps of attack and measures.

python -m tests.measurements.overhead
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from benchmark.pipeline.cell import run_cell
from lightning_modules.measure import LitMeasure
from lightning_modules.probe import LitProbe
from tests.helpers import configured

CELLS = 12


def timed(step: Callable[..., Any], spent: list[float]) -> Callable[..., Any]:
    """A predict step that adds its seconds to ``spent``."""

    def predict_step(self: Any, batch: Any, index: int) -> Any:
        start = time.perf_counter()
        try:
            return step(self, batch, index)
        finally:
            spent.append(time.perf_counter() - start)

    return predict_step


def main() -> None:
    torch.set_num_threads(1)
    spent: list[float] = []
    for kind in (LitMeasure, LitProbe):
        kind.predict_step = timed(kind.predict_step, spent)  # type: ignore[method-assign]
    with tempfile.TemporaryDirectory() as folder:
        for name, classifier in (("cam", "fine_resnet"), ("rts", "small_resnet")):
            beside, whole = [], []
            for seed in range(CELLS):
                parts = [f"interpreter={name}", f"classifier={classifier}", "probe=pgd", f"probe.seed={seed}"]
                config = configured(Path(folder), *parts)
                spent.clear()
                start = time.perf_counter()
                run_cell(config)
                whole.append(time.perf_counter() - start)
                beside.append(whole[-1] - sum(spent))
            rest = statistics.median(beside[1:])  # the first cell trains
            sys.stdout.write(
                f"{name}: {rest:.3f} s beside the model's work, {statistics.median(whole[1:]):.3f} s in all; median of "
                f"{CELLS - 1} cells\n"
            )


if __name__ == "__main__":
    main()
