"""Imports point one way: a room imports only itself and the rooms below it."""

from __future__ import annotations

import ast

import pytest

from tests.helpers import PROJECT

# From the top of the house down. types.py is the one loose module that every room may use.
ROOMS = (
    "__main__",
    "commands",
    "leaderboard",
    "api",
    "timing",
    "pipeline",
    "engine",
    "planning",
    "configuration",
    "probes",
    "interpreters",
    "data",
    "classifiers",
    "metrics",
    "objectives",
    "tracking",
    "report",
    "storage",
    "processes",
    "numerics",
    "types",
)
# Rooms that share formulas but not each other's parts, so that each can be read alone.
SIBLINGS = {"data", "classifiers", "interpreters", "probes", "metrics"}
NO_TORCH = {"planning", "configuration", "report", "storage"}
NO_TORCH_FILES = {
    *("processes/ranks.py", "processes/signals.py", "processes/process_identity.py"),
    *("tracking/record_runs.py", "tracking/wandb_run.py", "__main__.py"),
}
HEAVY = {"torch", "pytorch_lightning", "timm", "torchmetrics", "torchvision"}
FILES = sorted([*(PROJECT / "benchmark").rglob("*.py"), *(PROJECT / "lightning_modules").rglob("*.py")])


def imported(path) -> set[str]:
    """Every module that a file names in an import, wherever it stands."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def room_of(path) -> str:
    parts = path.relative_to(PROJECT).with_suffix("").parts
    return parts[1] if parts[0] == "benchmark" else parts[0]


def rooms_used(path) -> set[str]:
    """The rooms of benchmark/ that a file imports from."""
    return {name.split(".")[1] for name in imported(path) if name.startswith("benchmark.")}


def test_every_file_has_a_room():
    rooms = {room_of(path) for path in FILES if path.name != "__init__.py"}
    assert rooms == {*ROOMS, "lightning_modules"}
    loose = {path.name for path in (PROJECT / "benchmark").glob("*.py")}
    assert loose == {"__init__.py", "__main__.py", "types.py"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PROJECT)))
def test_imports_point_one_way(path):
    own, used, names = room_of(path), rooms_used(path), imported(path)
    if own == "lightning_modules":
        assert not used & set(ROOMS[: ROOMS.index("probes")])
        return
    assert not any(name.split(".")[0] == "lightning_modules" for name in names)
    if path.name == "__init__.py":
        return
    below = set(ROOMS[ROOMS.index(own) :])
    assert used <= below, f"{own} imports from above: {used - below}"
    if own in SIBLINGS:
        assert not used & (SIBLINGS - {own}), "siblings never import each other"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PROJECT)))
def test_torch_stays_out_of_what_has_to_be_fast(path):
    name = path.relative_to(PROJECT / "benchmark").as_posix() if room_of(path) != "lightning_modules" else ""
    if room_of(path) in NO_TORCH or name in NO_TORCH_FILES:
        assert not {each.split(".")[0] for each in imported(path)} & HEAVY


def test_packages_are_empty():
    """But for the one that names what scripts and notebooks use, and imports it when it is asked for."""
    for path in FILES:
        if path.name == "__init__.py" and path.parent != PROJECT / "benchmark":
            assert path.read_text() == ""


def test_the_package_imports_nothing_before_it_is_used():
    tree = ast.parse((PROJECT / "benchmark" / "__init__.py").read_text())
    modules = {node.module for node in tree.body if isinstance(node, ast.ImportFrom)}
    assert modules == {"__future__", "typing"}
