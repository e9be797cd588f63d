"""Where the results lie that this version of the suite ships with."""

from __future__ import annotations

from pathlib import Path

VERSION = "v2"


def published_folder() -> Path:
    """Inside the installed package, or in the docs of a checkout; there may be none."""
    package = Path(__file__).resolve().parents[2]
    inside = package / "results"
    return (inside if inside.is_dir() else package.parent / "docs" / "results") / VERSION


def portable_folder() -> Path:
    """Trainings in portable mode on a CPU, beside the results: their bytes are told apart from another machine's."""
    return published_folder().with_name(f"{VERSION}_portable")
