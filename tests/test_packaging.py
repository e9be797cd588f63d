"""The wheel holds every package and every group of options; the pins name no place."""

from __future__ import annotations

import re
import subprocess
import tomllib

import pytest

from benchmark.report.published.location import published_root
from tests.helpers import PROJECT


def test_every_package_and_every_group_is_listed():
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())
    listed = set(project["tool"]["setuptools"]["packages"])
    code = {path.parent for name in ("benchmark", "lightning_modules") for path in (PROJECT / name).rglob("*.py")}
    expected = {".".join(path.relative_to(PROJECT).parts) for path in code}
    groups = {path.parent for path in (PROJECT / "conf").rglob("*.yaml")}
    expected |= {".".join(("benchmark", *path.relative_to(PROJECT).parts)) for path in groups}
    assert listed == expected | {"benchmark.results"}


def test_published_results_are_package_data():
    """All their files, wherever the version's folder is."""
    settings = tomllib.loads((PROJECT / "pyproject.toml").read_text())["tool"]["setuptools"]
    folder = PROJECT / settings["package-dir"]["benchmark.results"]
    taken = {path for pattern in settings["package-data"]["benchmark.results"] for path in folder.glob(pattern)}
    assert taken == {path for path in folder.glob("*/*") if path.is_file()}
    assert published_root() == folder


def test_no_file_of_ours_is_ignored_by_git():
    """A folder named like one of W&B's or of the results would be missing from every clone."""
    files = [
        path for name in ("benchmark", "conf", "lightning_modules", "tests") for path in (PROJECT / name).rglob("*")
    ]
    ours = [str(path.relative_to(PROJECT)) for path in files if path.suffix in (".py", ".yaml")]
    ours += [str(path.relative_to(PROJECT)) for path in (PROJECT / "docs" / "results").rglob("*") if path.is_file()]
    checked = ["git", "-C", str(PROJECT), "check-ignore", "--no-index", "--stdin"]
    ran = subprocess.run(checked, input="\n".join(ours), capture_output=True, text=True, check=False)
    if ran.returncode == 128:
        pytest.skip("not a git checkout")
    assert ran.stdout == ""


def test_pins_cover_the_dependencies_and_name_no_place():
    pins = (PROJECT / "constraints.txt").read_text()
    names = {match.lower().replace("_", "-") for match in re.findall(r"^([\w.-]+)==", pins, re.M)}
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    assert {re.split(r"[<>=\[]", name)[0].lower() for name in wanted} <= names
    assert not re.search(r"://|--|\+cpu", pins)


def test_the_makefile_tells_of_every_target():
    text = (PROJECT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):", text, re.M))
    told = set(re.findall(r"^([a-z-]+):.*## ", text, re.M))
    assert targets == told
    assert {"help", "bench", "test", "test-all", "check", "report", "sweep-noise", "sweep-attack", "clean"} <= told
