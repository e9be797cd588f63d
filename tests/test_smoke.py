"""The whole suite at its smallest: every cell of Observation 8, twice, to the byte."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from benchmark.storage.paths import history_files
from benchmark.storage.records import read_records
from benchmark.tracking.comparison_runs import comparisons
from benchmark.tracking.dashboard.layout import LAYOUT, keys_of, panels
from tests.helpers import underfire
from tests.tracking.offline_runs import offline_run

COLUMNS = {
    *("sample_id", "source_id", "label", "goal", "pred_benign", "pred_probe", "confidence_benign", "confidence_probe"),
    *("success", "linf", "l2_norm", "map_l1", "map_l2", "map_iou", "map_ssim", "map_spearman"),
}

SWEEP = ("experiment=observation_8", "budget=smoke", "logger=none", "trainer=cpu")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A finished smoke sweep with its report."""
    folder = tmp_path_factory.mktemp("smoke")
    ran = underfire(folder, "run", *SWEEP, "trainer.log_every_n_steps=1")  # trainings are too short for the usual 10
    assert ran.returncode == 0, ran.stderr
    assert "27 cells: 27 computed, 0 cached, 0 failed" in ran.stderr
    return folder


def test_every_cell_has_its_record_and_its_columns(root):
    records = read_records(root / "results")
    assert len(records) == 27
    assert {record.cell["status"] for record in records} == {"done"}
    for record in records:
        if record.cell["probe"] != "clean":
            assert set(record.samples.columns) >= COLUMNS
            allowed = {"weaker_than_transfer", "loss_falling", "not_converged"} if "passes" in record.samples else set()
            found = set(record.cell["flags"])
            assert found <= allowed | {"class_blind"}, "so few steps of a training and an attack say so in the record"
        assert record.cell["n_samples"] == len(record.samples) > 0
        assert record.cell["versions"]["torch"]
        assert record.cell["counts"]["forward"] > 0


def test_probes_stay_in_their_budget_and_are_shared(root):
    records = read_records(root / "results")
    by_probe = {}
    for record in records:
        cell = record.cell
        by_probe.setdefault((cell["probe"], cell["level"], cell["steps_factor"]), []).append(record)
    for (probe, _, _), group in by_probe.items():
        assert len(group) == 3
        ids = [record.samples["sample_id"].tolist() for record in group]
        assert ids[0] == ids[1] == ids[2]
        if probe in ("pgd", "adv2", "adv2_auto", "sign"):
            assert all(record.samples["linf"].max() <= 8 / 255 + 1e-6 for record in group)
        if probe in ("pgd", "adv2"):
            assert group[0].samples["goal"].tolist() == group[1].samples["goal"].tolist()
        if probe not in ("clean", "adv2", "adv2_auto"):
            assert len({record.cell["artefacts"]["probed"] for record in group}) == 1, "made once, read by all"


def test_a_second_run_computes_nothing(root):
    before = {path: path.stat().st_mtime_ns for path in (root / "results").glob("*/cell.json")}
    ran = underfire(root, "run", *SWEEP)
    assert ran.returncode == 0, ran.stderr
    assert "27 cells: 0 computed, 27 cached, 0 failed" in ran.stderr
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_the_same_seed_elsewhere_gives_the_same_bytes(root, tmp_path):
    ran = underfire(tmp_path, "run", *SWEEP)
    assert ran.returncode == 0, ran.stderr
    ours = {path.parent.name: path for path in (root / "results").glob("*/samples.parquet")}
    theirs = {path.parent.name: path for path in (tmp_path / "results").glob("*/samples.parquet")}
    assert ours.keys() == theirs.keys()
    for name, path in ours.items():
        assert path.read_bytes() == theirs[name].read_bytes(), name
        for kind in ("images", "maps"):
            other = theirs[name].with_name(f"{kind}.safetensors")
            assert path.with_name(f"{kind}.safetensors").read_bytes() == other.read_bytes()


def test_the_report_of_a_smoke_run_gives_no_verdict(root):
    ran = underfire(root, "report", "budget=smoke", "resamples=200")
    assert ran.returncode == 0, ran.stderr
    verdicts = json.loads((root / "report" / "verdicts.json").read_text())
    assert verdicts
    wanted = {"claim", "objective", "probe", "level", "metric", "difference", "low", "high", "n", "verdict"}
    assert all(wanted <= row.keys() for row in verdicts)
    assert {row["verdict"] for row in verdicts} <= {"too few samples", "not measured", "withheld"}
    assert list((root / "report" / "figures").glob("map_l1*.png"))
    assert not pd.read_parquet(root / "report" / "results.parquet").empty


def test_without_asking_smoke_runs_stay_out_of_the_report(root):
    ran = underfire(root, "report")
    assert ran.returncode == 1
    assert "smoke" in ran.stderr


def test_a_cell_is_one_offline_run_that_can_be_read_back(root):
    ran = underfire(root, "run", "budget=smoke", "trainer=cpu", "probe=adv2", "interpreter=rtsa", "force=cell")
    assert ran.returncode == 0, ran.stderr
    (record,) = read_records(root / "results", interpreter="rtsa", probe="adv2", steps_factor=1)
    run = offline_run(root / "wandb", record.cell["cell"])
    assert run.summary["map_l1/mean"] == pytest.approx(record.samples["map_l1"].mean())
    assert run.summary["success_rate"] == pytest.approx(record.samples["success"].mean())
    assert run.config["interpreter"] == "rtsa"
    assert run.config["artefacts"] == record.cell["artefacts"]
    assert run.config["settings"]["probe"]["epsilon"] == pytest.approx(8 / 255)
    assert {"samples", "sheet"} <= run.files
    assert list(run.folder.glob("files/media/images/sheet*.png")), "the labelled pictures"
    staged = root / "wandb" / "artifacts" / "staging"
    assert staged.is_dir(), "what waits to be sent lies beside the runs, not in the home folder"


def test_every_key_of_the_dashboard_is_one_that_runs_log(root):
    ran = underfire(root, "sync", "budget=smoke")
    assert ran.returncode == 0 and "6 of 6 trainings and 3 of 3 comparisons sent" in ran.stderr, ran.stderr
    folder = root / "wandb"
    records = {(r.cell["probe"], r.cell["level"]): r for r in read_records(root / "results", interpreter="rtsa")}
    chosen = [records[kind].cell["cell"] for kind in (("clean", None), ("normal", 0.3), ("adv2_auto", None))]
    chosen += [path.parent.name for path in history_files(root / "store")]
    chosen += [found.key for found in comparisons(read_records(root / "results"))]
    runs = [offline_run(folder, key) for key in chosen]
    assert {run.config["kind"] for run in runs} == {kind for section in LAYOUT for kind in section.only["kind"]}
    logged = {kind: set().union(*(getattr(run, kind) for run in runs)) for kind in ("summary", "history", "files")}
    assert keys_of("summary") <= logged["summary"]
    assert keys_of("history") <= logged["history"]
    assert keys_of("file") <= logged["files"]
    for run in runs:
        assert {key.partition(".")[0] for key in keys_of("config")} <= set(run.config)
    for section, panel in panels():
        mine = [run for run in runs if run.config["kind"] in section.only["kind"]]
        for key in (*panel.keys, *([panel.x] if panel.x else [])):
            assert any(key in run.summary or key in run.history for run in mine), (section.title, key)
        for path in panel.settings:
            assert any(at(run.config, path) is not None for run in mine), path
    for run in runs:
        if run.config["split"] == "train":
            assert run.axes == {"*": "step"}


def at(config, path):
    """The value at a dotted path, None where there is none."""
    for name in path.split("."):
        config = config.get(name) if isinstance(config, dict) else None
    return config
