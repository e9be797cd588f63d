"""Imports point one way: types <- objectives <- the parts; records <- report; everything <- runners."""

from __future__ import annotations

import ast

import pytest

from tests.helpers import PROJECT

LEAVES = {"types", "descent", "leases", "draws", "tensors", "hashing", "files", "versions", "store", "records"}
LEAVES |= {"tracking", "ranks", "batch_norm", "stopping"}
PARTS = {"data", "classifiers", "interpreters", "probes", "measures"}
FILES = sorted([*(PROJECT / "benchmark").rglob("*.py"), *(PROJECT / "lightning_modules").rglob("*.py")])
HEAVY = {"torch", "pytorch_lightning", "timm", "torchmetrics", "torchvision"}


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


def layer(name: str) -> str:
    """``benchmark.probes.noise`` -> ``probes``."""
    return [*name.split("."), ""][1]


def layer_of(path) -> str:
    parts = path.relative_to(PROJECT).with_suffix("").parts
    return parts[1] if parts[0] == "benchmark" else parts[0]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PROJECT)))
def test_imports_point_one_way(path):
    own = layer_of(path)
    names = imported(path)
    ours = {layer(name) for name in names if name.split(".")[0] == "benchmark" and "." in name}
    if own != "lightning_modules":
        assert not any(name.split(".")[0] == "lightning_modules" for name in names)
    if own in LEAVES:
        assert ours <= LEAVES
    elif own == "specs":
        assert ours <= LEAVES | {"data"}
    elif own == "planning":
        assert ours <= LEAVES | {"specs", "planning"}
    elif own == "objectives":
        assert ours <= LEAVES | {"objectives"}
    elif own in PARTS:
        assert ours <= LEAVES | {"objectives", own}, "siblings never import each other"
    elif own == "report":
        assert ours <= LEAVES | {"report"}
    elif own == "lightning_modules":
        assert "runners" not in ours
        assert "report" not in ours
    if own in {"report", "store", "records", "hashing", "files", "versions", "specs", "tracking", "planning", "ranks"}:
        assert not {name.split(".")[0] for name in names} & HEAVY


def test_packages_are_empty():
    for path in FILES:
        if path.name == "__init__.py":
            assert path.read_text() == ""
