"""--json prints one object on standard output and leaves the rest on standard error; colours are for terminals."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys

import pytest

from tests.helpers import PROJECT, underfire

CELL = ["interpreter=grad", "probe=pgd", "budget=smoke", "logger=none", "trainer=cpu"]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("json")
    ran = underfire(folder, "run", *CELL)
    assert ran.returncode == 0, ran.stderr
    return folder


def told(root, *words, status=0):
    ran = underfire(root, *words, "--json")
    assert ran.returncode == status, ran.stderr
    return json.loads(ran.stdout)


def test_plan_and_status(root):
    words = ["-m", "interpreter=grad", "probe=pgd,fgsm", *CELL[2:]]
    planned = told(root, "plan", *words, "--quick")
    assert planned["count"] == {"done": 1, "running": 0, "failed": 0, "missing": 1, "wrong": 0}
    assert [cell["state"] for cell in planned["cells"]] == ["done", "missing"]
    assert {"kind", "key", "label", "state", "cells"} <= set(planned["artefacts"][0])
    assert told(root, "status", *words)["count"] == planned["count"]


def test_mistakes_are_in_it(root):
    planned = told(root, "plan", "-m", "interpreter=grad", "probe=pgd", "probe.epsilon=0.03,-1", *CELL[2:], status=1)
    assert planned["count"]["wrong"] == 1
    assert "probe.epsilon" in planned["cells"][1]["sentence"]


def test_report(root):
    found = told(root, "report", "budget=smoke")
    assert found["report"].endswith("report.md")
    assert isinstance(found["verdicts"], list)


def test_verify(root):
    found = told(root, "verify")
    assert found["records"] == 1 and found["artefacts"] > 3 and found["faults"] == []
    (path,) = root.glob("results/*/samples.parquet")
    content = path.read_bytes()
    path.write_bytes(content[:-1])
    try:
        found = told(root, "verify", status=1)
    finally:
        path.write_bytes(content)
    assert any("samples.parquet" in fault for fault in found["faults"])


def test_a_mistake_leaves_standard_output_empty(root):
    ran = underfire(root, "report", "--json", "data=no_such")
    assert (ran.returncode, ran.stdout) == (1, "")


def test_colours_are_for_terminals_alone(root):
    command = [sys.executable, "-m", "benchmark", "plan", f"paths.root={root}", *CELL, "--cells"]
    environment = {key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "FORCE_COLOR")}
    environment |= {"TERM": "xterm"}
    piped = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, check=True, timeout=60)
    assert b"\x1b[" not in piped.stdout + piped.stderr
    assert b"\x1b[" in on_a_terminal(command, environment)
    assert b"\x1b[3" not in on_a_terminal(command, {**environment, "NO_COLOR": "1"})


def on_a_terminal(command, environment):
    """What a command prints where standard output is a terminal."""
    outer, inner = pty.openpty()
    ran = subprocess.Popen(command, cwd=PROJECT, env=environment, stdout=inner, stderr=inner)
    os.close(inner)
    printed = b""
    while True:
        try:
            part = os.read(outer, 4096)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        printed += part
    os.close(outer)
    assert ran.wait(60) == 0
    return printed
