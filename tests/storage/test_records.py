"""Records: byte for byte, whole or left out, and never overwritten by a failure."""

from __future__ import annotations

import logging

import numpy as np
import pandas as pd
import pytest

from benchmark.storage.records import is_done, read_record, read_records, write_failure, write_record

SAMPLES = pd.DataFrame(
    {
        "sample_id": np.arange(4),
        "map_l1": np.array([0.1, 0.2, np.nan, 0.4], dtype=np.float32),
        "success": [True, False, True, True],
    }
)
TENSORS = {"maps": {"sample_id": np.arange(2), "benign": np.ones((2, 3, 3), np.float16)}}
CELL = {"name": "one", "probe": "adv2", "level": None, "seed": 0, "facts": {"rate": np.float32(0.5), "none": np.nan}}


def test_round_trip(tmp_path):
    write_record(tmp_path / "one", SAMPLES, TENSORS, CELL)
    record = read_record(tmp_path / "one")
    pd.testing.assert_frame_equal(record.samples, SAMPLES)
    np.testing.assert_array_equal(record.maps["benign"], TENSORS["maps"]["benign"])
    assert record.images == {}
    assert record.cell["status"] == "done"
    assert record.cell["facts"] == {"rate": 0.5, "none": None}
    assert is_done(tmp_path / "one")


def test_equal_content_gives_equal_bytes(tmp_path):
    write_record(tmp_path / "one", SAMPLES, TENSORS, CELL)
    write_record(tmp_path / "two", SAMPLES.copy(), TENSORS, {**CELL, "seconds": 3})
    for name in ("samples.parquet", "maps.safetensors"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


@pytest.mark.parametrize("name", ["samples.parquet", "maps.safetensors", "cell.json"])
def test_damage_is_named_and_left_out(tmp_path, name, caplog):
    write_record(tmp_path / "one", SAMPLES, TENSORS, CELL)
    write_record(tmp_path / "two", SAMPLES, TENSORS, CELL)
    path = tmp_path / "one" / name
    path.write_bytes(path.read_bytes()[:-1])
    with caplog.at_level(logging.WARNING, "underfire"):
        found = read_records(tmp_path)
    assert [record.folder.name for record in found] == ["two"]
    assert name in caplog.text
    assert not is_done(tmp_path / "one")


def test_filters_take_a_value_or_a_list(tmp_path):
    for index, probe in enumerate(("clean", "pgd", "adv2")):
        write_record(tmp_path / probe, SAMPLES, {}, {**CELL, "probe": probe, "seed": index})
    assert [record.cell["probe"] for record in read_records(tmp_path, probe=["adv2", "pgd"])] == ["adv2", "pgd"]
    assert [record.cell["probe"] for record in read_records(tmp_path, seed=0, probe=None)] == ["clean"]
    assert read_records(tmp_path, probe="clean", seed=1) == []


def test_a_failure_is_a_record_and_never_replaces_a_result(tmp_path):
    write_failure(tmp_path / "one", CELL, stage="attack.step", error=ValueError("too far"))
    record = read_record(tmp_path / "one")
    assert record.cell["status"] == "failed"
    assert record.cell["reason"] == {"stage": "attack.step", "error": "ValueError", "hint": "too far"}
    assert record.samples.empty
    assert not is_done(tmp_path / "one")
    write_record(tmp_path / "one", SAMPLES, {}, CELL)
    write_failure(tmp_path / "one", CELL, stage="x", error=ValueError("y"))
    assert is_done(tmp_path / "one")
