"""The comparison of results: every planted difference is named, and what a refactoring may change is not."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from safetensors.numpy import load_file, save_file

from tests.measurements.same_records import main

PROJECT = Path(__file__).resolve().parents[2]


def write_cell(root: Path, digest: str, *, seed: int = 0, epsilon: float = 0.1, module: str = "benchmark.old") -> Path:
    """A finished cell; ``digest`` stands for every hash, ``module`` for every place in the code."""
    folder = root / f"digits-pgd-s{seed}-{digest}"
    folder.mkdir(parents=True)
    samples = {
        "sample_id": np.arange(4),
        "map_l1": np.array([0.1, 0.2, np.nan, 0.4], np.float32),
        "success": [True, False, True, True],
    }
    pd.DataFrame(samples).to_parquet(folder / "samples.parquet")
    for name, dtype in (("images", np.uint8), ("maps", np.float16)):
        pictures = np.arange(24, dtype=dtype).reshape(2, 3, 4)
        save_file({"sample_id": np.arange(2), "benign": pictures}, folder / f"{name}.safetensors")
    probe = {"epsilon": epsilon, "module": {"_target_": f"{module}.Attack", "epsilon": epsilon}}
    cell = {
        **{"cell": digest, "name": folder.name, "data": "digits", "probe": "pgd", "level": None, "seed": seed},
        **{"status": "done", "n_samples": 4, "facts": {"accuracy": 0.5}, "counts": {"forward": 3}},
        **{"commit": digest, "seconds": {"measure": len(module)}, "checksums": {"images.safetensors": digest}},
        "config": {"probe": probe, "paths": {"root": str(root)}},
    }
    (folder / "cell.json").write_text(json.dumps(cell))
    return folder


def write_report(root: Path, digest: str) -> Path:
    """A report of every kind of file; ``digest`` stands for commit, hash and seconds."""
    (root / "tables").mkdir(parents=True)
    (root / "tables" / "maps.csv").write_text('probe,"L1, all"\npgd,0.25\nadv2,–\n')
    (root / "verdicts.json").write_text(json.dumps([{"metric": "map_l1", "verdict": "holds", "ratio": None}]))
    name = f"digits-pgd-s0-{digest}"
    frame = pd.DataFrame({"cell": [digest * 2], "name": [name], "metric": ["map_l1"], "value": [0.25]})
    frame.to_parquet(root / "results.parquet")
    Image.fromarray(np.zeros((2, 2), np.uint8)).save(root / "map.png")
    cells = f"| record | seconds | n |\n| --- | --- | --- |\n| {name} | {int(digest, 16)} | 4 |\n"
    about = f"|  | value |\n| --- | --- |\n| cells | 1, {int(digest, 16)} s in all |\n| commit | {digest} |\n"
    (root / "report.md").write_text(f"# Report\n\nClaim 1 holds.\n\n{about}\n{cells}")
    return root


@pytest.fixture
def folders(tmp_path) -> tuple[Path, Path]:
    """Two folders of results with the same values, from code at other places."""
    for name, digest, module in (("old", "0a", "benchmark.old"), ("new", "ff", "benchmark.new.place")):
        write_cell(tmp_path / name, digest * 4, module=module)
        write_cell(tmp_path / name, digest[::-1] * 4, seed=1, module=module)
    return tmp_path / "old", tmp_path / "new"


@pytest.fixture
def reports(tmp_path) -> tuple[Path, Path]:
    return write_report(tmp_path / "old_report", "0a0a0a0a"), write_report(tmp_path / "new_report", "ffffffff")


def cell_of(root: Path, seed: int = 0) -> Path:
    return next(root.glob(f"*-s{seed}-*"))


def change_cell(folder: Path, **fields: Any) -> None:
    path = folder / "cell.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))


def change_samples(folder: Path, change: Any) -> None:
    path = folder / "samples.parquet"
    change(pd.read_parquet(path)).to_parquet(path)


def change_array(folder: Path, name: str, change: Any) -> None:
    arrays = load_file(folder / name)
    save_file({**arrays, "benign": change(arrays["benign"].copy())}, folder / name)


def put(place: Any, value: Any) -> Any:
    """A change of one element."""

    def change(array: np.ndarray) -> np.ndarray:
        array[place] = value
        return array

    return change


def column(name: str, values: Any) -> Any:
    """A change of one column of the samples."""
    return lambda folder: change_samples(folder, lambda frame: frame.assign(**{name: values(frame)}))


def one_ulp(frame: pd.DataFrame) -> Any:
    values = frame["map_l1"].to_numpy().copy()
    values[1] = np.nextafter(values[1], np.float32(1))
    return values


def remove(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()


def test_hashes_places_and_seconds_do_not_matter(folders, reports, capsys):
    assert main([*map(str, folders), "--reports", *map(str, reports)]) == 0
    told = capsys.readouterr().out
    assert told == "the same: 2 cells, 10 columns, 1 figures, 4 images, 4 maps, 4 tables, 1 verdict files\n"


PLANTED = {
    "one ulp": (
        column("map_l1", one_ulp),
        "map_l1: 1 of 4 values differ, first at [1]: 0.2 -> 0.20000002",
    ),
    "sign of zero": (
        lambda folder: change_array(folder, "maps.safetensors", put((0, 0, 0), -0.0)),
        "maps.safetensors: benign: 1 of 24 values differ, first at [0, 0, 0]: 0.0 -> -0.0",
    ),
    "NaN moved": (
        column("map_l1", lambda frame: np.array([0.1, np.nan, 0.3, 0.4], np.float32)),
        "map_l1: 2 missing values moved; first only in OLD: [2], first only in NEW: [1]",
    ),
    "dtype": (column("map_l1", lambda frame: frame["map_l1"].astype("float64")), "map_l1: dtype float32 -> float64"),
    "row": (lambda folder: change_samples(folder, lambda frame: frame[:3]), "success: shape (4,) -> (3,)"),
    "new column": (column("more", lambda frame: 1), "samples.parquet: more is only in NEW"),
    "lost column": (
        lambda folder: change_samples(folder, lambda frame: frame.drop(columns="success")),
        "samples.parquet: success is only in OLD",
    ),
    "image byte": (
        lambda folder: change_array(folder, "images.safetensors", put((1, 2, 3), 99)),
        "seed=0: images.safetensors: benign: 1 of 24 values differ, first at [1, 2, 3]: 23 -> 99",
    ),
    "lost file": (lambda folder: (folder / "maps.safetensors").unlink(), "seed=0: maps.safetensors is only in OLD"),
    "missing cell": (remove, "cells: data=digits probe=pgd seed=0 is only in OLD"),
    "other cell": (
        lambda folder: change_cell(folder, probe="adv2"),
        "cells: data=digits probe=adv2 seed=0 is only in NEW",
    ),
    "fact": (
        lambda folder: change_cell(folder, facts={"accuracy": np.nextafter(0.5, 1)}),
        "facts: accuracy: 0.5 -> 0.5000000000000001",
    ),
    "count": (lambda folder: change_cell(folder, counts={"forward": 4}), "counts: forward: 3 -> 4"),
    "type of a count": (lambda folder: change_cell(folder, counts={"forward": 3.0}), "counts: forward: 3 -> 3.0"),
    "status": (lambda folder: change_cell(folder, status="failed"), 'status: "done" -> "failed"'),
    "reason": (
        lambda folder: change_cell(folder, reason={"stage": "attack.step"}),
        "reason: stage is only in NEW",
    ),
}


@pytest.mark.parametrize("plant, named", PLANTED.values(), ids=PLANTED)
def test_a_planted_difference_is_named(folders, capsys, plant, named):
    plant(cell_of(folders[1]))
    assert main([*map(str, folders)]) == 1
    told = capsys.readouterr().out
    assert named in told
    assert "seed=1" not in told, "the other cell is the same"


def test_a_failed_cell_fails_for_the_same_reason(folders, capsys):
    for folder, stage, hint in zip(folders, ("attack.step", "loop.step"), ("too far", "too close"), strict=True):
        change_cell(cell_of(folder), status="failed", reason={"stage": stage, "error": "ValueError", "hint": hint})
    assert main([*map(str, folders), "--renamed", "attack.step=loop.step"]) == 1
    told = capsys.readouterr().out.splitlines()
    assert [line.partition("reason: ")[2] for line in told[:-1]] == ['hint: "too far" -> "too close"']


def test_columns_and_fields_may_be_renamed(folders, capsys):
    for folder in folders[1].iterdir():
        change_samples(folder, lambda frame: frame.rename(columns={"map_l1": "distance"}))
        change_cell(folder, counts={"passes": 3})
    assert main([*map(str, folders)]) == 1
    assert main([*map(str, folders), "--renamed", "map_l1=distance", "--renamed", "forward=passes"]) == 0
    change_samples(cell_of(folders[1]), lambda frame: frame.assign(distance=frame["distance"] * 2))
    assert main([*map(str, folders), "--renamed", "map_l1=distance", "--renamed", "forward=passes"]) == 1
    assert "samples.parquet: distance: 3 of 4 values differ" in capsys.readouterr().out


def test_swept_cells_are_told_apart_by_their_settings(folders, capsys):
    """In NEW the hashes put the two cells in the other order, and one has another value."""
    for root, digests in zip(folders, ("12", "43"), strict=True):
        for digest, epsilon in zip(digests, (0.2, 0.3), strict=True):
            write_cell(root, digest * 8, epsilon=epsilon, module=f"benchmark.{digest}")
    assert main([*map(str, folders)]) == 0
    assert "4 cells" in capsys.readouterr().out
    change_samples(folders[1] / "digits-pgd-s0-33333333", lambda frame: frame.assign(map_l1=one_ulp(frame)))
    assert main([*map(str, folders)]) == 1
    told = capsys.readouterr().out.splitlines()
    assert len(told) == 2
    assert told[0].startswith("data=digits probe=pgd seed=0 probe.epsilon=0.3: samples.parquet: map_l1")


def test_a_swept_cell_that_is_missing_is_named_by_its_setting(folders, capsys):
    write_cell(folders[0], "22222222", epsilon=0.2)
    assert main([*map(str, folders)]) == 1
    told = capsys.readouterr().out
    assert "cells: data=digits probe=pgd seed=0 probe.epsilon=0.2 is only in OLD" in told
    assert "1 differences" in told


def test_what_cannot_be_compared_is_refused(folders, tmp_path, capsys):
    assert main([str(folders[0]), str(tmp_path / "nowhere")]) == 1
    assert "there is no record in" in capsys.readouterr().err
    write_cell(folders[0], "22222222")
    assert main([*map(str, folders)]) == 1
    assert "are both data=digits probe=pgd seed=0" in capsys.readouterr().err


def changed_text(name: str, old: str, new: str) -> Any:
    def plant(root: Path) -> None:
        text = (root / name).read_text()
        assert old in text
        (root / name).write_text(text.replace(old, new))

    return plant


def changed_results(root: Path) -> None:
    frame = pd.read_parquet(root / "results.parquet")
    frame.assign(value=np.nextafter(frame["value"], 1)).to_parquet(root / "results.parquet")


def changed_figure(root: Path) -> None:
    Image.fromarray(np.eye(2, dtype=np.uint8)).save(root / "map.png")


IN_REPORTS = {
    "csv": (changed_text("tables/maps.csv", "0.25", "0.26"), "tables/maps.csv: L1, all: row 0: 0.25 -> 0.26"),
    "csv row": (changed_text("tables/maps.csv", "adv2,–\n", ""), "tables/maps.csv: 2 rows -> 1"),
    "verdict": (changed_text("verdicts.json", "holds", "fails"), 'verdicts.json: 0.verdict: "holds" -> "fails"'),
    "markdown table": (changed_text("report.md", "| 4 |", "| 5 |"), "report.md: table 1: n: row 0: 4 -> 5"),
    "sentence": (changed_text("report.md", "1 holds.", "1 fails."), "report.md: +Claim 1 fails."),
    "results": (changed_results, "results.parquet: value: 1 of 1 values differ"),
    "figure": (changed_figure, "map.png: 2 of 4 values differ, first at [0, 0]: 0 -> 1"),
    "lost file": (lambda root: (root / "verdicts.json").unlink(), "report: verdicts.json is only in OLD"),
}


@pytest.mark.parametrize("plant, named", IN_REPORTS.values(), ids=IN_REPORTS)
def test_a_difference_in_a_report_is_named(folders, reports, capsys, plant, named):
    plant(reports[1])
    assert main([*map(str, folders), "--reports", *map(str, reports)]) == 1
    assert named in capsys.readouterr().out


def test_numbers_of_a_table_are_compared_as_numbers(folders, reports):
    changed_text("tables/maps.csv", "0.25", "0.250")(reports[1])
    assert main([*map(str, folders), "--reports", *map(str, reports)]) == 0


def test_the_command_needs_nothing_of_the_benchmark(folders):
    """It has to read the records of any commit, whatever has become of the package."""
    code = (
        "import sys; from tests.measurements.same_records import main; status = main(sys.argv[1:]); "
        "assert not {'benchmark', 'lightning_modules', 'torch'} & set(sys.modules); sys.exit(status)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, *map(str, folders)], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith("the same: 2 cells")
