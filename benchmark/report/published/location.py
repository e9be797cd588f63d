"""Where the results lie that this version of the suite ships with."""

from __future__ import annotations

from pathlib import Path

# Sets of five trainings of Observation 8, which differ in seeds, device or versions: verdicts are over all of them.
SETS = ("v2", "v1", "v2_portable", "v1_portable")


def published_root() -> Path:
    """Inside the installed package, or in the docs of a checkout; there may be none."""
    package = Path(__file__).resolve().parents[2]
    inside = package / "results"
    return inside if inside.is_dir() else package.parent / "docs" / "results"


def published_sets() -> list[Path]:
    """The folders of the sets; one in portable mode on a CPU is among them, whose bytes another machine should get."""
    return [published_root() / name for name in SETS]
