"""When the memory does not suffice groups are halved, and the record says at what size it ran."""

from __future__ import annotations

import logging
import shutil

import numpy as np
import pytest
import torch

from benchmark.engine import out_of_memory
from benchmark.pipeline.cell import run_cell
from benchmark.storage.records import read_record, read_records
from lightning_modules.probe import LitProbe
from lightning_modules.rts import LitRTS
from tests.helpers import configured

CELL = ("probe=pgd", "probe.batch_size=8")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The cell computed with memory enough."""
    root = tmp_path_factory.mktemp("whole")
    return root, read_record(run_cell(configured(root, *CELL))[0])


@pytest.fixture
def root(whole, tmp_path):
    """A store with everything but probed images."""
    shutil.copytree(whole[0] / "store", tmp_path / "store")
    shutil.rmtree(tmp_path / "store" / "probed")
    return tmp_path


def too_large(limit):
    """A predict step that runs out of memory above so many samples."""
    own = LitProbe.predict_step

    def predict_step(self, batch, index):
        if len(batch["image"]) > limit:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return own(self, batch, index)

    return predict_step


def test_groups_are_halved_until_they_fit(whole, root, monkeypatch, caplog):
    ours = whole[1]
    monkeypatch.setattr(LitProbe, "predict_step", too_large(2))
    with caplog.at_level(logging.WARNING, "underfire"):
        folder, status = run_cell(configured(root, *CELL))
    assert status == "done"
    assert [f"with {size} samples" in caplog.text for size in (4, 2, 1)] == [True, True, False]
    theirs = read_record(folder)
    assert folder.name == ours.folder.name, "it is the cell that was asked for"
    assert (ours.cell["facts"]["batch_size"], theirs.cell["facts"]["batch_size"]) == (8, 2)
    assert theirs.samples["sample_id"].equals(ours.samples["sample_id"])
    np.testing.assert_allclose(theirs.samples["map_l1"], ours.samples["map_l1"], atol=0.02)
    assert run_cell(configured(root, *CELL))[1] == "cached"


def test_one_sample_at_a_time_is_the_end(root, monkeypatch):
    monkeypatch.setattr(LitProbe, "predict_step", too_large(0))
    with pytest.raises(torch.OutOfMemoryError):
        run_cell(configured(root, *CELL))
    (record,) = read_records(root / "results")
    assert (record.cell["status"], record.cell["reason"]["error"]) == ("failed", "OutOfMemoryError")


def test_a_training_s_batch_is_never_halved(tmp_path, monkeypatch):
    def step(self, batch, index):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes")

    monkeypatch.setattr(LitRTS, "training_step", step)
    with pytest.raises(out_of_memory.TrainingMemoryError, match="train it on smaller batches"):
        run_cell(configured(tmp_path, *CELL))


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (torch.OutOfMemoryError("CUDA out of memory"), True),
        (MemoryError(), True),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"), True),
        (RuntimeError("shapes cannot be multiplied"), False),
        (ValueError("out of memory of what was"), False),
    ],
)
def test_what_counts_as_running_out(error, expected):
    assert out_of_memory.ran_out(error) is expected
