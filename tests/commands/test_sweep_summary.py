"""What came of a sweep's cells: each sweep counts its own, also beside another one."""

from __future__ import annotations

import errno
import json
import os
import time

import pytest

from benchmark.commands.common import sweep_summary
from benchmark.commands.common.sweep_summary import NOTE
from benchmark.storage.leases import PATIENCE, Lease, first_free
from tests.helpers import PROJECT, underfire

SWEEP = [
    "-m",
    "interpreter=cam",
    "classifier=fine_resnet",
    "probe=clean,pgd",
    "budget=smoke",
    "logger=none",
    "trainer=cpu",
]


@pytest.fixture
def other(tmp_path):
    """The notes of a sweep that is still running, in a folder whose name has to be quoted."""
    root = tmp_path / "it's one"
    note = root / "outputs" / "sweep" / "0" / NOTE
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
    assert sorted(path.parent.name for path in (root / "outputs" / "sweep-2").glob(f"*/{NOTE}")) == ["0", "1"]
    assert not list((root / "outputs" / ".leases").glob("sweep-2")), "the next sweep finds its place free"


@pytest.mark.parametrize("folder", [["hydra.run.dir=."], ["-m", "hydra.sweep.dir=."]], ids=["run", "sweep"])
def test_a_folder_that_holds_more_loses_nothing(tmp_path, folder):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").write_text("years of work")
    here = os.path.relpath(tmp_path, PROJECT)
    words = [each.replace("=.", f"={here}") for each in folder]
    ran = underfire(tmp_path, "run", "interpreter=cam", "classifier=fine_resnet", "probe=clean", *SWEEP[4:], *words)
    assert ran.returncode == 0, ran.stderr
    assert (tmp_path / "thesis" / "chapter.tex").read_text() == "years of work"


def test_cells_without_an_outcome_are_failures(tmp_path, monkeypatch, caplog):
    """A worker that was killed leaves no word."""
    monkeypatch.setattr(sweep_summary, "_failures", [])
    monkeypatch.setattr(sweep_summary, "_open", [sweep_summary._Sweep(tmp_path, 3, time.perf_counter(), None)])
    (tmp_path / "0").mkdir()
    (tmp_path / "0" / NOTE).write_text(json.dumps({"name": "a", "status": "done", "sentence": ""}))
    with caplog.at_level("INFO", "underfire"):
        sweep_summary.sum_up()
        sweep_summary.sum_up()
    assert caplog.text.count("3 cells: 1 computed, 0 cached, 0 failed, 2 without an outcome") == 1
    assert sweep_summary.any_failed()


@pytest.mark.parametrize("command", [["run", *SWEEP], ["report"]], ids=["sweep", "report"])
def test_a_folder_of_outputs_that_cannot_be_written_to_is_a_sentence(tmp_path, command):
    (tmp_path / "outputs").write_text("not a folder")
    ran = underfire(tmp_path, *command)
    assert ran.returncode == 1
    assert "cannot be written to (Not a directory)" in ran.stderr
    assert "name a folder you may write to (paths.root=FOLDER for everything, paths.outputs=FOLDER" in ran.stderr
    for word in ("Traceback", "HYDRA", "the same command goes on", "without an outcome"):
        assert word not in ran.stderr
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize("key", ["hydra.run.dir", "hydra.sweep.dir"])
def test_a_read_only_folder_of_a_run_or_sweep_ends_the_process(tmp_path, monkeypatch, caplog, key):
    def read_only(**options):
        raise OSError(errno.EROFS, "Read-only file system", str(options["dir"]))

    monkeypatch.setattr(sweep_summary.tempfile, "TemporaryFile", read_only)
    with pytest.raises(SystemExit) as end:
        sweep_summary._must_be_writable(tmp_path / "notes", key)
    assert end.value.code == 1
    assert caplog.messages == [
        f"{key} {tmp_path / 'notes'} cannot be written to (Read-only file system); nothing was started: name a folder "
        "you may write to (paths.root=FOLDER for everything, paths.outputs=FOLDER for this)"
    ]


def test_a_sentence_on_several_cells_is_logged_once(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(sweep_summary, "_failures", [])
    monkeypatch.setattr(sweep_summary, "_sentences", {})
    monkeypatch.setattr(sweep_summary, "_open", [sweep_summary._Sweep(tmp_path, 4, time.perf_counter(), None)])
    assert sweep_summary.note_sentence("told", "known") == "told"
    assert sweep_summary.note_sentence("again", "known") == "told"
    for name, sentence in (("a", "the disk"), ("b", "the disk"), ("c", "the net"), ("told", "known")):
        (tmp_path / name).mkdir()
        (tmp_path / name / NOTE).write_text(json.dumps({"name": name, "status": "failed", "sentence": sentence}))
    with caplog.at_level("INFO", "underfire"):
        sweep_summary.sum_up()
    assert [line for line in caplog.messages if line.startswith("failed")] == [
        "failed  2 cells, the first: a: the disk",
        "failed  c: the net",
        "failed  told: see above",
    ]


def test_an_outcome_that_cannot_be_noted_costs_no_finished_work(tmp_path, monkeypatch, caplog):
    (tmp_path / "file").write_text("in the way")
    runtime = type("Runtime", (), {"output_dir": str(tmp_path / "file" / "0")})
    monkeypatch.setattr(sweep_summary.HydraConfig, "get", lambda: type("Config", (), {"runtime": runtime}))
    sweep_summary.note_outcome("a", "done")
    assert "what came of a is not noted" in caplog.text


def test_an_old_lease_of_another_machine_takes_no_place_for_ever(tmp_path):
    path = tmp_path / "sweep"
    path.write_text(json.dumps({"token": "x", "beat": 4, "pid": 1, "host": "elsewhere", "space": "other"}))
    places = [("first", Lease(path, "a sweep")), ("second", Lease(tmp_path / "sweep-2", "a sweep"))]
    place, lease = first_free(places)
    assert place == "second"
    lease.release()
    old = time.time() - 20 * PATIENCE
    os.utime(path, (old, old))
    place, lease = first_free(places)
    assert place == "first"
    lease.release()
