"""The allocator keeps what a step has freed: the next step takes no new pages from the kernel."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import resource, sys, torch
from benchmark.processes import allocator
torch.set_num_threads(1)
if sys.argv[1] == "kept":
    allocator.keep_freed_memory()
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(24):
        made = [torch.zeros(16, 64, 112, 112) for _ in range(2)]  # above 32 MiB: glibc never keeps those by itself
        del made
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
faults()
print(faults())
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's allocator")
def test_steps_after_the_first_take_no_new_pages():
    kept, given_back = (
        int(subprocess.run([sys.executable, "-c", PROGRAM, how], stdout=subprocess.PIPE, check=True).stdout)
        for how in ("kept", "given back")
    )
    assert kept < given_back / 10
