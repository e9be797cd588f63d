"""Verdicts on planted worlds: every effect that was put in must come out, and none that was not."""

from __future__ import annotations

import json
from dataclasses import fields, replace

import numpy as np
import pytest

from benchmark.report.claims.rows import ClaimRow
from benchmark.report.claims.verdicts import judge, write_verdicts
from benchmark.report.cohorts.grouping import cohorts_of
from benchmark.report.statistics.bootstrap import Bootstrap
from tests.report.planted import PROBES, World, record, sweep

BIG = World(n=2000)


def verdicts(records):
    (cohort,) = cohorts_of(records)
    return judge(cohort, Bootstrap(300))


def pick(found, **wanted):
    rows = [row for row in found.rows if all(getattr(row, name) == value for name, value in wanted.items())]
    assert len(rows) == 1, f"{len(rows)} rows match {wanted}"
    return rows[0]


def headline(found, claim, objective="paper"):
    return next(line for line in found.headlines if (line.claim, line.objective) == (claim, objective))


@pytest.fixture(scope="module")
def usual():
    return verdicts(sweep(BIG))


NOISE = {"claim": "noise", "role": "primary", "metric": "map_l1", "probe": "normal", "level": 0.3}
ATTACK = {"claim": "attack", "role": "primary", "metric": "map_l1"}
WHOLE = {"claim": "harmless", "role": "overall"}


def test_planted_differences_are_recovered(usual):
    for objective, shift in (("paper", 0.06), ("anchored", 0.03)):
        for wanted in (NOISE, ATTACK):
            row = pick(usual, objective=objective, **wanted)
            assert row.low <= shift <= row.high
            assert row.verdict == "holds"
            assert row.ratio_low <= row.value / row.reference <= row.ratio_high
            assert row.difference == pytest.approx(row.value - row.reference, abs=1e-5)


@pytest.mark.parametrize(
    ("shift", "verdict", "word"), [(0.06, "holds", "reproduced."), (-0.06, "does not hold", "not reproduced here")]
)
def test_direction_decides(shift, verdict, word):
    world = replace(BIG, shift={"rts": 0.06, "rtsa": 0.06 + shift})
    found = verdicts(sweep(world, ("rts", "rtsa")))
    for claim, wanted in (("noise", NOISE), ("attack", ATTACK)):
        assert pick(found, **wanted).verdict == verdict
        assert headline(found, claim).verdict == verdict
        assert word in headline(found, claim).sentence


def test_no_effect_is_not_distinguishable():
    found = verdicts(sweep(replace(BIG, shift={"rts": 0.06, "rtsa": 0.06}), ("rts", "rtsa")))
    assert pick(found, **ATTACK).verdict == "not distinguishable"
    assert headline(found, "attack").verdict == "not distinguishable"
    assert "eproduced" not in headline(found, "attack").sentence


def test_few_samples_get_no_verdict():
    found = verdicts(sweep(World(n=400)))
    row = pick(found, objective="paper", **{**NOISE, "level": 0.03})
    assert row.n < 30
    assert row.verdict == "too few samples"
    assert headline(found, "noise").verdict == "too few samples"


def test_added_sensitivity_is_no_sensitivity_to_the_class():
    """RTSA moves more everywhere: L1 on wrong samples grows, the sharper form and the controls say why."""
    world = replace(BIG, shift={"rts": 0.0, "rtsa": 0.0}, everywhere=0.05)
    found = verdicts(sweep(world, ("rts", "rtsa")))
    assert pick(found, **NOISE).verdict == "holds"
    sharper = pick(found, claim="noise", population="wrong - right", probe="normal", level=0.3)
    assert sharper.verdict == "not distinguishable"
    assert abs(sharper.difference) < 0.005
    assert pick(found, claim="noise", population="right", probe="normal", level=0.3).difference > 0.04
    assert pick(found, claim="noise", probe="sign").verdict == "holds"
    assert "wrong - right) not distinguishable in" in headline(found, "noise").sentence


def test_difference_in_differences_by_hand(usual):
    row = pick(usual, objective="paper", claim="noise", population="wrong - right", probe="uniform", level=0.3)
    value, reference = record(BIG, "rtsa", "uniform", 0.3).samples, record(BIG, "rts", "uniform", 0.3).samples
    difference = value["map_l1"] - reference["map_l1"]
    expected = difference[value["success"]].mean() - difference[~value["success"]].mean()
    assert row.difference == pytest.approx(expected, abs=1e-5)
    assert row.n == min(value["success"].sum(), (~value["success"]).sum())


def test_class_change_control(usual):
    row = pick(usual, objective="paper", metric="class_excess", probe="normal", level=0.3)
    assert row.low <= 0.06 <= row.high
    assert row.ratio is None
    control = pick(usual, objective="paper", metric="control_class_l1", probe="normal", level=0.3)
    assert abs(control.difference) < 0.005


def test_nulls_are_left_out_and_said(usual):
    row = pick(usual, objective="paper", metric="spearman_distance", claim="attack", role="secondary")
    assert row.n < 1000
    assert f"{1000 - row.n} samples without a value left out" in row.note


@pytest.mark.parametrize(
    ("drift", "verdict"), [(0.005, "holds"), (0.1, "does not hold"), (0.02, "not distinguishable")]
)
def test_harmless_is_an_equivalence(drift, verdict):
    found = verdicts(sweep(replace(BIG, drift={"rts": 0.0, "rtsa": drift}), ("rts", "rtsa")))
    assert pick(found, **WHOLE).verdict == verdict
    assert headline(found, "harmless").verdict == verdict
    assert pick(found, claim="harmless", metric="reference_l1").verdict == verdict


def test_harmless_without_masks():
    world = replace(BIG, masks=False, drift={"rts": 0.0, "rtsa": 0.0})
    found = verdicts(sweep(world, ("rts", "rtsa")))
    assert not [row for row in found.rows if row.metric == "object_iou"]
    assert pick(found, **WHOLE).verdict == "holds"
    assert "no object masks" in pick(found, **WHOLE).note


def test_harmless_is_not_said_of_what_was_not_measured():
    records = sweep(replace(BIG, drift={"rts": 0.0, "rtsa": 0.0}), ("rts", "rtsa"))
    for one in records:
        if one.cell["probe"] == "clean":
            one.samples["deletion"] = np.nan
    found = verdicts(records)
    assert pick(found, **WHOLE).verdict == "too few samples"
    assert "not measured: deletion" in pick(found, **WHOLE).note


def test_success_differs():
    records = sweep(BIG, ("rts", "rtsa"))
    for one in records:
        if (one.cell["interpreter"], one.cell["probe"]) == ("rtsa", "adv2"):
            one.samples["success"] &= one.samples["sample_id"] % 2 == 0
    found = verdicts(records)
    assert "success differs" in pick(found, **ATTACK).note
    assert "success differs" in headline(found, "attack").sentence
    assert pick(found, claim="attack", metric="success", role="control").verdict == "does not hold"
    assert "success differs" not in pick(verdicts(sweep(BIG, ("rts", "rtsa"))), **ATTACK).note


def test_both_succeed_is_the_secondary_population(usual):
    row = pick(usual, objective="paper", claim="attack", role="secondary", population="both succeed")
    assert row.n == record(BIG, "rts", "adv2").samples["success"].sum()


@pytest.mark.parametrize(("factor", "said"), [(0.97, False), (0.85, True), (1.15, True)])
def test_convergence(factor, said):
    found = verdicts(sweep(replace(BIG, many_steps=factor), ("rts", "rtsa")))
    assert ("not converged" in pick(found, **ATTACK).note) is said
    assert ("not converged" in headline(found, "attack").sentence) is said
    (row,) = [r for r in found.rows if r.role == "convergence" and r.metric.endswith("rtsa")]
    assert row.ratio == pytest.approx(factor, abs=1e-3)
    assert row.n == 100
    longer = pick(found, claim="attack", steps_factor=10, metric="map_l1", population="all")
    assert longer.difference == pytest.approx(0.06 * factor, abs=0.005)


def test_convergence_not_measured():
    found = verdicts(sweep(BIG, ("rts", "rtsa"), tuple(p for p in PROBES if p[2] == 1)))
    assert "convergence not measured" in pick(found, **ATTACK).note
    sentence = headline(found, "attack").sentence
    assert "holds at the stated steps (convergence not measured" in sentence
    assert "reproduced" not in sentence


def test_premise_on_rts(usual):
    row = pick(usual, role="premise")
    adv2, pgd = (record(BIG, "rts", probe).samples["map_l1"] for probe in ("adv2", "pgd"))
    assert row.ratio == pytest.approx(adv2.mean() / pgd.mean(), abs=1e-4)
    assert row.objective == "rts"


def test_reproduced_is_said_of_the_papers_objective_alone(usual):
    for line in usual.headlines:
        if line.objective != "paper":
            assert "eproduced" not in line.sentence
    assert headline(usual, "noise").sentence.count("reproduced") == 1


def test_incomplete_noise_is_not_reproduced():
    found = verdicts(sweep(BIG, ("rts", "rtsa"), (("normal", 0.3, 1),)))
    sentence = headline(found, "noise").sentence
    assert "holds where it was measured" in sentence
    assert "Not measured: normal 3 %, uniform 3 %, uniform 30 %" in sentence
    assert headline(found, "attack").verdict == "not measured"
    assert headline(found, "harmless").verdict == "not measured"


def test_other_objectives_are_judged_too():
    world = World(shift={"rts": 0.0, "rtsa_mine": 0.05}, drift={"rts": 0.0, "rtsa_mine": 0.0})
    found = verdicts(sweep(world, ("rts", "rtsa_mine")))
    assert {line.objective for line in found.headlines} == {"mine"}


def test_without_rtsa_or_without_rts():
    assert verdicts(sweep(World(), ("rts",))).headlines == []
    found = verdicts(sweep(World(), ("rtsa",)))
    assert {line.verdict for line in found.headlines} == {"not measured"}
    assert {row.role for row in found.rows} == {"convergence"}  # RTSA's own, which needs no reference


def test_unlike_attacks_are_not_compared():
    records = [
        record(BIG, "rts", "adv2"),
        record(BIG, "rtsa", "adv2", config={"probe": {"epsilon": 4 / 255}}),
    ]
    found = verdicts(records)
    assert headline(found, "attack").verdict == "not measured"
    assert not [row for row in found.rows if row.claim == "attack"]
    tuned = verdicts([record(BIG, "rts", "adv2"), record(BIG, "rtsa", "adv2", config={"probe": {"weight": 40}})])
    assert "weight 40 against None" in pick(tuned, **ATTACK).note


def test_unequal_training_is_said():
    stages = {"stages": {"finish": {"steps": 375}}}
    records = [record(BIG, "rts", "adv2", config={"interpreter": stages})]
    longer = {"stages": {"finish": {"steps": 500}}}
    found = verdicts([*records, record(BIG, "rtsa", "adv2", config={"interpreter": longer})])
    assert "unequal training budgets (stages.finish.steps 500 against 375)" in pick(found, **ATTACK).note
    assert "unequal training budgets" in headline(found, "attack").sentence


def test_the_inner_attack_is_no_training_budget():
    records = []
    for name, attack in (("rts", None), ("rtsa", {"steps": 5})):
        stages = {"finish": {"steps": 375, "module": {"lr": 0.001, "attack": attack}}}
        records.append(record(BIG, name, "adv2", config={"interpreter": {"seed": 0, "stages": stages}}))
    assert "unequal" not in pick(verdicts(records), **ATTACK).note


def test_other_goals_are_not_paired():
    records = [record(BIG, "rts", "adv2"), record(BIG, "rtsa", "adv2")]
    records[1].samples.loc[:99, "goal"] += 1
    row = pick(verdicts(records), **ATTACK)
    assert row.n == 900
    assert "100 samples without a counterpart left out" in row.note


def test_order_of_rows_does_not_matter(usual):
    records = sweep(BIG)
    for one in records:
        one.samples = one.samples.sample(frac=1, random_state=3).reset_index(drop=True)
    assert verdicts(records).rows == usual.rows


def test_a_row_comes_back_from_strict_json(usual, tmp_path):
    write_verdicts(tmp_path / "report" / "verdicts.json", usual.rows)

    def refuse(token):
        raise AssertionError(f"{token} is no JSON")

    written = json.loads((tmp_path / "report" / "verdicts.json").read_text(), parse_constant=refuse)
    assert [ClaimRow(**row) for row in written] == usual.rows
    assert list(written[0]) == [field.name for field in fields(ClaimRow)]
    assert pick(usual, objective="paper", **WHOLE).difference is None
