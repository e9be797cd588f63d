"""The dashboard as W&B would get it: made without a server, with every panel, filter and group of the layout."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from benchmark.commands.dashboard import described, filters_of
from benchmark.commands.dashboard import main as dashboard
from benchmark.tracking.dashboard.layout import LAYOUT, keys_of, panels
from benchmark.tracking.run_config import CONFIG_KEYS, GROUP_KEYS
from tests.helpers import PROJECT, configured

CONF = str(PROJECT / "conf")
pytest.importorskip("wandb_workspaces", reason="pip install 'underfire[dashboards]'")
pytestmark = pytest.mark.filterwarnings("ignore:Pydantic V1 style")  # of wandb-workspaces 0.4.13


@pytest.fixture(scope="module")
def made():
    """What ``--dry-run`` prints, in a process that reaches no server and has no login."""
    ran = subprocess.run(
        [sys.executable, "-m", "benchmark", "dashboard", "--dry-run", "experiment=observation_8", "seed=[0,1]"],
        cwd=PROJECT,
        env={**os.environ, "WANDB_MODE": "offline", "WANDB_BASE_URL": "http://127.0.0.1:9", "HOME": "/nonexistent"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def metrics_of(panel: dict) -> list[str]:
    """The keys that a panel of W&B's reads, without what W&B puts in front of them."""
    config = panel["config"]
    found = [*config.get("metrics", []), *config.get("mediaKeys", [])]
    found += [config[axis] for axis in ("xAxis", "yAxis") if axis in config]
    found += [column["accessor"] for column in config.get("columns", [])]
    return [key.removeprefix("summary_metrics.").removeprefix("summary:").removeprefix("config:") for key in found]


def test_the_workspace_has_every_section_and_panel(made):
    sections = made["workspace"]["spec"]["section"]["panelBankConfig"]["sections"]
    assert [section["name"] for section in sections] == [section.title for section in LAYOUT]
    for section, wanted in zip(sections, LAYOUT, strict=True):
        for panel, expected in zip(section["panels"], wanted.panels, strict=True):
            if expected.kind == "table":
                assert expected.keys[0] in json.dumps(panel)
            else:
                assert set(expected.keys) <= set(metrics_of(panel)), expected.title
                assert panel["config"].get("chartTitle", expected.title) == expected.title
            if expected.x:
                assert expected.x in metrics_of(panel)


def test_unlike_cells_are_grouped_apart_and_withheld_ones_left_out(made):
    (runs,) = made["workspace"]["spec"]["section"]["runSets"]
    assert [key["name"] for key in runs["grouping"]] == [f"{key}.value" for key in GROUP_KEYS]
    assert {"condition", "setting"} <= set(GROUP_KEYS), "level, budget, and every other setting"
    filters = {each["key"]["name"]: (each["op"], each["value"]) for each in runs["filters"]["filters"]}
    assert filters == {
        "withheld": ("=", False),
        "experiment": ("=", "observation_8"),
        "seed": ("IN", [0, 1]),
        "budget": ("IN", ["bench", "authors"]),
        "split": ("IN", ["test", "train"]),
    }


def test_each_section_of_the_report_has_its_own_runs(made):
    grids = [block for block in made["report"]["spec"]["blocks"] if block["type"] == "panel-grid"]
    for grid, section in zip(grids, LAYOUT, strict=True):
        (runs,) = grid["metadata"]["runSets"]
        assert "project" not in runs, "the report's own"
        filters = {each["key"]["name"]: each["value"] for each in runs["filters"]["filters"]}
        kinds = section.only["kind"]
        assert filters["kind"] == (kinds[0] if len(kinds) == 1 else list(kinds))
        assert len(grid["metadata"]["panelBankSectionConfig"]["panels"]) == len(section.panels)


def test_it_is_the_same_each_time(made, tmp_path):
    from benchmark.tracking.dashboard import wandb_views

    config = configured(tmp_path, "filter.experiment=observation_8", "filter.seed=[0,1]", command="dashboard")
    again = wandb_views.report("ENTITY", "underfire", "underfire", filters_of(config))
    assert wandb_views.as_json(again) == made["report"]


def test_keys_of_the_configuration_are_those_of_runs():
    assert {key.partition(".")[0] for key in keys_of("config")} <= set(CONFIG_KEYS)
    titles = [panel.title for _, panel in panels()]
    assert len(set(titles)) == len(titles)


def test_json_names_panels_and_keys(capsys):
    assert dashboard(CONF, ["--json"]) == 0
    assert json.loads(capsys.readouterr().out) == described()


def test_smoke_and_calibration_runs_stay_out_unless_named(tmp_path):
    config = configured(tmp_path, command="dashboard")
    assert filters_of(config) == {"budget": ("bench", "authors"), "split": ("test", "train")}
    named = configured(tmp_path, "filter.budget=smoke", "filter.split=calibration", command="dashboard")
    assert filters_of(named) == {"budget": ("smoke",), "split": ("calibration", "train")}


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["make=[workspace,page]"], "page is none of workspace, report"),
        (["sead=1"], "sead is no key of the configuration"),
    ],
)
def test_a_mistake_is_a_sentence(words, sentence):
    with pytest.raises(ValueError, match=sentence):
        dashboard(CONF, words)


def test_without_the_extra_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb_workspaces", None)
    monkeypatch.setitem(sys.modules, "wandb_workspaces.expr", None)
    monkeypatch.delitem(sys.modules, "benchmark.tracking.dashboard.wandb_views", raising=False)
    monkeypatch.delattr("benchmark.tracking.dashboard.wandb_views", raising=False)
    with pytest.raises(ValueError, match=r"pip install 'underfire\[dashboards\]'"):
        dashboard(CONF, ["--dry-run"])


def test_without_a_login_it_says_what_to_do(monkeypatch):
    import wandb

    def api():
        raise wandb.errors.UsageError("No API key configured.")

    monkeypatch.setattr(wandb, "Api", api)
    with pytest.raises(ValueError, match=r"did not take the dashboard \(No API key configured.\): run 'wandb login'"):
        dashboard(CONF, [])
