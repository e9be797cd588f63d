"""The peak of a cell's memory, at some images and at ten times as many; and of a sweep, at some cells and ten times.

python -m tests.measurements.memory
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile

from tests.helpers import PROJECT

PEAK = (
    "import resource, runpy, sys\n"
    "sys.argv[0] = 'underfire'\n"
    "try:\n runpy.run_module('benchmark', run_name='__main__', alter_sys=True)\n"
    "finally:\n print('peak', resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)\n"
)


def peak(root: str, *arguments: str) -> float:
    """MB of resident memory at most, of ``run`` with these overrides."""
    ran = subprocess.run(
        [sys.executable, "-c", PEAK, "run", *arguments, "budget=smoke", "logger=none", "trainer=cpu"],
        cwd=PROJECT,
        env={**os.environ, "UNDERFIRE_ROOT": root, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    return int(ran.stderr.rsplit("peak ", 1)[1]) / 1024


def of_images(root: str, probe: str, count: int) -> float:
    """The peak of a cell that measures so many images."""
    large = [
        "interpreter=cam",
        "classifier=fine_resnet",
        "budget.batch_size=100",
        "budget.train_images=20000",
        "classifier.training.epochs=1",
    ]
    return peak(root, f"probe={probe}", f"budget.test_images={count}", f"budget.attack_images={count}", *large)


def tell(what: str, small: float, large: float) -> None:
    sys.stdout.write(f"{what}: {small:.0f} MB, {large:.0f} MB, ratio {large / small:.2f}\n")
    sys.stdout.flush()


def main() -> None:
    with tempfile.TemporaryDirectory() as root:
        of_images(root, "clean", 1000)  # trains the classifier, so that none of those compared does
        for probe in ("normal_30", "pgd", "clean"):
            tell(f"{probe}, 6,400 and 64,000 images", *(of_images(root, probe, count) for count in (6400, 64000)))
    with tempfile.TemporaryDirectory() as root:
        seeds = [",".join(map(str, range(number))) for number in (1, 10, 100)]
        peaks = [
            peak(root, "-m", "probe=pgd", "interpreter=cam", "classifier=fine_resnet", f"probe.seed={each}")
            for each in seeds
        ]
        tell("10 and 100 cells", *peaks[1:])  # the first has trained


if __name__ == "__main__":
    main()
