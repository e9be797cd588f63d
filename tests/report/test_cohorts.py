"""Nothing unlike is pooled or paired."""

from __future__ import annotations

import pytest

from benchmark.report.claims.verdicts import judge
from benchmark.report.cohorts.cohort import objective_of
from benchmark.report.cohorts.grouping import cohorts_of
from benchmark.report.cohorts.settings import differing
from benchmark.report.statistics.bootstrap import Bootstrap
from tests.report.planted import World, record, sweep

SMALL = World(n=200)
PAIR = (("clean", None, 1), ("adv2", None, 1))


@pytest.mark.parametrize(
    "change",
    [
        {"budget": "authors"},
        {"data_seed": 1},
        {"seed": 1},
        {"data": "cifar10"},
        {"classifier": "resnet50"},
        {"split": "calibration"},
        {"versions": {"underfire": "0.2.0"}},
        {"artefacts": {"data": "d0", "classifier": "c1"}},
    ],
)
def test_unlike_cells_never_meet(change):
    """RTS of one kind and RTSA of another: two cohorts, and no comparison in either."""
    records = sweep(SMALL, ("rts",), PAIR) + sweep(SMALL, ("rtsa",), PAIR, **change)
    cohorts = cohorts_of(records)
    assert len(cohorts) == 2
    assert len({cohort.slug for cohort in cohorts}) == 2
    assert [row for cohort in cohorts for row in judge(cohort, Bootstrap(50)).rows] == []


def test_like_cells_do_meet():
    (cohort,) = cohorts_of(sweep(SMALL, ("rts", "rtsa"), PAIR))
    assert judge(cohort, Bootstrap(50)).rows


def test_failed_cells_are_left_out():
    records = sweep(SMALL, ("rts",), PAIR)
    records[0].cell["status"] = "failed"
    (cohort,) = cohorts_of(records)
    assert [one.cell["probe"] for one in cohort.records] == ["adv2"]


def test_a_swept_setting_makes_a_cohort_each_and_shares_the_reference():
    records = sweep(SMALL, ("rts",), PAIR)
    for weight in (1.0, 5.0):
        config = {"interpreter": {"lambda_aid": weight, "stages": {"finish": {"lambda_aid": weight}}}}
        records += sweep(SMALL, ("rtsa",), PAIR, config=config)
    cohorts = cohorts_of(records)
    assert [cohort.settings for cohort in cohorts] == [
        {"interpreter.lambda_aid": 1.0},
        {"interpreter.lambda_aid": 5.0},
    ]
    assert [len(cohort.records) for cohort in cohorts] == [4, 4]
    assert all(judge(cohort, Bootstrap(50)).rows for cohort in cohorts)


def test_a_swept_radius_concerns_its_attack_alone():
    records = sweep(SMALL, ("rts", "rtsa"), PAIR)
    for name in ("rts", "rtsa"):
        records.append(record(SMALL, name, "adv2", cell=f"{name}-small", config={"probe": {"epsilon": 0.01}}))
        records[-1].folder = records[-1].folder.with_name(f"{name}-small")
    cohorts = cohorts_of(records)
    assert [cohort.settings["probe.epsilon"] for cohort in cohorts] == [0.01, 8 / 255]
    assert all(len(cohort.records) == 4 for cohort in cohorts)


def test_cells_that_differ_in_nothing_known_are_kept_apart():
    records = sweep(SMALL, ("rts",), PAIR)
    twin = record(SMALL, "rts", "adv2", cell="other")
    twin.folder = twin.folder.with_name("other")
    assert len(cohorts_of([*records, twin])) == 2


def test_settings_that_vary_together_are_named_once():
    settings = [
        {"budget.steps": n, "probe.steps": n, "probe.module.attack.steps": n, "probe.epsilon": 0.1} for n in (5, 10)
    ]
    assert differing(settings) == ["probe.steps"]
    assert differing([{"a": 1}, {"a": 1}]) == []
    assert differing([{"a": None}, {"a": 1, "b": 2}, {"a": 1, "b": 3}]) == ["a", "b"]


def test_objectives_are_named():
    assert [objective_of(name) for name in ("rtsa", "rtsa_anchored", "rtsa_mine")] == ["paper", "anchored", "mine"]


def test_order_of_interpreters_and_noises():
    (cohort,) = cohorts_of(sweep(SMALL))
    assert cohort.interpreters == ["rts", "rtsa", "rtsa_anchored"]
    assert cohort.noises == [("normal", 0.03), ("normal", 0.3), ("uniform", 0.03), ("uniform", 0.3)]
