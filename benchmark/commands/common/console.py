"""Logging on the terminal: our own messages, a line each on standard error."""

from __future__ import annotations

import logging
import os
import sys


def configure() -> None:
    """Also in workers of a launcher, which start without what the first process has set; a second call does nothing."""
    if not logging.getLogger().handlers:
        logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
        for name in ("hydra", "fontTools", "matplotlib"):
            logging.getLogger(name).setLevel(logging.WARNING)
    os.environ.setdefault("WANDB_SILENT", "true")
