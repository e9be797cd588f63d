"""How long a sweep of 1,000 finished cells takes to plan, and to run again for nothing. Records are planted.

python -m tests.measurements.thousand
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from benchmark.configuration.cells import Cell
from benchmark.configuration.conf_files import conf_folder
from benchmark.configuration.sweep_expansion import expand
from benchmark.storage.records import write_record
from tests.helpers import underfire

SWEEP = ["-m", "interpreter=rts,rtsa", "probe=normal,uniform", "probe.level=0.03,0.3"]
SWEEP.append("seed=" + ",".join(map(str, range(125))))


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        samples = pd.DataFrame({"sample_id": np.arange(2500), "map_l1": np.linspace(0, 1, 2500, dtype=np.float32)})
        maps = {"benign": np.zeros((256, 24, 24), np.float16)}
        for planned in expand(str(conf_folder()), "run", [*SWEEP, f"paths.root={root}"]).cells:
            assert planned.config is not None
            cell = Cell(planned.config)
            write_record(cell.folder, samples, {"maps": maps}, cell.identity())
        for command in ("plan", "run"):
            start = time.perf_counter()
            ran = underfire(root, command, *SWEEP)
            seconds = time.perf_counter() - start
            assert ran.returncode == 0, ran.stderr
            told = (ran.stdout + ran.stderr).splitlines()
            sys.stdout.write(f"{command}: {seconds:.1f} s  ({next(line for line in told if 'cells' in line)})\n")


if __name__ == "__main__":
    main()
