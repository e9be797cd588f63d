"""The transfer matrices: planted distances come back in their entry, and never mix with the other tables."""

from __future__ import annotations

import itertools
import os
import shutil

import numpy as np
import pandas as pd
import pytest

from benchmark.report.build import build_report
from benchmark.report.statistics.bootstrap import Bootstrap
from benchmark.report.transfer.ensemble_defence import defence_table
from benchmark.report.transfer.matrix import matrices
from benchmark.report.transfer.transfer_cells import source_of, transfer_cells
from benchmark.storage.records import read_records, write_record

PLANTED = {("rts", "rts"): 0.02, ("rts", "rtsa"): 0.2, ("rtsa", "rts"): 0.1, ("rtsa", "rtsa"): 0.05}


@pytest.fixture
def root(tmp_path):
    for (source, target), distance in PLANTED.items():
        samples = pd.DataFrame(
            {
                "sample_id": np.arange(40),
                "source_id": np.arange(40) // 2,
                "success": np.arange(40) % 4 > 0,
                "map_l1": np.full(40, distance, dtype=np.float32),
                "looks_benign": (np.arange(40) < 40 * (0.2 - distance) * 5).astype(np.float32),
            }
        )
        cell = {
            **{"cell": f"{source}{target}", "name": f"{source}{target}", "data": "digits", "classifier": "net"},
            **{"interpreter": target, "probe": "adv2", "level": None, "steps_factor": 1, "seed": 0, "data_seed": 0},
            **{"split": "test", "budget": "bench", "n_samples": 40, "n_sources": 20, "versions": {}},
            **{"artefacts": {}, "facts": {}, "seconds": {}, "counts": {}},
            "config": {"probe": {"source": {"name": source}}, "interpreter": {"name": target}},
        }
        write_record(tmp_path / "results" / f"{source}-{target}", samples, {}, cell)
    return tmp_path


def test_planted_distances_come_back_in_their_entry(root):
    records = read_records(root / "results")
    assert {source_of(record) for record in records} == {"rts", "rtsa"}
    found = matrices(transfer_cells(records), ["map_l1", "looks_benign"], Bootstrap(50))
    for key, distance in PLANTED.items():
        estimate = found["map_l1"][key]
        assert estimate.value == pytest.approx(distance)
        assert (estimate.n, estimate.n_sources) == (40, 20)
    assert found["looks_benign"]["rts", "rtsa"].value == 0


def test_the_report_has_the_matrices_and_no_verdict_of_them(root):
    path = build_report(root / "results", root / "report", bootstrap=Bootstrap(50))
    text = path.read_text()
    assert "## Transfer" in text
    assert "0.200" in text
    assert (root / "report" / "verdicts.json").read_text().strip() == "[]"
    (figure,) = (root / "report" / "figures").glob("transfer*.png")
    assert figure.stat().st_size > 10_000
    assert len(list((root / "report" / "tables").glob("transfer*.tex"))) == 3


def write(root, source, target, success, benign, surrogate=None, classifier="net"):
    samples = pd.DataFrame(
        {
            "sample_id": np.arange(len(success)),
            "source_id": np.arange(len(success)),
            "success": success,
            "map_l1": np.where(benign, 0.01, 0.2).astype(np.float32),
            "looks_benign": np.asarray(benign, dtype=np.float32),
        }
    )
    probe = {"source": {"name": source}, "surrogate": None if surrogate is None else {"label": surrogate}}
    name = f"{source}-{target}-{surrogate}-{classifier}"
    cell = {
        **{"cell": name, "name": name, "data": "digits", "classifier": classifier, "interpreter": target},
        **{"probe": "adv2", "level": None, "steps_factor": 1, "seed": 0, "data_seed": 0, "split": "test"},
        **{"budget": "bench", "n_samples": len(success), "n_sources": len(success), "versions": {}, "artefacts": {}},
        **{"facts": {}, "seconds": {}, "counts": {}, "config": {"probe": probe, "interpreter": {"name": target}}},
    }
    write_record(root / "results" / name, samples, {}, cell)


def test_the_smallest_set_that_no_attack_fools_is_found(tmp_path):
    """Planted: a and b are each fooled by the attack on them, and never the same image by both; c never looks."""
    n = 400
    always, even, never = np.ones(n, bool), np.arange(n) % 2 == 0, np.zeros(n, bool)
    benign = {
        **{("a", "a"): always, ("a", "b"): never, ("a", "c"): always},
        **{("b", "a"): never, ("b", "b"): always, ("b", "c"): always},
        **{("c", "a"): even, ("c", "b"): ~even, ("c", "c"): always},
    }
    for source, target in itertools.product("abc", "abc"):
        write(tmp_path, source, target, always, benign[source, target])
    cells = transfer_cells(read_records(tmp_path / "results"))
    table = defence_table("defence", cells, Bootstrap(100))
    assert [row[1] for row in table.rows] == ["a", "a, b", "a, b, c"]
    assert [row[4] for row in table.rows] == ["is fooled", "smallest that holds", "holds"]
    assert table.rows[0][3].value == 1.0 and table.rows[1][3].value == 0.0


def test_an_attack_that_was_not_tried_counts_for_nobody(tmp_path):
    """c fools whoever read its images; b has not, and d was never attacked: neither may pass for a defence."""
    for source, target in itertools.product("abc", "abcd"):
        if (source, target) != ("c", "b"):
            fools = np.ones(100, bool) if source == "c" or source == target else np.zeros(100, bool)
            write(tmp_path, source, target, np.ones(100, bool), fools if target != "d" else np.zeros(100, bool))
    table = defence_table("defence", transfer_cells(read_records(tmp_path / "results")), Bootstrap(50))
    assert [row[1] for row in table.rows] == ["a", "a, c"]
    assert all(row[2] == "c" and row[4] == "is fooled" for row in table.rows[1:])
    assert "or have not read every source's images: b, d." in table.caption


def test_an_image_that_does_not_reach_its_class_fools_nobody(tmp_path):
    for source, target in itertools.product("ab", "ab"):
        write(tmp_path, source, target, np.zeros(100, bool), np.ones(100, bool))
    table = defence_table("defence", transfer_cells(read_records(tmp_path / "results")), Bootstrap(50))
    assert table.rows[0][4] == "smallest that holds"


def test_classifiers_have_a_matrix_of_their_own(tmp_path):
    for surrogate, victim in itertools.product(("net", "other"), ("net", "other")):
        reached = np.arange(100) < (100 if surrogate == victim else 30)
        write(tmp_path, "rts", "rts", reached, np.ones(100, bool), surrogate, victim)
    text = build_report(tmp_path / "results", tmp_path / "report", bootstrap=Bootstrap(50)).read_text()
    assert "Transfer between classifiers" in text and "Transfer between interpreters" not in text
    assert len(list((tmp_path / "report" / "tables").glob("transfer*.csv"))) == 3
    (csv,) = (tmp_path / "report" / "tables").glob("transfer*-success.csv")
    assert "0.3" in csv.read_text()


def test_of_two_cells_for_one_entry_the_later_is_shown_and_the_other_named(tmp_path):
    """A default was changed and the sweep run again: the cells of before are still there."""
    write(tmp_path, "rts", "rts", np.ones(10, bool), np.ones(10, bool))
    (before,) = (tmp_path / "results").iterdir()
    after = before.with_name("computed-later")
    shutil.copytree(before, after)
    os.utime(after / "cell.json", (4e9, 4e9))
    records = read_records(tmp_path / "results")
    assert [record.folder.name for record in transfer_cells(records).values()] == ["computed-later"]
    text = build_report(tmp_path / "results", tmp_path / "report", bootstrap=Bootstrap(50)).read_text()
    assert f"Left out, computed at other settings before: {before.name}." in text
