"""An artefact's name says what its classes are, not where they live."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from collections import Counter

from benchmark.configuration.specs import classifier_spec
from benchmark.storage.artefacts import artefact_key
from tests.helpers import PROJECT, configured

NAMES = """
from pathlib import Path
from tests.helpers import configured
from benchmark.planning.required_artefacts import required_artefacts
from benchmark.configuration.cells import Cell
config = configured(Path("root"), "interpreter=rtsa", "probe=normal_03")
print(Cell(config).name, *(ref.key for ref in required_artefacts(config)), sep="\\n")
"""


def names(folder) -> list[str]:
    """The name of a cell and the hashes of its artefacts, by the suite that lies in ``folder``."""
    own = {**os.environ, "PYTHONPATH": str(folder)}
    told = subprocess.run([sys.executable, "-c", NAMES], cwd=folder, env=own, capture_output=True, text=True)
    assert told.returncode == 0, told.stderr
    return told.stdout.splitlines()


def test_a_class_that_moves_keeps_its_name(tmp_path):
    before = names(PROJECT)
    for name in ("benchmark", "lightning_modules", "conf", "tests"):
        shutil.copytree(PROJECT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    moved = [("benchmark", "probes", "noise"), ("lightning_modules", "", "rtsa"), ("benchmark", "interpreters", "rts")]
    for top, room, module in moved:
        folder = tmp_path / top / room
        (folder / f"{module}.py").rename(folder / f"{module}_elsewhere.py")
        path = ".".join(part for part in (top, room, module) if part)
        for file in tmp_path.rglob("*.*"):
            if file.suffix in (".py", ".yaml"):
                text = file.read_text()
                file.write_text(
                    text.replace(f"{path}.", f"{path}_elsewhere.").replace(f"{path} ", f"{path}_elsewhere ")
                )
    assert names(tmp_path) == before


def test_the_usual_optimizer_is_no_part_of_a_name(tmp_path):
    """A classifier keeps the name that it had before the optimizer could be chosen."""
    key = "classifier.training.module.optimizer"
    usual, unsaid, other = (
        artefact_key("classifier", classifier_spec(configured(tmp_path, *overrides)))
        for overrides in ((), (f"~{key}",), (f"{key}=sgd",))
    )
    assert usual == unsaid != other


def test_no_two_classes_share_a_name():
    """Else two different parts would share a hash."""
    files = [*(PROJECT / "benchmark").rglob("*.py"), *(PROJECT / "lightning_modules").rglob("*.py")]
    trees = [ast.parse(path.read_text()) for path in files]
    defined = Counter(
        node.name
        for tree in trees
        for node in tree.body
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_")
    )
    targets = {
        line.split()[-1].rpartition(".")[2]
        for path in (PROJECT / "conf").rglob("*.yaml")
        for line in path.read_text().splitlines()
        if "_target_: " in line and ("benchmark." in line or "lightning_modules." in line)
    }
    assert targets
    assert {name: defined[name] for name in targets if defined[name] != 1} == {}
