"""Commands of README and pages: each is executed at smoke size, planned, or says what it needs."""

from __future__ import annotations

import re
import subprocess

import pytest

from benchmark.commands.common.catalogue import COMMANDS
from benchmark.configuration.conf_files import conf_folder
from benchmark.configuration.sweep_expansion import expand
from benchmark.storage.cell_fields import FILTER_FIELDS
from tests.docs.commands import Command, commands
from tests.helpers import PROJECT, underfire

CONF = str(conf_folder())
MOST = 4  # cells of a sweep that is executed; a larger one is planned, every cell of it
EVERY = list(commands())
RECIPES = "my_conf"  # those of docs/adding_parts.md run in test_recipes.py
HELP = ("help", "--help", "--version")
OURS = [
    each
    for each in EVERY
    if each.settings and not each.needs and RECIPES not in each.words and not {*HELP} & {*each.words}
]
SWEEPS = [each for each in OURS if each.settings[0] in ("run", "plan", "status")]
READY = ("report", "verify", "gc", "sync", "dashboard")  # need no more than some records
SMOKE = ("budget=smoke", "trainer=cpu", "logger=none")


def words_of(command: Command) -> list[str]:
    """Its settings, without options; the words of ``run`` choose records where a command reads them."""
    name, *words = command.settings
    words = [word for word in words if not word.startswith("-")]
    filtered = COMMANDS[name].filters
    return [f"filter.{word}" if filtered and word.partition("=")[0] in FILTER_FIELDS else word for word in words]


@pytest.mark.parametrize("command", EVERY, ids=str)
def test_a_command_is_one(command):
    if command.settings:
        assert command.settings[0] in (*COMMANDS, *HELP)
    if command.words[0] == "make":
        targets = set(re.findall(r"^([a-z-]+):", (PROJECT / "Makefile").read_text(), re.M))
        assert {word for word in command.words[1:] if "=" not in word} <= targets


@pytest.mark.slow
@pytest.mark.parametrize("command", OURS, ids=str)
def test_every_setting_of_a_command_is_one(command):
    name = "run" if command in SWEEPS else command.settings[0]
    sweep = expand(CONF, name, words_of(command), multirun="-m" in command.words)
    assert sweep.cells and not [cell.error for cell in sweep.cells if cell.error]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A folder with two finished smoke cells; the commands share its store."""
    folder = tmp_path_factory.mktemp("commands")
    ran = underfire(folder, "run", "-m", *SMOKE, "interpreter=grad", "probe=clean,pgd")
    assert ran.returncode == 0, ran.stderr
    return folder


def small(command: Command) -> list[str] | None:
    """A command as a test runs it; None where it is planned only."""
    name, *words = command.settings
    if name == "run":
        sweep = expand(CONF, name, words_of(command), multirun="-m" in words)
        kept = [word for word in words if word.partition("=")[0] not in ("budget", "trainer", "retry")]
        return [name, *kept, *SMOKE] if len(sweep.cells) <= MOST else None
    if name in ("plan", "status"):
        timed = ["--quick"] if name == "plan" else []  # loops are timed in other tests: minutes for many kinds of them
        return [name, *(word for word in words if word not in ("--watch", "--quick")), *timed]
    named = any(word.partition("=")[0] in FILTER_FIELDS for word in words)
    if name == "report" and not named:
        theirs = any(word.startswith("paths.results=") for word in words)  # records that lie elsewhere, published ones
        return [name, *words, *([] if theirs else ["budget=smoke"]), "resamples=50"]
    return [name, *words] if name in READY and (name != "report" or "budget=smoke" in words) else None


@pytest.mark.slow
@pytest.mark.parametrize("command", OURS, ids=str)
def test_a_command_runs(command, root):
    arguments = small(command)
    if arguments is None:
        pytest.skip("its settings are checked above, not run: more cells than a test has time for, or their records")
    if "--dry-run" in arguments:
        pytest.importorskip("wandb_workspaces", reason="pip install 'underfire[dashboards]'")
    ran = underfire(root, *arguments)
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.parametrize("target", ["help", "docs", "setup"])
def test_make_knows_its_targets(target):
    ran = subprocess.run(["make", "-n", target], cwd=PROJECT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
