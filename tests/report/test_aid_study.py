"""The study of AID's settings: joint success, cost, the frontier and the choice, with planted effects."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmark.report.selection.aid_study import KEYS, points, results, study_table
from benchmark.report.statistics.bootstrap import Bootstrap
from benchmark.report.tables.formats import markdown
from tests.report.planted import World, record

BASE = World(n=400)
# lambda: (planted ADV2 difference, planted drift); 0.07 is the planted limit of what looks benign
GRID = {1.0: (0.0, 0.001), 5.0: (0.02, 0.01), 20.0: (0.2, 0.3)}
QUICK = Bootstrap(200)


def cells(world, interpreter, config, split="calibration", probes=("clean", "adv2"), **changes):
    return [record(world, interpreter, probe, split=split, config=config, **changes) for probe in probes]


def calibration(grid=None, interpreter="rtsa", kappa=None, **options):
    records = cells(BASE, "rts", {}, **options)
    for weight, (shift, drift) in (grid or GRID).items():
        world = replace(BASE, shift={"rts": 0.0, interpreter: shift}, drift={"rts": 0.0, interpreter: drift})
        records += cells(world, interpreter, {"interpreter": {"lambda_aid": weight, "kappa": kappa}}, **options)
    return records


def by_weight(found):
    return {each.setting.values["interpreter.lambda_aid"]: each for each in found}


def test_the_largest_fall_of_joint_success_among_harmless_settings_is_chosen():
    records = calibration()
    found = by_weight(results(records, KEYS, QUICK))
    assert {weight: each.harmless for weight, each in found.items()} == {
        1.0: "holds",
        5.0: "holds",
        20.0: "does not hold",
    }
    assert [weight for weight, each in found.items() if each.chosen] == [5.0]
    own = {}
    for each in records:
        if each.cell["probe"] == "adv2":
            joint = (each.samples["success"] & each.samples["looks_benign"]).mean()
            own[each.cell["config"]["interpreter"].get("lambda_aid", 0.0)] = joint
    for weight, each in found.items():
        assert each.joint.value == pytest.approx(own[weight])
        assert each.fall.value == pytest.approx(own[weight] - own[0.0])
        assert each.distance.low <= GRID[weight][0] <= each.distance.high
        assert each.benign["reference_l1"].value == pytest.approx(GRID[weight][1], abs=0.002)
        drift, iou, *areas = (
            each.benign[name].value for name in ("reference_l1", "object_iou", "deletion", "insertion")
        )
        assert each.cost == pytest.approx(max(drift / 0.02, -iou / 0.05, *(abs(area) / 0.03 for area in areas)))
    assert found[5.0].fall.high < 0


def test_the_strongest_attack_decides():
    """Another attack that leaves maps where they are undoes the fall; one that reaches no class changes nothing."""
    records = calibration()
    weak = record(replace(BASE, shift={"rtsa": 0.0}), "rtsa", "pgd", split="calibration")
    weak.cell["config"]["interpreter"]["lambda_aid"] = 5.0
    before = by_weight(results(records, KEYS, QUICK))[5.0]
    weak.samples["map_l1"], weak.samples["looks_benign"] = 0.01, True
    after = by_weight(results([*records, weak], KEYS, QUICK))[5.0]
    assert after.joint.value >= weak.samples["success"].mean() > before.joint.value + 0.2
    weak.samples["success"], weak.samples["map_l1"] = False, 1.0
    without = by_weight(results([*records, weak], KEYS, QUICK))[5.0]
    assert (without.joint, without.distance) == (before.joint, before.distance)


def test_the_reference_is_the_rts_that_was_trained_as_long_on_the_same_classifier():
    def stages(steps, after="start"):
        return {
            "finish_steps": steps,
            "finish_after": after,
            "stages": {"start": {"steps": 1250}, "finish": {"steps": steps}},
        }

    records = []
    for steps in (200, 1000):
        records += cells(BASE, "rts", {"interpreter": stages(steps)})
    records += cells(BASE, "rts", {"interpreter": stages(1000)}, classifier="robust")
    for steps, after in ((200, "start"), (1200, "start"), (1450, "selector")):
        records += cells(BASE, "rtsa", {"interpreter": {"lambda_aid": 1.0, **stages(steps, after)}})
    found = {each.setting.values["interpreter.finish_steps"]: each for each in results(records, KEYS, QUICK)}
    references = {steps: each.reference.values["interpreter.finish_steps"] for steps, each in found.items()}
    assert references == {200: 200, 1200: 1000, 1450: 200}
    assert {each.reference.classifier for each in found.values()} == {"resnet10t"}


def test_the_reference_of_a_trunk_of_its_own_is_the_rts_that_trains_one_too():
    """Without such an RTS it is compared with the other one, and cannot be chosen: it is another network."""
    trunk = {"interpreter": {"lambda_aid": 5.0, "own_trunk": True}}
    falls = replace(BASE, shift={"rts": 0.0, "rtsa": 0.03}, drift={"rts": 0.0, "rtsa": 0.001})
    records = [*calibration(), *cells(falls, "rtsa", trunk)]
    found = [each for each in results(records, KEYS, QUICK) if each.setting.values["interpreter.lambda_aid"] == 5.0]
    alone = {each.setting.own_trunk: each for each in found}
    assert alone[True].joint.value < alone[False].joint.value and not alone[True].reference.own_trunk
    assert (alone[True].chosen, alone[False].chosen) == (False, True)
    records += cells(BASE, "rts", {"interpreter": {"own_trunk": True}})
    both = [each for each in results(records, KEYS, QUICK) if each.setting.own_trunk]
    assert all(each.reference.own_trunk and each.chosen for each in both) and len(both) == 1
    assert not any(each.reference.own_trunk for each in results(records, KEYS, QUICK) if not each.setting.own_trunk)


def test_a_longer_training_has_to_be_distinguishably_better():
    def setting(weight, steps, inner=5):
        return {
            "interpreter": {"lambda_aid": weight, "stages": {"finish": {"steps": steps}}, "inner": {"steps": inner}}
        }

    def chosen(short, long, inner=5):
        records = cells(BASE, "rts", {})
        for weight, (shift, steps) in enumerate(((short, 200), (long, 1000)), 1):
            world = replace(BASE, shift={"rts": 0.0, "rtsa": shift}, drift={"rts": 0.0, "rtsa": 0.001})
            records += cells(world, "rtsa", setting(float(weight), steps, inner))
        (found,) = [each for each in results(records, KEYS, QUICK) if each.chosen]
        return found.setting

    assert chosen(0.02, 0.02).passes == 200 * 11
    assert chosen(0.0, 0.03, inner=10).passes == 1000 * 16
    assert chosen(0.03, 0.0).passes == 200 * 11


def test_the_frontier_is_what_no_other_setting_beats_in_both():
    grid = {1.0: (0.0, 0.001), 2.0: (0.0, 0.01), 5.0: (0.02, 0.005), 20.0: (0.2, 0.3)}
    found = by_weight(results(calibration(grid), KEYS, QUICK))
    assert {weight for weight, each in found.items() if each.frontier} == {1.0, 5.0, 20.0}


def test_nothing_is_chosen_where_nothing_is_harmless():
    found = results(calibration({20.0: GRID[20.0]}), KEYS, QUICK)
    assert not found[0].chosen
    assert "No setting qualifies of resnet10t rtsa" in study_table(found).caption


def test_each_interpreter_gets_its_own_choice():
    records = [*calibration(), *calibration({5.0: (0.02, 0.0)}, "rtsa_anchored", 0.3)[2:]]
    chosen = [each.setting for each in results(records, KEYS, QUICK) if each.chosen]
    assert {each.interpreter: each.values["interpreter.kappa"] for each in chosen} == {
        "rtsa": None,
        "rtsa_anchored": 0.3,
    }


def test_test_split_is_never_looked_at():
    assert results(calibration(split="test"), KEYS, QUICK) == []


def test_a_setting_without_its_clean_cell_is_not_chosen():
    records = [r for r in calibration() if (r.cell["interpreter"], r.cell["probe"]) != ("rtsa", "clean")]
    found = results(records, KEYS, QUICK)
    assert {each.harmless for each in found} == {"too few samples"}
    assert not any(each.chosen or each.frontier for each in found) and np.isnan(found[0].cost)
    assert [point.number for point in points(found)] == [""]


def test_settings_that_the_keys_miss_are_an_error():
    with pytest.raises(ValueError, match="rtsa under adv2, clean cannot be told apart by the settings"):
        results(calibration(), ("interpreter.kappa",), QUICK)


def test_paths_may_start_at_config():
    found = results(calibration(), ("config.interpreter.lambda_aid",), QUICK)
    assert [each.setting.values["config.interpreter.lambda_aid"] for each in found] == [1.0, 20.0, 5.0]


def test_table():
    table = study_table(results(calibration(), KEYS, QUICK))
    assert table.columns[:5] == ["", "classifier", "interpreter", "lambda_aid", "kappa"]
    assert [row[-1] for row in table.rows].count("chosen") == 1
    assert "none" in markdown(table)
