"""What a sweep has, lacks and shares, seen without computing; and every mistake at once."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from benchmark.configuration.conf_files import conf_folder
from benchmark.configuration.sweep_expansion import expand
from benchmark.planning.plan import plan
from benchmark.storage.leases import Lease
from benchmark.storage.paths import lease_in_folder
from benchmark.storage.records import read_records
from tests.helpers import PROJECT, underfire

CONF = str(conf_folder())
SWEEP = ["-m", "interpreter=rts,rtsa", "probe=clean,pgd", "budget=smoke", "logger=none", "trainer=cpu"]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A store and records with one of the four cells done and one failed."""
    folder = tmp_path_factory.mktemp("planned")
    assert underfire(folder, "run", *_one("rts", "pgd")).returncode == 0
    failed = underfire(folder, "run", *_one("rtsa", "clean"), "interpreter.blocks=9")
    assert failed.returncode == 1
    return folder


def _one(interpreter, probe):
    return [f"interpreter={interpreter}", f"probe={probe}", *SWEEP[3:]]


def planned(root, *overrides):
    return plan(expand(CONF, "run", [f"paths.root={root}", *overrides]))


def test_states_and_shared_artefacts(root):
    made = planned(root, *SWEEP)
    assert (made.count("done"), made.count("missing")) == (1, 3)
    kinds = {kind: [need for need in made.uses if need.kind == kind] for kind in ("classifier", "interpreter")}
    (classifier,) = kinds["classifier"]
    assert (made.uses[classifier], made.made[classifier]) == (4, "done")
    # selector and start are shared, the two finishes are not
    assert sorted(made.uses[need] for need in kinds["interpreter"]) == [2, 2, 4, 4]
    assert sorted(made.made[need] for need in kinds["interpreter"]) == ["done", "done", "done", "missing"]


def test_the_needs_are_what_a_record_names(root):
    """What plan foresees is what run then uses."""
    (record,) = read_records(root / "results", status="done")
    made = planned(root, *_one("rts", "pgd"))
    used = {key for name, key in record.cell["artefacts"].items() if name != "spec"}
    assert used <= {need.key for need in made.uses}
    assert all(made.made[need] == "done" for need in made.uses)


def test_a_failed_cell_is_told_with_stage_and_hint(root):
    made = planned(root, *_one("rtsa", "clean"), "interpreter.blocks=9")
    (cell,) = made.cells
    assert cell.state == "failed"
    assert "ValueError in" in cell.sentence
    assert "distinct resolutions" in cell.sentence


def test_a_cell_in_work_is_running(root):
    made = planned(root, *_one("rts", "clean"))
    with Lease(lease_in_folder(root / "results" / made.cells[0].name), "a cell"):
        assert planned(root, *_one("rts", "clean")).cells[0].state == "running"
    assert planned(root, *_one("rts", "clean")).cells[0].state == "missing"


def test_the_commands_tell_it_without_torch(root):
    code = (
        "import sys; from benchmark import __main__ as m\n"
        "try:\n m.main()\nexcept SystemExit as end: print('exit', end.code)\n"
        "print('heavy', sorted({'torch', 'pandas', 'pytorch_lightning'} & set(sys.modules)))"
    )
    for command, quick in (("plan", ["--quick"]), ("status", [])):
        ran = subprocess.run(
            [sys.executable, "-c", code, command, *quick, f"paths.root={root}", *SWEEP],
            cwd=PROJECT,
            capture_output=True,
            text=True,
            check=True,
        )
        assert "4 cells: 1 done, 3 missing" in ran.stdout
        assert "exit 0" in ran.stdout
        assert "heavy []" in ran.stdout


def test_cells_and_artefacts_are_named_where_asked_for(root):
    made = planned(root, *SWEEP)
    ran = underfire(root, "plan", *SWEEP, "--cells", "--quick")
    for need in made.uses:
        assert f"{made.made[need]:<8} {need.kind} {need.key}" in ran.stdout
    for cell in made.cells:
        assert f"{cell.state:<8} {cell.name}" in ran.stdout


def test_every_mistake_is_told_at_once_and_nothing_is_started(tmp_path):
    wrong = ["-m", "probe=pgd,normal", "probe.level=0.3,7", "interpreter=rts,rtz", *SWEEP[3:]]
    for command in ("plan", "run"):
        ran = underfire(tmp_path, command, *wrong)
        assert ran.returncode == 1
        told = ran.stdout + ran.stderr
        assert "probe.level is a misclassification rate" in told
        assert "rtz" in told
    assert "nothing was started" in ran.stderr
    assert not (tmp_path / "store").exists()


def test_an_experiment_that_is_not_there_is_a_mistake(tmp_path):
    for command in ("plan", "run"):
        ran = underfire(tmp_path, command, "experiment=observation8")
        assert ran.returncode == 1
        assert "observation8" in ran.stdout + ran.stderr
    assert not (tmp_path / "results").exists()


def test_a_leftover_lease_hides_no_record(root):
    made = planned(root, *_one("rts", "pgd"))
    lease = lease_in_folder(root / "results" / made.cells[0].name)
    lease.parent.mkdir(exist_ok=True)
    lease.write_text(json.dumps({"token": "t", "host": "node7", "pid": 1, "beat": 3, "space": ""}))
    assert planned(root, *_one("rts", "pgd")).cells[0].state == "done"
    lease.unlink()


def test_status_watches_until_nothing_is_left(root):
    ran = underfire(root, "status", *_one("rts", "pgd"), "--watch", "--every", "0.2")
    assert ran.returncode == 0
    assert "1 done" in ran.stdout
    ran = underfire(root, "status", *_one("rtsa", "clean"), "interpreter.blocks=9")
    assert ran.returncode == 1


def test_retry_computes_the_failed_cells_alone(tmp_path):
    """A cell that failed for want of its data is computed once the data are there; others are left."""
    arguments = ["-m", "interpreter=rts", "probe=clean,pgd,fgsm", "budget=smoke", "logger=none", "trainer=cpu"]
    assert underfire(tmp_path, "run", *arguments[1:2], "probe=clean", *arguments[3:]).returncode == 0
    names = [cell.name for cell in planned(tmp_path, *arguments).cells]
    (pgd,) = (name for name in names if "-pgd-" in name)
    folder = tmp_path / "results" / pgd
    folder.mkdir()
    reason = {"stage": "x", "error": "OSError", "hint": "the data were away"}
    (folder / "cell.json").write_text(json.dumps({"status": "failed", "reason": reason, "checksums": {}}))
    ran = underfire(tmp_path, "run", *arguments, "retry=failed")
    assert ran.returncode == 0, ran.stderr
    assert "3 cells: 1 computed, 1 cached, 0 failed, 1 left" in ran.stderr
    made = planned(tmp_path, *arguments)
    assert {cell.name.split("-")[3]: cell.state for cell in made.cells} == {
        "clean": "done",
        "pgd": "done",
        "fgsm": "missing",
    }
