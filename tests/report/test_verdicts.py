"""Verdicts on planted worlds: every effect that was put in must come out, and none that was not."""

from __future__ import annotations

import json
from dataclasses import fields, replace

import numpy as np
import pandas as pd
import pytest

from benchmark.report.claims.rows import ClaimRow
from benchmark.report.claims.verdicts import judge, write_verdicts
from benchmark.report.cohorts.grouping import grouped
from benchmark.report.cohorts.strongest import strongest
from benchmark.report.statistics.bootstrap import Bootstrap
from tests.report.planted import PROBES, World, record, trainings

BIG = World(n=1200)


def verdicts(records):
    (group,) = grouped(records)
    return judge(group, Bootstrap(300))


def samples_of(interpreter, probe, level=None):
    """The rows of all trainings."""
    cells = trainings(BIG, (interpreter,), ((probe, level, 1),))
    return pd.concat([one.samples.assign(training=one.cell["seed"]) for one in cells], ignore_index=True)


def pick(found, **wanted):
    rows = [row for row in found.rows if all(getattr(row, name) == value for name, value in wanted.items())]
    assert len(rows) == 1, f"{len(rows)} rows match {wanted}"
    return rows[0]


def headline(found, claim, objective="paper"):
    return next(line for line in found.headlines if (line.claim, line.objective) == (claim, objective))


@pytest.fixture(scope="module")
def usual():
    return verdicts(trainings(BIG))


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
    ("shift", "verdict", "word"), [(0.06, "holds", "reproduced ("), (-0.06, "does not hold", "not reproduced here")]
)
def test_direction_decides(shift, verdict, word):
    world = replace(BIG, shift={"rts": 0.06, "rtsa": 0.06 + shift})
    found = verdicts(trainings(world, ("rts", "rtsa")))
    for claim, wanted in (("noise", NOISE), ("attack", ATTACK)):
        assert pick(found, **wanted).verdict == verdict
        line = headline(found, claim)
        if (claim, verdict) == ("attack", "holds"):  # RTS's own maps are beyond its spread: joint success cannot fall
            assert line.verdict == "moves further, yet does not give it away"
            assert "which is less than the paper says (" in line.sentence and "reproduced" not in line.sentence
        else:
            assert line.verdict == verdict
            assert word in line.sentence


def test_no_effect_is_not_distinguishable():
    found = verdicts(trainings(replace(BIG, shift={"rts": 0.06, "rtsa": 0.06}), ("rts", "rtsa")))
    assert pick(found, **ATTACK).verdict == "not distinguishable"
    assert headline(found, "attack").verdict == "not distinguishable"
    assert "eproduced" not in headline(found, "attack").sentence


def test_few_samples_get_no_verdict():
    found = verdicts(trainings(World(n=400)))
    row = pick(found, objective="paper", **{**NOISE, "level": 0.03})
    assert row.n < 30 * row.trainings
    assert row.verdict == "too few samples"
    assert headline(found, "noise").verdict == "too few samples"


def test_added_sensitivity_is_no_sensitivity_to_the_class():
    """RTSA moves more everywhere: L1 on wrong samples grows, the sharper form and the controls say why."""
    world = replace(BIG, shift={"rts": 0.0, "rtsa": 0.0}, everywhere=0.05)
    found = verdicts(trainings(world, ("rts", "rtsa")))
    assert pick(found, **NOISE).verdict == "holds"
    sharper = pick(found, claim="noise", population="wrong - right", probe="normal", level=0.3)
    assert sharper.verdict == "not distinguishable"
    assert abs(sharper.difference) < 0.005
    assert pick(found, claim="noise", population="right", probe="normal", level=0.3).difference > 0.04
    assert pick(found, claim="noise", probe="sign").verdict == "holds"
    sharper = [row for row in found.rows if row.claim == "noise" and row.population == "wrong - right"]
    assert [row.verdict for row in sharper].count("not distinguishable") >= 3  # of 4 tests at 5 %


def test_difference_in_differences_by_hand(usual):
    row = pick(usual, objective="paper", claim="noise", population="wrong - right", probe="uniform", level=0.3)
    value, reference = samples_of("rtsa", "uniform", 0.3), samples_of("rts", "uniform", 0.3)
    value["difference"] = value["map_l1"] - reference["map_l1"]
    means = value.groupby(["training", "success"])["difference"].mean().unstack()
    assert row.difference == pytest.approx((means[True] - means[False]).mean(), abs=1e-5)
    assert row.n == min(value["success"].sum(), (~value["success"]).sum())


def test_class_change_control(usual):
    row = pick(usual, objective="paper", metric="class_excess", probe="normal", level=0.3)
    assert row.low <= 0.06 <= row.high
    assert row.ratio is None
    control = pick(usual, objective="paper", metric="control_class_l1", probe="normal", level=0.3)
    assert abs(control.difference) < 0.005


def test_nulls_are_left_out_and_said(usual):
    row = pick(usual, objective="paper", metric="spearman_distance", claim="attack", role="secondary")
    assert row.n < 1800
    assert f"{1800 - row.n} samples without a value left out" in row.note


@pytest.mark.parametrize(
    ("drift", "verdict"), [(0.005, "holds"), (0.1, "does not hold"), (0.02, "not distinguishable")]
)
def test_harmless_is_an_equivalence(drift, verdict):
    found = verdicts(trainings(replace(BIG, drift={"rts": 0.0, "rtsa": drift}), ("rts", "rtsa")))
    assert pick(found, **WHOLE).verdict == verdict
    assert headline(found, "harmless").verdict == verdict
    assert pick(found, claim="harmless", metric="reference_l1").verdict == verdict


def test_harmless_without_masks():
    world = replace(BIG, masks=False, drift={"rts": 0.0, "rtsa": 0.0})
    found = verdicts(trainings(world, ("rts", "rtsa")))
    assert not [row for row in found.rows if row.metric == "object_iou"]
    assert pick(found, **WHOLE).verdict == "holds"
    assert "No object masks" in pick(found, **WHOLE).note


def test_harmless_is_not_said_of_what_was_not_measured():
    records = trainings(replace(BIG, drift={"rts": 0.0, "rtsa": 0.0}), ("rts", "rtsa"))
    for one in records:
        if one.cell["probe"] == "clean":
            one.samples["deletion"] = np.nan
    found = verdicts(records)
    assert pick(found, **WHOLE).verdict == "too few samples"
    assert "Not measured: deletion" in pick(found, **WHOLE).note


def test_success_differs():
    records = trainings(BIG, ("rts", "rtsa"))
    for one in records:
        if one.cell["interpreter"] == "rtsa" and one.cell["probe"] in ("pgd", "adv2", "adv2_auto"):
            one.samples["success"] &= one.samples["sample_id"] % 2 == 0
    found = verdicts(records)
    assert "success differs" in pick(found, **ATTACK).note
    assert "success differs" in headline(found, "attack").sentence
    assert pick(found, claim="attack", metric="success", role="control").verdict == "does not hold"
    assert "success differs" not in pick(verdicts(trainings(BIG, ("rts", "rtsa"))), **ATTACK).note


def test_both_succeed_is_the_secondary_population(usual):
    row = pick(usual, objective="paper", claim="attack", role="secondary", population="both succeed", probe="strongest")
    reached = [samples_of("rts", probe)["success"] for probe in ("pgd", "adv2", "adv2_auto")]
    assert row.n == (reached[0] | reached[1] | reached[2]).sum()


def test_premise_on_rts(usual):
    row = pick(usual, role="premise")
    adv2, pgd = (samples_of("rts", probe).groupby("training")["map_l1"].mean() for probe in ("adv2", "pgd"))
    assert row.ratio == pytest.approx((adv2 / pgd).mean(), abs=1e-4)
    assert row.objective == "rts"


def test_reproduced_is_said_of_the_papers_objective_alone(usual):
    for line in usual.headlines:
        if line.objective != "paper":
            assert "eproduced" not in line.sentence
    assert headline(usual, "noise").sentence.count("reproduced") == 1


def test_incomplete_noise_is_not_reproduced():
    found = verdicts(trainings(BIG, ("rts", "rtsa"), (("normal", 0.3, 1),)))
    sentence = headline(found, "noise").sentence
    assert "holds over 3 trainings, where it was measured" in sentence
    assert "Not measured: normal 3 %, uniform 3 %, uniform 30 %" in sentence
    assert headline(found, "attack").verdict == "not measured"
    assert headline(found, "harmless").verdict == "not measured"


def test_other_objectives_are_judged_too():
    world = World(shift={"rts": 0.0, "rtsa_mine": 0.05}, drift={"rts": 0.0, "rtsa_mine": 0.0})
    found = verdicts(trainings(world, ("rts", "rtsa_mine")))
    assert {line.objective for line in found.headlines} == {"mine"}


def test_without_rtsa_or_without_rts():
    assert verdicts(trainings(World(), ("rts",))).headlines == []
    found = verdicts(trainings(World(), ("rtsa",)))
    assert {line.verdict for line in found.headlines} == {"not measured"}
    assert found.rows == []


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
    assert row.n == 500
    assert "100 samples without a counterpart left out" in row.note


def test_order_of_rows_does_not_matter(usual):
    records = trainings(BIG)
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


@pytest.mark.parametrize(
    ("shift", "word", "said"),
    [
        (0.06, "gives the attack away", "over 3 trainings, reproduced ("),
        (0.01, "moves further, yet does not give it away", "which is less than the paper says"),
        (0.0, "not distinguishable", "not distinguishable over 3 trainings ("),
        (-0.02, "does not hold", "not reproduced here"),
    ],
)
def test_three_wordings_of_claim_2(shift, word, said):
    world = World(n=600, shift={"rts": 0.0, "rtsa": shift})
    found = verdicts(trainings(world, ("rts", "rtsa"), (("clean", None, 1), *PROBES[-3:])))
    line = headline(found, "attack")
    assert line.verdict == word
    assert said in line.sentence
    assert ("reproduced" in line.sentence.replace("not reproduced", "")) is (shift == 0.06)
    assert "best of adv2, adv2_auto, pgd, 420 passes an image" in line.sentence


def test_effects_by_hand():
    (group,) = grouped(trainings(World(n=600), ("rts", "rtsa"), (("clean", None, 1), ("adv2", None, 1))))
    found = judge(group, Bootstrap(100))
    cells = {one.cell["seed"]: one.samples for one in group.cells("rtsa", "adv2")}
    clean = {one.cell["seed"]: one.samples for one in group.cells("rtsa", "clean")}
    joint, auc = [], []
    for seed, rows in cells.items():
        joint.append((rows["success"] & rows["looks_benign"]).mean())
        adversarial = rows.loc[rows["success"], "map_l1"].to_numpy()
        harmless = clean[seed][["harmless_noise_l1", "harmless_shift_l1"]].to_numpy().ravel()
        auc.append((adversarial[:, None] > harmless).mean())
    assert pick(found, metric="joint_success").value == pytest.approx(np.mean(joint), abs=1e-5)
    assert pick(found, metric="pair_alarm_auc").value == pytest.approx(np.mean(auc), abs=1e-5)


def test_without_harmless_pairs_nothing_is_said_of_the_alarm():
    records = trainings(World(n=600), ("rts", "rtsa"), (("clean", None, 1), ("adv2", None, 1)))
    for one in records:
        if one.cell["probe"] == "clean":
            one.samples = one.samples.drop(columns=["harmless_noise_l1", "harmless_shift_l1"])
    line = headline(verdicts(records), "attack")
    assert line.verdict == "moves further"
    assert "Pair alarm: not measured" in line.sentence and "reproduced" not in line.sentence


def test_the_strongest_attack_is_the_best_for_each_sample():
    adv2, auto = (record(World(n=200), "rts", probe) for probe in ("adv2", "adv2_auto"))
    ids = adv2.samples["sample_id"]
    adv2.samples["success"], auto.samples["success"] = ids % 2 == 0, ids % 3 == 0
    adv2.samples["map_l1"], auto.samples["map_l1"] = 0.1, np.where(auto.samples["sample_id"] % 4 == 0, 0.2, 0.05)
    best = strongest([adv2, auto]).samples.set_index("sample_id")
    for i, row in best.iterrows():
        tried = [(i % 2 == 0, 0.1, "adv2"), (i % 3 == 0, 0.2 if i % 4 == 0 else 0.05, "adv2_auto")]
        success, distance, name = min(tried, key=lambda one: (not one[0], one[1]))
        assert (row["success"], row["map_l1"], row["attack"], row["passes"]) == (success, distance, name, 360.0)


def test_a_sound_attack_is_not_withheld_by_a_broken_one():
    records = trainings(World(n=600), ("rts", "rtsa"), (("clean", None, 1), *PROBES[-3:]))
    for one in records:
        if one.cell["probe"] == "adv2":
            one.cell["flags"] = ["zero_gradient"]
    assert headline(verdicts(records), "attack").verdict == "gives the attack away"


@pytest.mark.parametrize(("count", "word"), [(1, "in this training"), (2, "too few trainings"), (3, "holds")])
def test_a_verdict_takes_three_trainings(count, word):
    found = verdicts(trainings(BIG, ("rts", "rtsa"), count=count))
    line = headline(found, "noise")
    assert line.verdict == word
    if count < 3:
        assert not {row.verdict for row in found.rows} & {"holds", "does not hold", "not distinguishable"}
        assert "holds" not in line.sentence and "reproduced" not in line.sentence
        assert {row.p_holm for row in found.rows if row.role == "overall"} == {None}


def test_trainings_that_disagree_give_no_verdict():
    """Every training is sure of itself (0.02 apart, half-widths of 0.002); together they are not."""
    world = World(n=1000, shift={"rts": 0.06, "rtsa": 0.07}, between=0.03)
    records = trainings(world, ("rts", "rtsa"), count=5)
    row = pick(verdicts(records), **ATTACK)
    assert row.verdict == "not distinguishable"
    assert row.share_trainings > 0.9
    alone = [verdicts([one for one in records if one.cell["seed"] == seed]) for seed in range(5)]
    assert any(pick(found, **ATTACK).low > 0 for found in alone)


def test_only_trainings_with_both_cells_count():
    records = trainings(World(n=600), ("rts", "rtsa"), count=4)
    records = [one for one in records if (one.cell["seed"], one.cell["interpreter"]) != (2, "rtsa")]
    row = pick(verdicts(records), **ATTACK)
    assert (row.trainings, row.seeds) == (3, [0, 1, 2, 3])
    assert "3 of 4 trainings have both cells" in row.note


def test_holm_takes_a_word_away():
    """Six claims: one that barely holds does not, once it is one of six."""
    world = World(n=600, shift={"rts": 0.06, "rtsa": 0.0675, "rtsa_anchored": 0.06}, between=0.004)
    found = verdicts(trainings(world, probes=(("clean", None, 1), *PROBES[-3:])))
    line = headline(found, "attack")
    assert line.p_holm >= line.p
    by_hand = sorted(one.p for one in found.headlines if one.p is not None)
    assert min(one.p_holm for one in found.headlines if one.p is not None) == min(1.0, len(by_hand) * by_hand[0])
    for one in found.headlines:
        if one.p_holm is not None and one.p_holm > 0.05:
            assert one.verdict == "not distinguishable"
