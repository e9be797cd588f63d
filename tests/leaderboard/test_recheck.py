"""A bundle of a real cell, through the command line: packed, checked again here, tampered with."""

from __future__ import annotations

import json

import numpy as np
import pytest

from benchmark.leaderboard.board import read_check
from benchmark.leaderboard.bundle import read_bundle, write_bundle
from benchmark.leaderboard.recheck import recheck
from benchmark.storage.records import Record, read_records, write_record
from tests.helpers import underfire

pytestmark = pytest.mark.slow

CELL = ("interpreter=grad", "budget=smoke", "logger=none", "trainer=cpu", "measure.keep=64")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("entry")
    ran = underfire(folder, "run", "probe=adv2", *CELL)
    assert ran.returncode == 0, ran.stderr
    ran = underfire(folder, "submit", "name=mine", "by=Jo Doe", f"file={folder}/mine.zip", "budget=smoke")
    assert ran.returncode == 0, ran.stderr
    assert "1 cells, " in ran.stderr + ran.stdout
    return folder


def test_an_entry_is_checked_again(root):
    ran = underfire(root, "verify", str(root / "mine.zip"))
    assert ran.returncode == 0, ran.stdout + ran.stderr
    told = ran.stdout + ran.stderr
    assert "attack mine by Jo Doe, 1 cells" in told and "joint success" in told
    found = read_check(root / "mine.zip")
    (cell,) = found["cells"]
    assert cell["here"] == pytest.approx(cell["reported"], abs=1e-6) and found["faults"] == []


def test_without_the_networks_it_says_so(root, tmp_path):
    ran = underfire(tmp_path, "verify", str(root / "mine.zip"))
    assert ran.returncode == 0, ran.stderr
    assert "no record here has its classifier and interpreter" in ran.stdout + ran.stderr
    ran = underfire(tmp_path, "verify", str(tmp_path / "none.zip"))
    assert ran.returncode == 1 and "there is no bundle" in ran.stdout + ran.stderr


def changed(record: Record, folder, *, images=None, samples=None) -> Record:
    """A copy of a record that is whole, and not true."""
    tensors = {"images": {k: v.copy() for k, v in record.images.items()}, "maps": record.maps}
    table = record.samples.copy()
    if images is not None:
        images(tensors["images"])
    if samples is not None:
        table = samples(table)
    cell = {
        key: value for key, value in record.cell.items() if key not in ("checksum", "checksums", "status", "format")
    }
    written = write_record(folder, table, tensors, {**cell, "n_samples": len(table)})
    return Record(written.folder, written.cell)


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"images": lambda a: a.update(probed=a["benign"].copy())}, "success is"),
        ({"images": lambda a: a["benign"].__setitem__(0, 7)}, "its benign images are not those of the data set"),
        ({"samples": lambda t: t.assign(label=(t["label"] + 1) % 10)}, "its labels are not those of the data set"),
        (
            {"samples": lambda t: t.assign(goal=t["pred_probe"] * 0 + (t["label"] + 1) % 10)},
            "goal classes are not those",
        ),
        ({"samples": lambda t: t.iloc[1:].reset_index(drop=True)}, "not the first that the classifier gets right"),
    ],
)
def test_what_is_not_true_here(root, tmp_path, changes, words):
    (record,) = read_records(root / "results")
    path = tmp_path / "x.zip"
    write_bundle(path, [changed(record, tmp_path / "record", **changes)], kind="attack", name="x", by="y")
    outcome = recheck(read_bundle(path), [record], {"store": str(root / "store"), "data": str(root / "store" / "data")})
    assert any(words in fault for fault in outcome.faults), outcome.faults
    assert len(outcome.cells) == 1


def test_a_board_with_it(root):
    ran = underfire(root, "leaderboard", f"bundles={root}", f"folder={root}/board", "--json")
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout)
    assert told == json.loads((root / "board" / "leaderboard.json").read_text())
    assert "no entry has the method" in told["notes"][0], "a smoke cell is of no published method"
    assert np.isfinite([e["accuracy"] for table in told["tables"] for e in table["entries"]]).all()
    (root / "leaderboard").write_text("a file, where the page's folder would have to be made")
    ran = underfire(root, "leaderboard")
    assert ran.returncode == 1 and f"folder {root}/leaderboard cannot be made (File exists)" in ran.stderr
    ran = underfire(root, "leaderboard", "bundles=nowhere")
    assert ran.returncode == 1 and "bundles=nowhere is no folder" in ran.stderr
    ran = underfire(root, "submit", "by=Jo")
    assert ran.returncode == 1 and "name is not set" in ran.stderr
