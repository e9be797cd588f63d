"""What several tests need: composed configurations and the command line in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir

from benchmark.configuration.conf_files import conf_folder
from benchmark.configuration.resolution import as_dict

PROJECT = Path(__file__).resolve().parents[1]


def configured(root: Path, *overrides: str, command: str = "run") -> dict[str, Any]:
    """The resolved configuration of a smoke cell whose files all lie below ``root``."""
    with initialize_config_dir(version_base="1.3", config_dir=str(conf_folder())):
        fixed = [f"paths.root={root}"]
        if command == "run":
            fixed += ["budget=smoke", "logger=none", "trainer=cpu"]
        return as_dict(compose(command, overrides=[*fixed, *overrides]))


def underfire(
    root: Path, *arguments: str, before: Sequence[str] = (), timeout: float = 280, **environment: str
) -> subprocess.CompletedProcess[str]:
    """``python -m benchmark`` with everything below ``root``, one thread, and no W&B server in reach.

    ``before`` are a launcher's own words, between ``-m`` and ``benchmark``; ``timeout`` is in seconds.
    """
    own = {"UNDERFIRE_ROOT": str(root), "OMP_NUM_THREADS": "1", "WANDB_MODE": "offline", **environment}
    # Where W&B keeps what waits to be sent: a run in this process has set it to its own folder.
    inherited = {name: value for name, value in os.environ.items() if name != "WANDB_DATA_DIR"}
    return subprocess.run(
        [sys.executable, "-m", *before, "benchmark", *arguments],
        cwd=PROJECT,
        env={**inherited, **own},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
