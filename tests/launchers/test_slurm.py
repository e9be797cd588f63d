"""A sweep under a real scheduler reaches its time limit, is warned and queued again, and ends as an undisturbed one."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from tests.faults.harness import computed
from tests.helpers import PROJECT, underfire
from tests.launchers.slurm import Slurm, lacking

# Longer than a job may take: an attack that goes on inside its groups.
SWEEP = ["-m", "interpreter=rts", "probe=sign,pgd", "budget.attack_steps=5000"]
SWEEP += ["budget=smoke", "logger=none", "trainer=cpu", "trainer.threads=1", "trainer.keep_minutes=0.1"]
# SLURM counts in minutes, and may send its warning up to a minute early.
LIMIT = ["hydra/launcher=submitit_slurm", "hydra.launcher.timeout_min=2", "hydra.launcher.signal_delay_s=30"]
LIMIT += ["hydra.launcher.max_num_timeout=30", "hydra.launcher.cpus_per_task=1"]


@pytest.mark.slow
@pytest.mark.timeout(6000)
@pytest.mark.skipif(bool(lacking()), reason=lacking())
def test_a_sweep_that_reaches_its_time_limit_ends_as_an_undisturbed_one(tmp_path):
    queue, alone = tmp_path / "queue", tmp_path / "alone"
    (tmp_path / "slurm").mkdir()
    with Slurm(tmp_path / "slurm") as environment:
        ran = subprocess.run(
            [sys.executable, "-m", "benchmark", "run", f"paths.root={queue}", *SWEEP, *LIMIT],
            cwd=PROJECT,
            env={**environment, "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            timeout=2400,
            check=False,
        )
        time.sleep(1)  # its jobs have left the queue
        left = subprocess.run(["squeue", "-h"], env=environment, capture_output=True, text=True, check=True).stdout
    assert ran.returncode == 0, ran.stderr
    assert "2 cells: 2 computed, 0 cached, 0 failed" in ran.stderr
    assert not left
    told = "".join(path.read_text() for path in queue.glob("outputs/sweep/.submitit/*/*.err"))
    assert "this job is timed-out" in told and "Requeued job" in told
    assert underfire(alone, "run", *SWEEP, timeout=3000).returncode == 0
    assert computed(queue) == computed(alone)
