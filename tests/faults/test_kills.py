"""SIGKILL at any moment, in two processes on one store: nothing lost, nothing made twice, the same bytes."""

from __future__ import annotations

import signal
import time

import pytest

from tests.faults.harness import CELLS, Killer, computed, finish, finished, start
from tests.helpers import underfire


@pytest.mark.parametrize("kills", [3, pytest.param(50, marks=pytest.mark.slow)])
@pytest.mark.timeout(1800)
def test_killed_again_and_again(undisturbed, tmp_path, kills):
    killer = Killer(tmp_path, seed=kills)
    killer.run(kills, deadline=kills * 20)
    assert killer.kills == kills
    before = finished(tmp_path)
    finish(tmp_path)
    after = finished(tmp_path)
    assert {path: after[path] for path in before} == before
    assert computed(tmp_path) == undisturbed[1]
    assert not list(tmp_path.glob("store/*/*.partial"))
    ran = underfire(tmp_path, "verify")
    assert ran.returncode == 0, ran.stderr


@pytest.mark.slow
def test_two_sweeps_at_once_share_the_work(undisturbed, tmp_path):
    logs = [tmp_path / "one", tmp_path / "two"]
    processes = [start(tmp_path, log=log) for log in logs]
    assert [process.wait(250) for process in processes] == [0, 0]
    told = "".join(log.read_text() for log in logs)
    assert told.count("done    ") == CELLS
    assert all(f"{CELLS} cells: " in log.read_text() for log in logs), "each counts its own cells"
    made = [line.split()[-4] for line in told.splitlines() if line.startswith("made ")]
    assert len(made) == len(set(made)) > CELLS, "each artefact is made by one of them"
    assert computed(tmp_path) == undisturbed[1]


@pytest.mark.parametrize(
    "name", ["SIGUSR1", pytest.param("SIGTERM", marks=pytest.mark.slow), pytest.param("SIGINT", marks=pytest.mark.slow)]
)
def test_a_signal_ends_it_at_the_next_batch_and_says_how_to_go_on(undisturbed, tmp_path, name):
    process = start(tmp_path)
    log = tmp_path / "log"
    deadline = time.monotonic() + 90
    while "made classifier" not in log.read_text() and time.monotonic() < deadline:
        time.sleep(0.05)
    number = getattr(signal, name)
    process.send_signal(number)
    assert process.wait(30) == 128 + number
    told = log.read_text()
    assert f"stopped by {name} between two steps" in told
    assert "the same command goes on where this one was" in told
    assert len(computed(tmp_path)) < CELLS
    assert not list(tmp_path.glob("store/*/*.lease")), "nobody has to wait for who has stopped"
    finish(tmp_path)
    assert computed(tmp_path) == undisturbed[1]
