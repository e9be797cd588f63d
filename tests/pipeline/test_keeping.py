"""Verify, gc and sync: what is kept is checked, counted and sent, and never lost."""

from __future__ import annotations

import json
import logging
import shutil

import numpy as np
import pytest
import wandb
from safetensors.numpy import load_file, save_file

from benchmark.commands.common.integrity import check_files, unused
from benchmark.commands.common.repeat import repeat
from benchmark.pipeline.cell import run_cell
from benchmark.storage.hashing import own_checksum, sha256_file
from benchmark.storage.records import read_record, read_records
from benchmark.tracking import wandb_run
from tests.helpers import configured, underfire


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A store and results with two cells."""
    root = tmp_path_factory.mktemp("kept")
    for probe in ("normal_30", "adv2"):
        run_cell(configured(root, f"probe={probe}"))
    return root


@pytest.fixture
def root(made, tmp_path):
    shutil.copytree(made, tmp_path / "kept")
    return tmp_path / "kept"


def test_what_is_whole_has_no_fault(root):
    checked = check_files(root / "store", root / "results")
    assert (checked.faults, checked.unusable, checked.notes) == ([], set(), [])
    assert len(checked.records) == 2
    assert not unused(root / "store", checked.records)
    ran = underfire(root, "verify")
    assert ran.returncode == 0, ran.stderr
    assert "2 records" in ran.stderr


def test_damage_is_named(root):
    (weights, *_) = (root / "store" / "classifier").glob("*/weights.safetensors")
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    (samples, *_) = (root / "results").glob("*/samples.parquet")
    samples.unlink()
    checked = check_files(root / "store", root / "results")
    assert len(checked.records) == 1
    assert len(checked.faults) == 2
    assert any("weights.safetensors has changed" in fault for fault in checked.faults)
    assert any("samples.parquet" in fault for fault in checked.faults)
    assert checked.unusable == {weights.parent.name}


def test_verify_makes_nothing_again(root):
    """What is damaged is the evidence of it, and may have taken hours."""
    (weights,) = (root / "store" / "classifier").glob("*/weights.safetensors")
    corrupted = weights.read_bytes()[:-1] + b"x"
    weights.write_bytes(corrupted)
    ran = underfire(root, "verify")
    assert ran.returncode == 1
    assert "1 faults" in ran.stderr
    assert weights.read_bytes() == corrupted


@pytest.mark.parametrize("word", ["gc delete=no", "gc delete=yes", "verify samples=abc", "verify samples=-1"])
def test_a_word_that_means_nothing_does_nothing(root, word):
    (record,) = read_records(root / "results", probe="adv2")
    shutil.rmtree(record.folder)
    ran = underfire(root, *word.split())
    assert ran.returncode == 1
    assert "got " in ran.stderr and "Traceback" not in ran.stderr
    assert (root / "store" / "probed" / record.cell["artefacts"]["probed"]).exists()


def test_a_forged_image_is_found_by_the_classifier(root, caplog):
    """Checksums in order, but the picture is not the one that was measured."""
    (record,) = read_records(root / "results", probe="normal")
    path = record.folder / "images.safetensors"
    images = load_file(path)
    images["benign"] = np.ascontiguousarray(images["benign"][::-1])
    save_file(images, path)
    told = json.loads((record.folder / "cell.json").read_text())
    told["checksums"]["images.safetensors"] = sha256_file(path)
    (record.folder / "cell.json").write_text(json.dumps({**told, "checksum": own_checksum(told)}))
    forged = read_record(record.folder)
    forged.cell["config"]["paths"]["store"] = str(root / "store")
    forged.samples["pred_benign"] = np.arange(len(forged.samples)) % 10  # even if all of them look alike
    with caplog.at_level(logging.INFO, "underfire"):
        faults = repeat(forged, 8)
    assert any("benign images" in fault and "classified otherwise" in fault for fault in faults)


def test_a_record_that_says_something_else_is_found(root):
    (cell, *_) = sorted((root / "results").glob("*/cell.json"))
    cell.write_text(cell.read_text().replace('"benign_spread": 0', '"benign_spread": 9'))
    ran = underfire(root, "verify")
    assert ran.returncode == 1
    assert "cell.json has changed" in ran.stderr


def test_verify_mends_nothing_and_names_what_is_missing(root):
    (classifier,) = (root / "store" / "classifier").glob("*/artefact.json")
    shutil.rmtree(classifier.parent)
    ran = underfire(root, "verify")
    assert ran.returncode == 1
    assert f"its classifier {classifier.parent.name} is not in the store" in ran.stderr
    assert not classifier.parent.exists()
    nothing = underfire(root, "verify", f"paths.results={root}/nowhere")
    assert nothing.returncode == 1
    assert "is not there" in nothing.stderr


def test_gc_never_takes_silence_for_consent(root):
    """A mistyped folder, and a damaged record, would make everything look unneeded."""
    kept = sorted((root / "store").glob("*/*/artefact.json"))
    typo = underfire(root, "gc", "delete=true", f"paths.results={root}/typo")
    assert typo.returncode == 1 and "is not there" in typo.stderr
    (maps, *_) = (root / "results").glob("*/maps.safetensors")
    maps.write_bytes(b"")
    damaged = underfire(root, "gc", "delete=true")
    assert damaged.returncode == 1 and "1 damaged" in damaged.stderr
    assert sorted((root / "store").glob("*/*/artefact.json")) == kept


def test_gc_deletes_only_what_no_record_needs_and_only_when_told(root):
    (record,) = read_records(root / "results", probe="adv2")
    shutil.rmtree(record.folder)
    cut = root / "store" / "data" / "digits-test-0.safetensors.0.partial"
    cut.parent.mkdir(exist_ok=True)
    cut.write_bytes(b"half")
    listed = underfire(root, "gc")
    assert "2 artefacts" in listed.stderr, listed.stderr
    probed = root / "store" / "probed" / record.cell["artefacts"]["probed"]
    assert probed.exists()
    underfire(root, "gc", "delete=true")
    assert not probed.exists() and not cut.exists()
    assert check_files(root / "store", root / "results").faults == []


def test_sync_sends_each_cell_and_each_training_once(root):
    first, again = underfire(root, "sync"), underfire(root, "sync")
    assert "2 of 2 records, 1 of 1 trainings and 0 of 0 comparisons sent" in first.stderr, first.stderr
    assert "0 of 2 records, 0 of 1 trainings and 0 of 0 comparisons sent" in again.stderr, again.stderr
    assert len(list((root / "wandb").glob("offline-run-*"))) == 3
    (curve, *_) = (root / "store" / "classifier").glob("*/history.jsonl")
    (run,) = (root / "wandb").glob(f"offline-run-*/run-{curve.parent.name}.wandb")
    assert run.stat().st_size > 500


def test_a_run_that_was_cut_off_is_sent_again(root):
    assert underfire(root, "sync").returncode == 0
    (record, _) = read_records(root / "results")
    (root / "wandb" / "sent" / f"offline-{record.cell['cell']}").unlink()  # killed before W&B had it all
    assert "1 of 2 records, 0 of 1 trainings" in underfire(root, "sync").stderr


def test_sync_says_what_it_cannot_do(root):
    nothing = underfire(root, "sync", "interpreter=gard")
    assert nothing.returncode == 1 and "no finished record" in nothing.stderr
    silent = underfire(root, "sync", "logger=none")
    assert silent.returncode == 1 and "sends nothing" in silent.stderr


def test_a_run_that_never_ends_is_given_up(root, monkeypatch, caplog):
    """W&B waits for its server without end, unless it is told not to; then sync sends it another time."""
    asked = {}

    class Run:
        def finish(self):
            raise TimeoutError("finish timed out")

    monkeypatch.setattr(wandb, "init", lambda **settings: asked.update(settings) or Run())
    config = configured(root, "logger=wandb", "logger.patience=3")
    run = wandb_run.start_run(config, wandb_run.RunInfo("cell", "a", "a", {}))
    settings = asked["settings"]
    assert (settings.init_timeout, settings.finish_timeout, settings.finish_timeout_raises) == (3, 30, True)
    with caplog.at_level(logging.WARNING, "underfire"):
        assert wandb_run.finish_run(run) is False
    assert "finish timed out" in caplog.text
