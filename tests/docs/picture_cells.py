"""The cells behind the pictures of parts: a small network on the embedded digits, and few samples of every part.

Those of RTS and its relatives are the clean cells of ``make bench``, which trains them for longer.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from benchmark.storage.records import Record, read_records
from tests.docs.site_pages import options
from tests.helpers import PROJECT

# Parts and measures without a picture, and why.
NO_PICTURE = {
    "captum": "its maps are those of whatever attribution of that package is named",
    "clean": "nothing is done to the image",
    "box_iou": "the digits' objects have masks, and no boxes",
}
INTERPRETER = "gradcam"  # whose maps the probes' pictures show
BUDGET = {
    **{"train_images": 6000, "calibration_images": 600, "test_images": 300, "noise_images": 32, "noise_images_30": 32},
    **{"attack_images": 16, "converged_images": 16, "keep": 32, "spread_images": 32, "faithful_images": 32},
    **{"batch_size": 16, "classifier_epochs": 5},
}
SETTINGS = [
    *("-m", "budget=bench", "classifier=fine_resnet", "trainer=cpu", "trainer.threads=1", "logger=none"),
    *(f"budget.{name}={value}" for name, value in BUDGET.items()),
]


def names(group: str) -> list[str]:
    """The options of a group that have a picture."""
    return [each.name for each in options(group) if each.name not in NO_PICTURE]


def is_masking(interpreter: str) -> bool:
    """RTS or a relative."""
    return interpreter.startswith("rts")


def sweeps() -> list[list[str]]:
    """The words of ``run``: every probe on one interpreter, then every other interpreter on clean images."""
    single = [name for name in names("interpreter") if not is_masking(name) and name != "ensemble"]
    ensemble = ("interpreter=ensemble", "~interpreter.members.rts", "+interpreter@interpreter.members.grad=grad")
    return [
        [*SETTINGS, f"interpreter={INTERPRETER}", f"probe={','.join(names('probe'))}"],
        [*SETTINGS, "probe=clean", f"interpreter={','.join(single)}"],
        [*SETTINGS, "probe=clean", *ensemble],
    ]


def compute(folder: Path) -> list[Record]:
    """The records of all of them below ``folder``; what is there already is not made again."""
    for words in sweeps():
        own = {"UNDERFIRE_ROOT": str(folder), "OMP_NUM_THREADS": "1"}
        subprocess.run(
            [sys.executable, "-m", "benchmark", "run", *words], cwd=PROJECT, env={**os.environ, **own}, check=True
        )
    return read_records(folder / "results")


def of_bench(results: Path) -> list[Record]:
    """The clean cells of RTS and its relatives in the results of ``make bench``, of its first training.

    Raises:
        ValueError: one of them is not there.
    """
    clean = read_records(results, budget="bench", probe="clean", data="digits", seed=0)
    found = {record.cell["interpreter"]: record for record in clean}
    if missing := [name for name in names("interpreter") if is_masking(name) and name not in found]:
        raise ValueError(f"{results} has no clean cell of {missing[0]}: run make bench first, or name its results")
    return [found[name] for name in found if is_masking(name)]
