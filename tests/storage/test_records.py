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
        "deletion": np.array([0.1, 0.2, np.nan, 0.4], dtype=np.float32),
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


def test_what_was_written_is_returned_and_never_read_back(tmp_path):
    images = {"sample_id": np.arange(2), "benign": np.full((2, 3, 4, 4), 7, np.uint8)}
    written = write_record(tmp_path / "one", SAMPLES, {**TENSORS, "images": images}, CELL)
    read = read_record(tmp_path / "one")
    assert written == read, "folder and cell.json, number for number"
    for name in ("images", "maps"):
        for key, array in getattr(read, name).items():
            np.testing.assert_array_equal(array, getattr(written, name)[key])
    pd.testing.assert_frame_equal(written.samples, read.samples)
    (tmp_path / "one" / "samples.parquet").unlink()
    assert written.samples is SAMPLES


@pytest.mark.parametrize(
    "samples, cell, sentence",
    [
        (SAMPLES.assign(map_l3=0.0), CELL, r"no column 'map_l3': describe it in benchmark/storage/columns\.py"),
        (SAMPLES, {**CELL, "mood": "good"}, r"cell\.json has no field 'mood'"),
    ],
)
def test_what_the_schema_does_not_know_leaves_the_old_record(tmp_path, samples, cell, sentence):
    write_record(tmp_path / "one", SAMPLES, TENSORS, CELL)
    with pytest.raises(ValueError, match=sentence):
        write_record(tmp_path / "one", samples, TENSORS, cell)
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
