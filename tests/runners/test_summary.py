"""What came of a sweep's cells: each sweep counts its own, also beside another one."""

from __future__ import annotations

import json

import pytest

from benchmark.leases import Lease
from tests.helpers import underfire

SWEEP = ["-m", "interpreter=cam", "probe=clean,pgd", "budget=smoke", "logger=none", "trainer=cpu"]


@pytest.fixture
def other(tmp_path):
    """The notes of a sweep that is still running, in a folder whose name has to be quoted."""
    root = tmp_path / "it's one"
    note = root / "outputs" / "sweep" / "0" / "outcome.json"
    note.parent.mkdir(parents=True)
    note.write_text(json.dumps({"name": "theirs", "status": "failed", "sentence": "their trouble"}))
    with Lease(root / "outputs" / ".leases" / "sweep", "the other sweep"):
        yield root, note


@pytest.mark.parametrize(
    "launcher", [[], ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"]], ids=["basic", "joblib"]
)
def test_a_sweep_beside_another_counts_its_own_cells(other, launcher):
    root, note = other
    ran = underfire(root, "run", *SWEEP, *launcher)
    assert ran.returncode == 0, ran.stderr
    assert "2 cells: 2 computed, 0 cached, 0 failed" in ran.stderr
    assert "their trouble" not in ran.stderr
    assert json.loads(note.read_text())["name"] == "theirs"
    assert sorted(path.parent.name for path in (root / "outputs" / "sweep-2").glob("*/outcome.json")) == ["0", "1"]
    assert not list((root / "outputs" / ".leases").glob("sweep-2")), "the next sweep finds its place free"
