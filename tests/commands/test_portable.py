"""Portable arithmetic: the process starts again once, in the portable environment, and says so in its records."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from benchmark.commands.common import sweep_check
from benchmark.commands.common.options import Settings
from benchmark.configuration.conf_files import conf_folder
from benchmark.configuration.validation import check_values
from benchmark.processes import portable
from tests.helpers import configured

PROGRAM = """
import os, sys
from benchmark.processes import portable
print("started", portable.is_on(), *sys.argv[1:], flush=True)
if not portable.is_on():
    portable.start_again()
{then}
"""


@pytest.fixture
def plain(monkeypatch):
    for name in portable.ENVIRONMENT:
        monkeypatch.delenv(name, raising=False)


def started(then: str, **options) -> subprocess.Popen:
    command = [sys.executable, "-c", PROGRAM.format(then=then), "run", "trainer.portable=true"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **options)


def test_the_same_command_line_starts_again_once_and_keeps_its_exit_status(plain):
    process = started("raise SystemExit(7)")
    lines = process.communicate()[0].splitlines()
    assert lines == [f"started {on} run trainer.portable=true" for on in (False, True)]
    assert process.returncode == 7


def test_it_is_the_same_process_to_signals_and_children_inherit_its_environment(plain):
    child = (
        "print(subprocess.run([sys.executable, '-c', 'import os; print(os.environ[\"MKL_CBWR\"])'], stdout=-1).stdout)"
    )
    process = started(f"import subprocess; {child}; print(os.getpid(), flush=True); import time; time.sleep(60)")
    lines = [process.stdout.readline() for _ in range(4)]
    assert "COMPATIBLE" in lines[2] and int(lines[3]) == process.pid
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == -signal.SIGTERM


@pytest.mark.parametrize(("asked", "times"), [("true", 1), ("false", 0)])
def test_a_run_starts_again_where_it_is_asked_to(plain, monkeypatch, tmp_path, asked, times):
    class StartedAgain(Exception):
        pass

    def stop(*arguments):
        raise StartedAgain

    monkeypatch.setattr(os, "execve", stop)
    overrides = ["budget=smoke", f"trainer.portable={asked}", f"paths.results={tmp_path}", f"paths.store={tmp_path}"]
    settings = Settings(overrides)
    if times:
        with pytest.raises(StartedAgain):
            sweep_check.check_sweep(str(conf_folder()), settings)
        for name, value in portable.ENVIRONMENT.items():
            monkeypatch.setenv(name, value)
    assert sweep_check.check_sweep(str(conf_folder()), settings) is None


def test_a_job_that_was_started_without_it_is_refused(plain, monkeypatch):
    with pytest.raises(ValueError, match="MKL_CBWR=COMPATIBLE"):
        portable.check({"portable": True})
    portable.check({"portable": False})
    for name, value in portable.ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    portable.check({"portable": True})


def test_the_number_of_threads_is_stated(tmp_path):
    assert portable.threads({"threads": None, "portable": True}) == portable.THREADS
    assert portable.threads({"threads": 1, "portable": True}) == 1
    assert portable.threads({"threads": None, "portable": False}) is None
    config = configured(tmp_path, "trainer.portable=yes_please")
    with pytest.raises(ValueError, match=r"trainer\.portable"):
        check_values(config)


def test_the_arithmetic_is_that_of_the_environment(plain):
    program = "import torch; print(torch.backends.cpu.get_cpu_capability())"
    environment = {**os.environ, **portable.ENVIRONMENT}
    told = subprocess.run([sys.executable, "-c", program], env=environment, stdout=subprocess.PIPE, text=True).stdout
    assert told.strip() == "AVX2"
