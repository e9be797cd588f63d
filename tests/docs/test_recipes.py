"""The recipes of docs/adding_parts.md, executed as written: parts of another package through --config-dir."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from benchmark.storage.records import Record, read_records
from tests.docs.recipes import Recipe, recipes
from tests.helpers import PROJECT

RECIPES = {recipe.heading: recipe for recipe in recipes(PROJECT / "docs" / "adding_parts.md")}
SMOKE = ("budget=smoke", "logger=none", "trainer=cpu")


@pytest.fixture(scope="module")
def outside(tmp_path_factory):
    """A folder with the files of every recipe; the commands share its store."""
    folder = tmp_path_factory.mktemp("outside")
    for recipe in RECIPES.values():
        for name, text in recipe.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    return folder


def run(folder, recipe: Recipe) -> Record:
    """The record of a recipe's command, started beside the reader's own files."""
    before = {record.folder for record in read_records(folder / "results")}
    paths = os.pathsep.join((str(folder), str(PROJECT)))
    ran = subprocess.run(
        [sys.executable, "-m", "benchmark", *recipe.arguments, *SMOKE, f"paths.root={folder}"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    (record,) = (record for record in read_records(folder / "results") if record.folder not in before)
    return record


def test_every_kind_of_part_has_a_recipe():
    assert list(RECIPES) == ["A data set", "An interpreter", "An attack", "A measure"]
    for recipe in RECIPES.values():
        assert {name.partition("/")[0] for name in recipe.files} == {"my_parts", "my_conf"}


@pytest.mark.parametrize("heading", RECIPES)
def test_a_recipe_makes_a_record(outside, heading):
    record = run(outside, RECIPES[heading])
    assert record.cell["status"] == "done" and record.cell["data"] == "stripes"
    samples = record.samples
    assert len(samples) >= 8
    whole = samples.drop(columns="map_spearman")  # has no value where a map is constant
    assert np.isfinite(whole.to_numpy(float)).all()
    assert samples["linf"].gt(0).all() and samples["map_l1"].gt(0).any()
    assert (np.ptp(record.maps["benign"], axis=(1, 2)) > 0.5).all(), "maps that say something"
    assert ("map_entropy_benign" in samples) == (heading == "A measure")
