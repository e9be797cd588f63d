"""Portable arithmetic: the same instructions on every x86 CPU with AVX2, so that results are the same to the byte.

Which instructions MKL, oneDNN and ATen use is settled when torch loads, by the process's environment: a process that is
to compute portably starts itself again in the environment that says so, and its children inherit it.
"""

from __future__ import annotations

import os
import sys
from typing import Any, NoReturn

# Threads share sums out: where none are configured this many are used, however many cores there are.
THREADS = 2

ENVIRONMENT = {
    "MKL_CBWR": "COMPATIBLE",  # one code path on CPUs of every maker
    "MKL_DYNAMIC": "FALSE",  # as many threads as are asked for, also on fewer cores
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "ATEN_CPU_CAPABILITY": "avx2",
}


def is_on() -> bool:
    """Whether this process computes portably."""
    return all(os.environ.get(name) == value for name, value in ENVIRONMENT.items())


def threads(trainer: dict[str, Any]) -> int | None:
    """The configured CPU threads; None leaves torch's own number."""
    if trainer["threads"] is None and trainer["portable"]:
        return THREADS
    return None if trainer["threads"] is None else int(trainer["threads"])


def start_again() -> NoReturn:
    """The same command line in the same process, from the start, in the portable environment."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], {**os.environ, **ENVIRONMENT})


def check(trainer: dict[str, Any]) -> None:
    """Raises a ValueError where portable arithmetic is asked for of a process that computes otherwise."""
    if trainer.get("portable") and not is_on():
        settings = " ".join(f"{name}={value}" for name, value in ENVIRONMENT.items())
        raise ValueError(
            "trainer.portable=true holds for a process from its start, and this one was started without it: set the "
            f"environment yourself, {settings}"
        )
