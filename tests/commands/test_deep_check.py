"""What a folder or a network does not go with is told before anything of a sweep is trained, once a combination."""

from __future__ import annotations

import pytest

from benchmark.commands.common import deep_check as module
from benchmark.commands.common.deep_check import deep_check
from benchmark.commands.common.options import Settings
from benchmark.commands.common.sweep_check import check_sweep
from benchmark.configuration.conf_files import conf_folder
from benchmark.configuration.sweep_expansion import expand
from tests.helpers import underfire

CONF = str(conf_folder())
SMOKE = ["budget=smoke", "logger=none", "trainer=cpu"]


def cells(tmp_path, *overrides):
    return expand(CONF, "run", [f"paths.root={tmp_path}", *SMOKE, *overrides], multirun=True).cells


@pytest.fixture
def built(monkeypatch):
    """The interpreter, and whether the probe needs maps, of every combination that is put together."""
    found = []

    def build(ctx):
        assert str(ctx.device) == "cpu"
        found.append((ctx.config["interpreter"]["name"], ctx.config["probe"]["needs_map"]))
        if ctx.config["interpreter"]["name"] == "grad":
            raise ValueError("grad does not fit")
        if ctx.config["interpreter"]["name"] == "rise":
            raise RuntimeError("a bug in rise")

    monkeypatch.setattr(module, "check_before_training", build)
    monkeypatch.setattr(module, "_check_settings", lambda config: None)
    return found


def test_each_combination_is_built_once_for_all_seeds_and_probes_alike(tmp_path, built):
    found = deep_check(
        cells(
            tmp_path, "interpreter=cam,grad", "classifier=fine_resnet", "probe=clean,pgd,normal_03,adv2", "seed=0,1,2"
        )
    )
    assert sorted(built) == [("cam", False), ("cam", True), ("grad", False), ("grad", True)]
    assert [cell.state for cell in found.cells].count("wrong") == 12
    assert {cell.sentence for cell in found.cells} == {"", "grad does not fit"}
    assert found.note == ""


def test_an_unforeseen_error_is_left_to_the_job_and_told_by_plan(tmp_path, built):
    swept = cells(tmp_path, "interpreter=rise", "probe=clean")
    assert deep_check(swept).cells[0].state == "missing"
    assert deep_check(swept, every_error=True).cells[0].sentence == "RuntimeError: a bug in rise"


@pytest.mark.parametrize("limit", [{"MOST": 1}, {"SECONDS": 0.0}])
def test_beyond_the_limit_a_line_says_so(tmp_path, built, monkeypatch, limit):
    for name, value in limit.items():
        monkeypatch.setattr(module, name, value)
    found = deep_check(cells(tmp_path, "interpreter=cam,gradcam", "classifier=fine_resnet", "probe=clean", "seed=0,1"))
    assert len(built) == limit.get("MOST", 0)
    assert f"those of {4 - 2 * len(built)} further cells are checked when each begins" in found.note


def test_nothing_is_built_for_a_single_job_or_where_plan_finds_a_mistake(tmp_path, built, caplog):
    root = f"paths.root={tmp_path}"
    assert check_sweep(CONF, Settings([root, *SMOKE])) is None
    assert check_sweep(CONF, Settings([root, *SMOKE, "interpreter=cam,grad", "seed=-1"], True)) == 1
    assert built == []


def test_a_sweep_with_a_mistake_starts_nothing(tmp_path, built, caplog):
    settings = Settings([f"paths.root={tmp_path}", *SMOKE, "interpreter=grad,cam", "probe=clean", "seed=0,1"], True)
    assert check_sweep(CONF, settings) == 1
    assert [line for line in caplog.messages if "grad does not fit" in line] == caplog.messages[:1]
    assert caplog.messages[1:] == ["2 of 4 cells cannot be run; nothing was started"]


@pytest.mark.parametrize(
    "overrides, words",
    [
        (["interpreter=cam", "classifier.name=resnet10x"], "which timm"),
        (["interpreter=rise", "probe=adv2"], "no gradient"),
        (["interpreter=cam", "measure.blur=100"], "measure.blur is a sigma in pixels"),
    ],
)
def test_what_does_not_fit_is_found_by_putting_it_together(tmp_path, overrides, words):
    (cell,) = deep_check(cells(tmp_path, *overrides)).cells
    assert cell.state == "wrong"
    assert words in cell.sentence
    assert not list(tmp_path.glob("store/classifier/*")), "nothing was trained"


def test_plan_deep_tells_it(tmp_path):
    words = [
        "-m",
        "interpreter=cam,gradcam",
        "classifier=fine_resnet",
        "probe=clean",
        "seed=0,1",
        "classifier.name=resnet10x",
        *SMOKE,
    ]
    shallow = underfire(tmp_path, "plan", *words)
    assert shallow.returncode == 0, shallow.stderr
    deep = underfire(tmp_path, "plan", "--deep", *words)
    assert deep.returncode == 1
    assert "4 cells: 0 done, 0 missing, 4 wrong" in deep.stdout
    assert deep.stdout.count("which timm") == 1
