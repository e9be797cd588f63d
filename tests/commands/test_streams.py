"""A command without its standard streams, with a reader that leaves, on a full disk, on a terminal of few signs."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys

import pytest

from tests.helpers import PROJECT

PLAN = ("plan", "--quick", "budget=smoke", "interpreter=grad", "probe=pgd")


def shell(words: tuple[str, ...], ending: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A command with what stands behind it on a shell's line; its own exit status is the last line of the output."""
    line = f"{shlex.join([sys.executable, '-m', 'benchmark', *words])} {ending}"
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", line],
        cwd=PROJECT,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize("ending", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_without_a_stream_it_does_its_work(ending):
    ran = shell(PLAN, ending)
    assert (ran.returncode, ran.stderr) == (0, "")


def test_a_reader_that_leaves_ends_it_without_a_word():
    ran = shell(("--help",), "| true")
    assert (ran.returncode, ran.stdout, ran.stderr) == (141, "", "")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")
def test_a_full_disk_is_a_sentence():
    ran = shell(("--help",), "> /dev/full")
    assert ran.returncode == 1
    assert ran.stderr == "underfire: the output could not be written (No space left on device)\n"


def test_signs_that_a_terminal_lacks_are_replaced():
    ran = shell(("help", "probe"), "", PYTHONIOENCODING="ascii")
    assert ran.returncode == 0 and ran.stdout.isascii() and ran.stderr == ""
