"""The whole report, from records on disk."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import pandas as pd
import pytest

import benchmark.report
from benchmark.report.build import build_report
from benchmark.report.cohorts.grouping import grouped
from benchmark.report.page import provenance_rows
from benchmark.report.selection.aid_study import build_study
from benchmark.report.statistics.bootstrap import Bootstrap
from benchmark.storage.columns import BY_NAME
from benchmark.storage.records import write_failure, write_record
from tests.report.planted import World, record, sweep

SMALL = World(n=160)
PROBES = (("clean", None, 1), ("normal", 0.3, 1), ("pgd", None, 1), ("adv2", None, 1))


def store(root: Path, records) -> None:
    for one in records:
        tensors = {"images": one.images, "maps": one.maps} if one.images else {}
        samples = one.samples.astype({name: BY_NAME[name].dtype for name in one.samples})
        write_record(root / one.cell["name"], samples, tensors, one.cell)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    root = tmp_path_factory.mktemp("run")
    store(root / "results", sweep(SMALL, ("rts", "rtsa"), PROBES, pictures=True))
    store(root / "results", [record(SMALL, "rts", "adv2", budget="smoke")])
    store(root / "results", [record(SMALL, "rts", "adv2", split="calibration")])
    broken = record(SMALL, "rtsa", "sign").cell
    write_failure(root / "results" / "broken", broken, stage="probe", error=ValueError("NaN in the map | step 3"))
    return root, build_report(root / "results", root / "report", bootstrap=Bootstrap(100))


def test_everything_is_written(built):
    root, page = built
    assert page == root / "report" / "report.md"
    written = {str(path.relative_to(root / "report")) for path in (root / "report").rglob("*") if path.is_file()}
    assert {"index.html", "report.md", "verdicts.json", "results.parquet"} <= written
    for name in ("claims", "attack_rates", "attack_maps", "noise_rates", "noise_maps", "benign", "verdicts"):
        assert {f"tables/{name}.{kind}" for kind in ("csv", "md", "tex")} <= written
    for name in ("figure_15", "figure_16", "differences", "map_l1"):
        assert {f"figures/{name}.{kind}" for kind in ("png", "pdf")} <= written


def test_links_of_the_page_lead_somewhere(built):
    _, page = built
    links = re.findall(r"\]\(([^)]+)\)", page.read_text())
    assert len(links) >= 10
    assert all((page.parent / link).is_file() for link in links)


def test_page_names_failures_and_what_was_left_out(built):
    text = built[1].read_text()
    assert "NaN in the map \\| step 3" in text
    assert "budget=smoke: 1" in text
    assert "split=calibration: 1" in text
    assert "not measured" in text
    assert "0123456789abcdef" in text
    assert "torch 2.15.0" in text


def test_smoke_and_calibration_are_left_out(built):
    rows = json.loads((built[0] / "report" / "verdicts.json").read_text())
    assert {(row["budget"], row["split"]) for row in rows} == {("default", "test")}
    table = pd.read_parquet(built[0] / "report" / "results.parquet")
    assert set(table["budget"]) == {"default"}
    samples = record(SMALL, "rtsa", "adv2").samples
    cells = table[(table["interpreter"] == "rtsa") & (table["probe"] == "adv2") & (table["metric"] == "map_l1")]
    means = cells.set_index("population")["value"]
    assert means["success"] == pytest.approx(samples.loc[samples["success"], "map_l1"].mean())
    assert means["not_success"] == pytest.approx(samples.loc[~samples["success"], "map_l1"].mean())
    assert set(cells["n"]) == {80, int(samples["success"].sum()), int((~samples["success"]).sum())}


def test_smoke_is_reported_when_asked_for(built, tmp_path):
    page = build_report(built[0] / "results", tmp_path, {"budget": "smoke", "data": None}, bootstrap=Bootstrap(50))
    assert "budget smoke" in page.read_text()


def test_a_second_build_writes_the_same_bytes(built):
    again = built[0] / "again"  # as far from the records as the first: the page links to them
    build_report(built[0] / "results", again, bootstrap=Bootstrap(100))
    for path in sorted(p for p in again.rglob("*") if p.is_file()):
        assert path.read_bytes() == (built[0] / "report" / path.relative_to(again)).read_bytes(), path.name


def test_two_cohorts_get_a_folder_each(tmp_path):
    for data in ("digits", "cifar10"):
        store(tmp_path / "results", sweep(SMALL, ("rts", "rtsa"), PROBES[:1], data=data))
    page = build_report(tmp_path / "results", tmp_path / "report", bootstrap=Bootstrap(50))
    folders = [path.name for path in page.parent.iterdir() if path.is_dir()]
    assert len(folders) == 2
    assert page.read_text().count("\n## ") == 2
    assert all((page.parent / name / "tables" / "benign.csv").is_file() for name in folders)
    rows = json.loads((page.parent / "verdicts.json").read_text())
    assert {row["data"] for row in rows} == {"digits", "cifar10"}


def test_no_match_says_what_there_is(built, tmp_path):
    with pytest.raises(ValueError, match=r"data=nothing .*data: digits") as caught:
        build_report(built[0] / "results", tmp_path / "report", {"data": "nothing"})
    assert str(built[0] / "results") in str(caught.value)
    assert not (tmp_path / "report").exists()


def test_no_record_at_all(tmp_path):
    with pytest.raises(ValueError, match="no record at all"):
        build_report(tmp_path / "nowhere", tmp_path / "report")


def test_the_study_is_written(tmp_path):
    records = sweep(SMALL, ("rts",), PROBES[:1] + PROBES[2:], split="calibration")
    config = {"interpreter": {"lambda_aid": 5.0}}
    records += sweep(SMALL, ("rtsa_anchored",), PROBES[:1] + PROBES[2:], split="calibration", config=config)
    store(tmp_path / "results", records)
    path = build_study(tmp_path / "results", tmp_path / "report", bootstrap=Bootstrap(100))
    assert "rtsa\\_anchored" in path.read_text()
    assert {file.name for file in path.parent.iterdir()} == {f"aid_study.{end}" for end in ("md", "csv", "png", "pdf")}
    with pytest.raises(ValueError, match="split=calibration"):
        build_study(tmp_path / "nowhere", tmp_path / "report")


def test_the_report_imports_no_torch():
    folder = Path(benchmark.report.__file__).parent
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            for name in names:
                assert name.split(".")[0] not in {"torch", "lightning", "pytorch_lightning", "timm"}, path.name
                allowed = ("benchmark.report", "benchmark.storage")
                assert not name.startswith("benchmark") or name.startswith(allowed), path.name


def test_accuracy_by_class_is_told_where_records_have_it():
    planted = [record(World(n=40), "rts", "clean", seed=0)]
    assert not any("class" in name for name, _ in provenance_rows(grouped(planted)[0]) if name != "classifier")
    planted[0].cell["by_class"] = {"0": {"n": 77, "right": 70}, "1": {"n": 8, "right": 3}}
    planted[0].cell["class_names"] = {"0": "naevus", "1": "melanoma"}
    planted[0].cell["facts"]["balanced_accuracy"] = 0.642
    rows = dict(provenance_rows(grouped(planted)[0]))
    assert rows["balanced accuracy"] == "0.642"
    assert rows["the class that is right least often"] == "melanoma, 3 of 8 (seed 0)"
