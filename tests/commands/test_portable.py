"""Portable arithmetic: the process starts again once, in the portable environment, and says so in its records."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest

from benchmark.commands.common import sweep_check
from benchmark.commands.common.options import Settings
from benchmark.configuration.conf_files import conf_folder
from benchmark.configuration.validation import check_values
from benchmark.planning.precheck import precheck_command
from benchmark.processes import portable
from tests.helpers import PROJECT, configured, underfire

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


def records(root, *portable):
    for number, each in enumerate(portable):
        folder = root / "results" / f"cell-{number}"
        folder.mkdir(parents=True)
        (folder / "cell.json").write_text(json.dumps({"status": "done", "portable": each}))


@pytest.mark.parametrize(
    ("made", "again"), [((True, True, False), True), ((True, False), False), ((False,), False), ((), False)]
)
def test_verify_computes_as_most_records_were_made(plain, tmp_path, made, again):
    records(tmp_path, *made)
    failed = tmp_path / "results" / "failed"
    failed.mkdir(parents=True)
    (failed / "cell.json").write_text(json.dumps({"status": "failed", "portable": True}))
    (tmp_path / "results" / "damaged").mkdir()
    (tmp_path / "results" / "damaged" / "cell.json").write_text("{")
    asks = [precheck_command(str(conf_folder()), name, [f"paths.root={tmp_path}"]) for name in ("verify", "report")]
    assert asks == [again, False]


def test_verify_starts_itself_again_once(plain, tmp_path):
    """The records are in no shape to be verified: the second start gets as far as to say so."""
    records(tmp_path, True)
    (tmp_path / "store").mkdir()
    show = tmp_path / "sitecustomize.py"  # each start of Python with this path says which mode it is in
    show.write_text("import os\nprint('started', os.environ.get('MKL_CBWR'), flush=True)\n")
    told = underfire(tmp_path, "verify", PYTHONPATH=f"{tmp_path}{os.pathsep}{PROJECT}")
    starts = [line for line in told.stdout.splitlines() if line.startswith("started")]
    assert starts == ["started None", "started COMPATIBLE"]
    assert told.returncode == 1 and "cell-0" in told.stdout + told.stderr
