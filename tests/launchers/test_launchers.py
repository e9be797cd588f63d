"""Sweeps by other hands: joblib's workers, submitit's jobs, W&B's agents, Optuna's trials."""

from __future__ import annotations

import importlib.util
import itertools
import os
import signal
import time
from pathlib import Path

import pytest
import yaml
from wandb.sdk.launch.sweeps.utils import create_sweep_command, create_sweep_command_args

from benchmark.commands.common import worker_device
from benchmark.configuration.conf_files import conf_folder
from benchmark.configuration.sweep_expansion import expand
from benchmark.configuration.validation import check_values
from benchmark.storage import leases
from benchmark.storage.record_summary import SUMMARY_NAMES
from benchmark.storage.records import read_records
from benchmark.tracking import wandb_run
from tests.faults.harness import computed, start
from tests.helpers import PROJECT, underfire

SWEEP = ["-m", "interpreter=rts", "probe=clean,pgd,sign", "budget=smoke", "logger=none", "trainer=cpu"]
CONF = str(conf_folder())


def test_workers_share_devices_in_turn_and_cores_equally():
    taken = [worker_device.shares(place, 4, 16, ["2", "5"]) for place in range(4)]
    assert [each["CUDA_VISIBLE_DEVICES"] for each in taken] == ["2", "5", "2", "5"]
    assert {each["OMP_NUM_THREADS"] for each in taken} == {"4"}
    assert worker_device.shares(0, 4, 2, []) == {"OMP_NUM_THREADS": "1"}, (
        "at least one thread, and no device where none is"
    )


def test_visible_devices_are_those_that_were_handed_down(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,GPU-1f")
    assert worker_device.visible_devices() == ["3", "GPU-1f"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert worker_device.visible_devices() == []


def test_a_place_is_taken_once_and_inherited_from_the_dead(tmp_path, monkeypatch):
    monkeypatch.setattr(worker_device, "_taken", [])
    assert [worker_device._claim(3, tmp_path) for _ in range(3)] == [0, 1, 2]
    monkeypatch.setattr(leases.LeaseOwner, "has_ended", lambda owner: True)
    assert worker_device._claim(3, tmp_path) == 0
    for lease in worker_device._taken:
        lease.release()


def test_only_joblib_s_workers_take_a_place(tmp_path, monkeypatch):
    monkeypatch.setattr(worker_device, "_taken", [])
    worker_device.take({"_target_": "hydra._internal.core_plugins.basic_launcher.BasicLauncher"}, tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize(
    "launcher",
    [["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"], ["hydra/launcher=submitit_local"]],
    ids=["joblib", "submitit"],
)
def test_a_sweep_in_several_processes_is_the_sweep_in_one(tmp_path, launcher):
    alone = underfire(tmp_path / "alone", "run", *SWEEP)
    assert alone.returncode == 0, alone.stderr
    ran = underfire(tmp_path / "many", "run", *SWEEP, *launcher)
    assert ran.returncode == 0, ran.stderr
    assert "3 cells: 3 computed, 0 cached, 0 failed" in ran.stderr
    ours, theirs = (read_records(tmp_path / name / "results") for name in ("alone", "many"))
    assert [record.folder.name for record in ours] == [record.folder.name for record in theirs]
    for one, other in zip(ours, theirs, strict=True):
        assert (one.folder / "samples.parquet").read_bytes() == (other.folder / "samples.parquet").read_bytes()
    trained = list((tmp_path / "many" / "store" / "classifier").glob("*/artefact.json"))
    assert len(trained) == 1, "the jobs share one classifier"


class TestQueue:
    """Signals as a cluster's queue sends them, with submitit's local executor."""

    sweep = [*SWEEP[:2], "probe=clean,pgd", *SWEEP[3:], "hydra/launcher=submitit_local"]

    def jobs(self, root):
        """The processes of the jobs, as soon as one of them is at work."""
        deadline = time.monotonic() + 100
        while not list(root.glob("store/classifier/*.partial")) and time.monotonic() < deadline:
            time.sleep(0.05)
        found = [path for path in Path("/proc").glob("[0-9]*/cmdline") if str(root).encode() in path.read_bytes()]
        return sorted(int(path.parent.name) for path in found if b"submitit.core._submit" in path.read_bytes())

    @pytest.mark.slow
    def test_what_stops_one_job_leaves_the_others_at_work(self, tmp_path):
        process = start(tmp_path, *self.sweep)
        os.kill(self.jobs(tmp_path)[0], signal.SIGUSR1)
        assert process.wait(200) == 1
        told = (tmp_path / "log").read_text()
        assert "2 cells: 1 computed, 0 cached, 0 failed, 1 stopped" in told
        assert "stopped by SIGUSR1 between two steps" in told
        ran = underfire(tmp_path, "run", *self.sweep)
        assert ran.returncode == 0, ran.stderr
        assert "2 cells: 1 computed, 1 cached, 0 failed" in ran.stderr

    @pytest.mark.slow
    def test_what_stops_the_sweep_stops_its_jobs(self, tmp_path):
        process = start(tmp_path, *self.sweep)
        assert len(self.jobs(tmp_path)) == 2
        process.send_signal(signal.SIGTERM)
        assert process.wait(100) == 128 + signal.SIGTERM
        assert not list(tmp_path.glob("results/*/cell.json"))
        assert not list(tmp_path.glob("store/*/*.lease"))

    @pytest.mark.slow
    def test_joblib_s_workers_stop_with_the_sweep(self, tmp_path):
        process = start(tmp_path, *self.sweep[:-1], "hydra/launcher=joblib", "hydra.launcher.n_jobs=2")
        self.jobs(tmp_path)
        process.send_signal(signal.SIGTERM)
        assert process.wait(100) == 128 + signal.SIGTERM
        assert not list(tmp_path.glob("results/*/cell.json"))

    @pytest.mark.slow
    def test_a_preempted_job_is_queued_again_and_goes_on(self, tmp_path):
        (tmp_path / "queue").mkdir()
        process = start(tmp_path / "queue", *self.sweep, log=tmp_path / "log")
        for job in self.jobs(tmp_path / "queue"):
            os.kill(job, signal.SIGUSR2)
        assert process.wait(200) == 0
        assert "2 cells: 2 computed, 0 cached, 0 failed" in (tmp_path / "log").read_text()
        told = "".join(path.read_text() for path in tmp_path.glob("queue/outputs/sweep/.submitit/*/*.err"))
        assert told.count("Requeued job") >= 2
        alone = underfire(tmp_path / "alone", "run", *self.sweep[:-1])
        assert alone.returncode == 0, alone.stderr
        assert computed(tmp_path / "queue") == computed(tmp_path / "alone")


class TestAgent:
    """What a W&B agent would type, without its server."""

    sweep = yaml.safe_load((PROJECT / "conf" / "wandb" / "sweep.yaml").read_text())

    def typed(self, values):
        """The command line for one choice of the parameters."""
        arguments = create_sweep_command_args({"args": {name: {"value": value} for name, value in values.items()}})
        told = []
        for word in create_sweep_command(list(self.sweep["command"])):
            told += {"${args_no_hyphens}": arguments["args_no_hyphens"], "${program}": [self.sweep["program"]]}.get(
                word, [word]
            )
        return told

    def choices(self):
        names = list(self.sweep["parameters"])
        values = [self.sweep["parameters"][name]["values"] for name in names]
        return [dict(zip(names, chosen, strict=True)) for chosen in itertools.product(*values)]

    def test_every_choice_is_a_cell(self):
        told = self.typed(self.choices()[0])
        assert told[:5] == ["${env}", "python", "-m", "benchmark", "run"]
        lines = [self.typed(choice)[5:] for choice in self.choices()]
        assert len({tuple(line) for line in lines}) == len(lines) == 81
        for line in lines[:: len(lines) // 9]:
            (planned,) = expand(CONF, "run", line).cells
            assert planned.error is None
            check_values(planned.config)

    def test_the_metric_is_one_that_a_cell_has(self):
        assert self.sweep["metric"]["name"] in SUMMARY_NAMES

    def test_the_agent_s_run_is_the_cell_s_and_trainings_open_none(self, monkeypatch):
        config = {"logger": {"mode": "offline"}, "paths": {}}
        monkeypatch.setenv("WANDB_SWEEP_ID", "x")
        assert wandb_run.by_agent()
        assert wandb_run.start_run(config, wandb_run.RunInfo("train", "a", "a", {})) is None


@pytest.mark.slow
@pytest.mark.skipif(
    importlib.util.find_spec("hydra_plugins.hydra_optuna_sweeper") is None, reason="pip install 'underfire[optuna]'"
)
def test_optuna_reads_the_objective_of_the_cells(tmp_path):
    common = ["budget=smoke", "logger=none", "trainer=cpu", "hydra.sweeper.n_trials=2"]
    ran = underfire(tmp_path, "run", "experiment=optuna_attack", "interpreter=rts", *common)
    assert ran.returncode == 0, ran.stderr
    assert "2 cells: 2 computed" in ran.stderr
    best = min(float(record.samples["map_l1"].mean()) for record in read_records(tmp_path / "results"))
    assert f"Best value: {best:.6f}"[:16] in ran.stderr


def test_a_search_cannot_be_planned_and_says_so(tmp_path):
    if importlib.util.find_spec("hydra_plugins.hydra_optuna_sweeper") is None:
        pytest.skip("pip install 'underfire[optuna]'")
    ran = underfire(tmp_path, "plan", "experiment=optuna_attack")
    assert ran.returncode == 1
    assert "chooses its cells as it goes" in ran.stderr
