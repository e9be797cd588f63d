"""Published results: small, whole, and read as the records that they were made from."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmark.report.build import build_report
from benchmark.report.published.columns import STEP, packed, unpacked
from benchmark.report.published.pack import is_pack, read_pack, write_pack
from benchmark.report.statistics.bootstrap import Bootstrap
from benchmark.storage.columns import BY_NAME
from benchmark.storage.records import read_records, write_record
from tests.helpers import underfire
from tests.report.planted import World, trainings

FEW = Bootstrap(100)
CURVE = pd.DataFrame(
    {
        "member": ["all"] * 3,
        "passes": [1, 2, 3],
        "success_rate": [0.5, 1, 1],
        "map_l1": [np.nan, 0.25, 0.125],
        "n": [9] * 3,
    }
)


def store(root: Path, planted, *, step: float | None = None) -> Path:
    """Records on disk; with ``step`` their numbers are multiples of it."""
    for one in planted:
        samples = one.samples.copy()
        if step is not None:
            numbers = samples.select_dtypes("floating").columns
            samples[numbers] = (np.round(samples[numbers] / step) * step).round(4)
        samples = samples.astype({name: BY_NAME[name].dtype for name in samples})
        private = {"paths": {"store": "/home/somebody/store"}, "logger": {"entity": "somebody"}}
        private["data"] = {**one.cell["config"].get("data", {}), "root": "/home/somebody/data"}
        cell = {**one.cell, "config": {**one.cell["config"], **private}}
        write_record(root / cell["name"], samples, {}, cell, curves=one.curves)
    return root


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Records of three trainings, and the same published."""
    root = tmp_path_factory.mktemp("published")
    planted = trainings(World(n=160, between=0.01), ("rts", "rtsa"))
    for one in planted:
        if one.cell["probe"] == "adv2_auto":
            one.curves = CURVE
    results = store(root / "results", planted, step=STEP)
    write_pack(read_records(results), root / "v7", "v7")
    return results, root / "v7"


def test_numbers_come_back_within_half_a_step_and_nan_stays():
    values = pd.Series(np.array([0.0, 1.0, 0.123449, 3e-5, np.nan, 87.3], dtype="float32"))
    back = unpacked(packed(values), "float32")
    assert np.isnan(back[4])
    np.testing.assert_allclose(np.delete(back, 4), np.delete(values.to_numpy(), 4), atol=STEP / 2 + 1e-6)
    for whole in (pd.Series([True, False]), pd.Series([-1, 2_000_000_159])):
        assert unpacked(packed(whole), str(whole.dtype)).tolist() == whole.tolist()
    with pytest.raises(ValueError, match="too large"):
        packed(pd.Series([1e9], name="l2_norm"))


def test_a_report_of_published_results_is_that_of_the_records(folders, tmp_path):
    """Every table and verdict; so nothing that a report reads is left out of what is published."""
    results, pack = folders
    pages = [build_report(root, tmp_path / root.name, bootstrap=FEW) for root in (results, pack)]
    assert pages[0].read_text() == pages[1].read_text()
    for path in sorted(pages[0].parent.rglob("*.csv")):
        assert path.read_text() == (pages[1].parent / path.relative_to(pages[0].parent)).read_text(), path.name
    assert "curves.csv" in {path.name for path in pages[1].parent.rglob("*.csv")}
    assert (pages[0].parent / "verdicts.json").read_text() == (pages[1].parent / "verdicts.json").read_text()


def test_what_is_published_is_small_and_names_nobody(folders):
    results, pack = folders
    size = sum(path.stat().st_size for path in pack.iterdir())
    assert size < sum(path.stat().st_size for path in results.rglob("*") if path.is_file()) / 5
    for record in read_pack(pack).records:
        assert "somebody" not in json.dumps(record.cell)
        assert record.images == record.maps == {}
    index = json.loads((pack / "index.json").read_text())
    assert index["version"] == "v7"
    assert index["seed"] == [0, 1, 2]
    assert index["cells"] == 54
    assert index["device"] == ["cpu"]
    assert index["commit"] == ["0123456789abcdef"]


def test_equal_records_give_equal_bytes(folders, tmp_path):
    results, pack = folders
    records = read_records(results)
    write_pack(records[::-1], tmp_path / "v7", "v7")
    assert sorted(path.name for path in pack.iterdir()) == sorted(path.name for path in (tmp_path / "v7").iterdir())
    for path in pack.iterdir():
        assert path.read_bytes() == (tmp_path / "v7" / path.name).read_bytes()
    again = write_pack(read_pack(pack).records, tmp_path / "again", "v7")
    assert again.index == read_pack(pack).index


@pytest.mark.parametrize("name", ["samples.parquet", "cells.parquet", "index.json"])
def test_damage_is_told(folders, tmp_path, name):
    _, pack = folders
    for path in pack.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / name).write_bytes((pack / name).read_bytes()[:-30])
    with pytest.raises(ValueError, match=rf"{name} (is missing or has changed|cannot be read)"):
        read_pack(tmp_path)


def test_another_format_and_a_folder_in_use_are_refused(folders, tmp_path):
    results, pack = folders
    index = json.loads((pack / "index.json").read_text())
    for path in pack.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "index.json").write_text(json.dumps({**index, "format": 99}))
    with pytest.raises(ValueError, match="format 99"):
        read_pack(tmp_path)
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").write_text("years of work")
    with pytest.raises(ValueError, match="holds other files"):
        write_pack(read_records(results)[:1], tmp_path / "thesis", "v1")
    with pytest.raises(ValueError, match="no finished record"):
        write_pack([], tmp_path / "v1", "v1")


def test_the_command_publishes_what_its_filters_choose(folders, tmp_path):
    results, _ = folders
    words = [f"paths.results={results}", f"folder={tmp_path}/v3", "seed=[0,2]"]
    ran = underfire(tmp_path, "publish", *words)
    assert ran.returncode == 0, ran.stderr
    assert re.search(r"published  .*v3: 36 cells, \d+ samples, 0\.\d MB", ran.stderr)
    assert is_pack(tmp_path / "v3")
    assert read_pack(tmp_path / "v3").index["seed"] == [0, 2]
    nothing = underfire(tmp_path, "publish", *words, "data=cifar10")
    assert nothing.returncode == 1
    assert "no finished record" in nothing.stderr
