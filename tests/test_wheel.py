"""The wheel works where there is no checkout: built, installed into an environment of its own, and used."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest
import yaml

from benchmark.storage.suite_version import VERSION
from tests.helpers import PROJECT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]  # torch is read from disk anew by every command
# Folders that Python searches first would show the checkout to the wheel's programs.
ELSEWHERE = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


def run(*command: object, cwd: Path, **environment: str) -> str:
    """Standard output and error of a command that has to succeed."""
    ran = subprocess.run(
        list(map(str, command)),
        cwd=cwd,
        env={**ELSEWHERE, "OMP_NUM_THREADS": "1", "WANDB_MODE": "offline", **environment},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout + ran.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel of a copy of the files that git knows, so that nothing else of this folder can be in it."""
    source, built = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=PROJECT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    for name in filter(None, listed.stdout.split("\0")):
        if (PROJECT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((PROJECT / name).read_bytes())
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", built, source, cwd=source)
    (found,) = built.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """Folder of the programs of an environment that has the wheel, and our dependencies but not our checkout."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=True)
    programs = folder / ("Scripts" if os.name == "nt" else "bin")
    run(programs / "python", "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", wheel, cwd=folder)
    (own,) = folder.glob("lib/python*/site-packages")
    # A folder named in a .pth file is searched; .pth files in it (of an editable installation) are not read.
    (own / "dependencies.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    return programs


def test_it_has_every_file_of_the_package(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    expected = {str(path.relative_to(PROJECT)) for path in (PROJECT / "benchmark").rglob("*.py")}
    expected |= {str(path.relative_to(PROJECT)) for path in (PROJECT / "lightning_modules").rglob("*.py")}
    expected |= {f"benchmark/{path.relative_to(PROJECT)}" for path in (PROJECT / "conf").rglob("*.yaml")}
    assert expected <= names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert not [name for name in names if name.startswith(("tests/", "docs/"))]


def test_it_computes_a_cell_and_reports_it(installed, tmp_path):
    where = run(installed / "python", "-c", "import benchmark; print(benchmark.__file__)", cwd=tmp_path)
    assert str(PROJECT) not in where, "the checkout is out of sight"
    words = ("budget=smoke", "trainer=cpu", "logger=none")
    for probe in ("clean", "pgd"):
        done = run(installed / "underfire", "run", *words, "interpreter=grad", f"probe={probe}", cwd=tmp_path)
        assert "done" in done
    run(installed / "underfire", "report", "budget=smoke", "resamples=50", cwd=tmp_path)
    assert (tmp_path / "report" / "results.parquet").exists()


def test_importing_it_warns_of_nothing(installed, tmp_path):
    code = "import benchmark, benchmark.__main__, benchmark.pipeline.cell, benchmark.tracking.record_runs"
    assert run(installed / "python", "-W", "error", "-c", code, cwd=tmp_path) == ""


def test_versions_agree():
    assert yaml.safe_load((PROJECT / "CITATION.cff").read_text())["version"] == VERSION
    assert re.search(rf"^## {re.escape(VERSION)}\b", (PROJECT / "CHANGELOG.md").read_text(), re.M)
