"""The choice of settings on calibration: the largest ADV2 difference that leaves benign maps alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmark.report.selection.aid_selection import KEYS, candidates, selection_table
from benchmark.report.statistics.bootstrap import Bootstrap
from benchmark.report.tables.formats import markdown
from tests.report.planted import World, record

BASE = World(n=400)
# lambda: (planted ADV2 difference, planted drift)
GRID = {1.0: (0.01, 0.001), 5.0: (0.05, 0.01), 20.0: (0.2, 0.3)}


def calibration(grid=None, split="calibration", **options):
    records = [record(BASE, "rts", probe, split=split) for probe in ("clean", "adv2")]
    for weight, (shift, drift) in (grid or GRID).items():
        world = replace(BASE, shift={"rts": 0.0, "rtsa": shift}, drift={"rts": 0.0, "rtsa": drift})
        config = {"interpreter": {"lambda_aid": weight, "kappa": None}}
        records += [record(world, "rtsa", probe, split=split, config=config) for probe in ("clean", "adv2")]
    return records


def test_largest_difference_among_harmless_settings():
    found = candidates(calibration(), KEYS, Bootstrap(200))
    by_weight = {c.settings["interpreter.lambda_aid"]: c for c in found}
    assert {weight: c.harmless for weight, c in by_weight.items()} == {
        1.0: "holds",
        5.0: "holds",
        20.0: "does not hold",
    }
    assert [weight for weight, c in by_weight.items() if c.chosen] == [5.0]
    for weight, (shift, _) in GRID.items():
        assert by_weight[weight].attack.low <= shift <= by_weight[weight].attack.high
        assert by_weight[weight].success.difference == 0


def test_nothing_is_chosen_where_nothing_is_harmless():
    found = candidates(calibration({20.0: GRID[20.0]}), KEYS, Bootstrap(100))
    assert not found[0].chosen
    assert "No setting of rtsa qualifies" in selection_table(found).caption


def test_each_interpreter_gets_its_own_choice():
    records = calibration()
    world = replace(BASE, shift={"rts": 0.0, "rtsa_anchored": 0.02}, drift={"rts": 0.0, "rtsa_anchored": 0.0})
    config = {"interpreter": {"lambda_aid": 5.0, "kappa": 0.3}}
    records += [record(world, "rtsa_anchored", p, split="calibration", config=config) for p in ("clean", "adv2")]
    chosen = [c for c in candidates(records, KEYS, Bootstrap(100)) if c.chosen]
    assert {c.interpreter: c.settings["interpreter.kappa"] for c in chosen} == {"rtsa": None, "rtsa_anchored": 0.3}


def test_test_split_is_never_looked_at():
    assert candidates(calibration(split="test"), KEYS, Bootstrap(10)) == []


def test_a_setting_without_its_clean_cell_is_not_chosen():
    records = [r for r in calibration() if (r.cell["interpreter"], r.cell["probe"]) != ("rtsa", "clean")]
    found = candidates(records, KEYS, Bootstrap(50))
    assert {c.harmless for c in found} == {"not measured"}
    assert not any(c.chosen for c in found)


def test_settings_that_the_keys_miss_are_an_error():
    with pytest.raises(ValueError, match=r"cannot be told apart .* they differ in interpreter.lambda_aid"):
        candidates(calibration(), ("interpreter.kappa",), Bootstrap(10))


def test_paths_may_start_at_config():
    found = candidates(calibration(), ("config.interpreter.lambda_aid",), Bootstrap(50))
    assert [c.settings["config.interpreter.lambda_aid"] for c in found] == [1.0, 20.0, 5.0]


def test_table():
    table = selection_table(candidates(calibration(), KEYS, Bootstrap(100)))
    assert table.columns[:4] == ["interpreter", "lambda_aid", "kappa", "lambda_anchor"]
    assert [row[-1] for row in table.rows].count("chosen") == 1
    assert "none" in markdown(table)
