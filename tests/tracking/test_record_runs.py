"""Runs in Weights & Biases: made from a record in memory, and an error there never costs anything."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from benchmark.storage.cell_fields import IDENTITY_FIELDS
from benchmark.storage.record_summary import summary_of
from benchmark.storage.records import Record
from benchmark.tracking import record_runs
from benchmark.tracking.record_runs import log_record, panel

CELL = {name: name for name in (*IDENTITY_FIELDS, "cell", "device", "artefacts", "config")}
CELL |= {"facts": {"accuracy": 0.5}, "n_samples": 2, "seconds": {"measure": 1.0}}


class Run:
    """A W&B run that keeps what it gets."""

    def __init__(self):
        self.logged, self.summary = {}, {}

    def log(self, values):
        self.logged |= values


@pytest.fixture
def record(tmp_path):
    """A record whose folder is empty: whoever reads it from disk finds nothing."""
    made = Record(tmp_path, CELL)
    ids = np.array([3, 7])
    maps = {name: np.full((2, 2, 2), value, np.float16) for name, value in (("benign", 0.0), ("probed", 1.0))}
    images = {name: np.full((2, 3, 4, 4), value, np.uint8) for name, value in (("benign", 10), ("probed", 20))}
    samples = pd.DataFrame({"sample_id": ids, "map_l1": np.array([0.25, 0.75])})
    vars(made).update(samples=samples, images={"sample_id": ids, **images}, maps={"sample_id": ids, **maps})
    return made


@pytest.fixture
def sent(monkeypatch, tmp_path):
    """The configuration of a run in W&B, what start_run was asked for, and the run itself."""
    asked, run = [], Run()
    monkeypatch.setitem(sys.modules, "wandb", SimpleNamespace(Image=lambda picture, caption: (picture, caption)))
    monkeypatch.setattr(record_runs, "start_run", lambda config, info: asked.append(info) or run)
    config = {"logger": {"mode": "offline", "images": 1}, "paths": {"wandb": str(tmp_path / "wandb")}}
    return config, asked, run


def test_a_record_in_memory_is_a_run(record, sent, monkeypatch):
    config, asked, run = sent
    monkeypatch.setattr(record_runs, "finish_run", lambda run: True)
    assert log_record(config, record)
    (info,) = asked
    assert set(info.config) == {*IDENTITY_FIELDS, "device", "artefacts", "config"}
    assert info.tags == ["data", "classifier", "interpreter", "probe", "budget"]
    assert run.summary == summary_of(record) and run.summary["map_l1/mean"] == 0.5
    picture, _ = run.logged["samples"]
    np.testing.assert_array_equal(picture[0, ::4, 0], [10, 20, 0, 255], "input, perturbed, and their maps")


def test_an_error_of_wandb_is_logged_and_not_noted_as_sent(record, sent, monkeypatch, caplog):
    config, _, run = sent
    monkeypatch.setattr(record_runs, "finish_run", lambda run: True)
    monkeypatch.setattr(record_runs, "note_sent", lambda *args: pytest.fail("noted as sent"))
    monkeypatch.setattr(run, "log", lambda values: 1 / 0)
    assert not log_record(config, record)
    assert "W&B did not take name" in caplog.text


def test_without_a_logger_nothing_is_read(tmp_path):
    assert not log_record({"logger": {"mode": "disabled"}}, Record(tmp_path / "missing", {}))


def test_a_panel_has_a_row_for_each_sample_and_none_where_nothing_was_kept(record, tmp_path):
    assert panel(record, 5).shape == (2 * 4, 4 * 4, 3)
    assert panel(record, 0) is None
    assert panel(Record(tmp_path, CELL), 5) is None
