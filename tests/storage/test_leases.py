"""Leases: one owner at a time, dead owners inherited, clocks never compared."""

from __future__ import annotations

import json
import multiprocessing
import os
import socket
import subprocess
import sys
import threading
import time

import pytest

from benchmark.storage.leases import Lease, is_held, read


def lease(path, **options):
    return Lease(path, "a thing", **({"patience": 0.8, "heartbeat": 0.1} | options))


def test_a_lease_names_its_owner_and_is_gone_afterwards(tmp_path):
    path = tmp_path / "x.lease"
    with lease(path):
        found = read(path)
        assert (found.host, found.pid) == (socket.gethostname(), os.getpid())
        assert is_held(path)
        time.sleep(0.35)
        assert read(path).beat > found.beat
    assert not path.exists() and not is_held(path)


def _enter(path, log, pause):
    with lease(path):
        before = log.read_text() if log.exists() else ""
        time.sleep(pause)
        assert (log.read_text() if log.exists() else "") == before, "somebody else was inside"
        log.write_text(before + f"{os.getpid()}\n")


def test_one_process_at_a_time(tmp_path):
    context = multiprocessing.get_context("spawn")
    arguments = (tmp_path / "x.lease", tmp_path / "log", 0.1)
    processes = [context.Process(target=_enter, args=arguments) for _ in range(5)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0] * 5
    assert len((tmp_path / "log").read_text().split()) == 5


def _foreign(path, **changes):
    """A lease of another machine."""
    partial = path.with_name("written-elsewhere")  # renamed, as a lease writes itself: nobody reads half of it
    partial.write_text(json.dumps({"token": "t", "host": "elsewhere", "pid": 1, "beat": 3, "space": "", **changes}))
    os.replace(partial, path)


def test_a_dead_owner_of_this_host_is_inherited_at_once(tmp_path, caplog):
    path = tmp_path / "x.lease"
    code = "import os, sys; from benchmark.storage.leases import Lease; from pathlib import Path\n"
    code += "Lease(Path(sys.argv[1]), 'a thing').__enter__(); os.kill(os.getpid(), 9)"
    subprocess.run([sys.executable, "-c", code, str(path)], check=False)
    assert path.exists() and not is_held(path)
    start = time.monotonic()
    with lease(path, patience=60):
        assert time.monotonic() - start < 5
    assert "taken over" in caplog.text


def test_a_silent_owner_elsewhere_is_inherited_after_patience(tmp_path):
    path = tmp_path / "x.lease"
    _foreign(path)
    os.utime(path, (4e9, 4e9))  # its clock is far in the future: nobody asks
    assert is_held(path)
    start = time.monotonic()
    with lease(path):
        assert 0.8 <= time.monotonic() - start < 10


def test_an_owner_elsewhere_that_beats_is_waited_for(tmp_path):
    path = tmp_path / "x.lease"
    end = threading.Event()

    def beat():
        count = 0
        while not end.is_set():
            count += 1
            _foreign(path, beat=count)
            time.sleep(0.1)

    _foreign(path)
    thread = threading.Thread(target=beat)
    thread.start()
    entered = threading.Event()

    def wait():
        with lease(path, patience=1.0):
            entered.set()

    waiting = threading.Thread(target=wait)
    waiting.start()
    assert not entered.wait(2.5)
    end.set()
    thread.join()
    assert entered.wait(10)
    waiting.join()


def test_who_was_taken_over_notices_and_leaves_the_heir_alone(tmp_path):
    path = tmp_path / "x.lease"
    with lease(path) as first:
        _foreign(path)
        deadline = time.monotonic() + 5
        while not first.lost and time.monotonic() < deadline:
            time.sleep(0.05)
        assert first.lost
    assert read(path).host == "elsewhere"


@pytest.mark.parametrize("content", ["", "{", "[1, 2]", '{"pid": "x"}', "\x00"])
def test_a_damaged_lease_is_nobodys(tmp_path, content):
    path = tmp_path / "x.lease"
    path.write_text(content)
    with lease(path):
        assert read(path).pid == os.getpid()


def test_who_lives_on_this_host_is_never_taken_over_however_silent(tmp_path):
    """A process that was stopped, or whose disk was full, may go on; two must not write one folder."""
    path = tmp_path / "x.lease"
    code = "import sys, time; from benchmark.storage.leases import Lease; from pathlib import Path\n"
    code += "Lease(Path(sys.argv[1]), 'a thing', heartbeat=99).__enter__(); print('held', flush=True); time.sleep(99)"
    owner = subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True)
    assert owner.stdout.readline() == "held\n"
    still = read(path)
    assert not lease(path)._claim(still)
    assert not lease(path).try_acquire()
    owner.kill()
    owner.wait()
    heir = lease(path)
    assert heir.try_acquire()
    heir.must_be_held()
    _foreign(path)
    with pytest.raises(OSError, match="was taken over by process 1 on elsewhere"):
        heir.must_be_held()
    heir.release()
    owner.stdout.close()
