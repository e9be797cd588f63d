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
        [sys.executable, "-c", PEAK, "run", "budget=smoke", "logger=none", "trainer=cpu", *arguments],
        cwd=PROJECT,
        env={**os.environ, "UNDERFIRE_ROOT": root, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    return int(ran.stderr.rsplit("peak ", 1)[1]) / 1024


def main() -> None:
    for probe in ("normal_30", "pgd", "clean"):
        with tempfile.TemporaryDirectory() as root:
            peaks = [
                peak(
                    root,
                    f"probe={probe}",
                    f"budget.test_images={count}",
                    "budget.attack_images=null",
                    "interpreter=cam",
                    "budget.batch_size=100",
                    "budget.train_images=20000",
                    "classifier.training.epochs=1",
                )
                for count in (6400, 64000)
            ]
        sys.stdout.write(
            f"{probe}: 6,400 images {peaks[0]:.0f} MB, 64,000 images {peaks[1]:.0f} MB, "
            f"ratio {peaks[1] / peaks[0]:.2f}\n"
        )
    with tempfile.TemporaryDirectory() as root:
        counts = [",".join(map(str, range(number))) for number in (10, 100)]
        peaks = [peak(root, "-m", "probe=pgd", "interpreter=cam", f"probe.seed={seeds}") for seeds in counts]
    sys.stdout.write(f"cells: 10 {peaks[0]:.0f} MB, 100 {peaks[1]:.0f} MB, ratio {peaks[1] / peaks[0]:.2f}\n")


if __name__ == "__main__":
    main()
