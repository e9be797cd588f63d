"""Nothing unlike is pooled or paired."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from benchmark.report.claims.verdicts import judge
from benchmark.report.cohorts.cohort import objective_of
from benchmark.report.cohorts.grouping import grouped
from benchmark.report.cohorts.settings import differing, settings_of
from benchmark.report.statistics.bootstrap import Bootstrap
from tests.report.planted import World, record, sweep, trainings

SMALL = World(n=200)
PAIR = (("clean", None, 1), ("adv2", None, 1))


@pytest.mark.parametrize(
    "change",
    [
        {"budget": "authors"},
        {"data_seed": 1},
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
    cohorts = grouped(records)
    assert len(cohorts) == 2
    assert len({cohort.slug for cohort in cohorts}) == 2
    assert [row for cohort in cohorts for row in judge(cohort, Bootstrap(50)).rows] == []


def test_like_cells_do_meet():
    (cohort,) = grouped(sweep(SMALL, ("rts", "rtsa"), PAIR))
    assert judge(cohort, Bootstrap(50)).rows


def test_the_folder_of_the_data_is_no_setting():
    """The same set in two places: one cohort."""
    here, there = (sweep(SMALL, (name,), PAIR, config={"data": {"root": name}}) for name in ("rts", "rtsa"))
    assert len(grouped(here + there)) == 1
    assert len(grouped(here + sweep(SMALL, ("rts",), PAIR, config={"data": {"root": "x"}}))) == 2  # the cell's hash


def test_what_sets_nothing_is_no_setting():
    """A record from before stages and keys were there, one that says them without using them, and two that use them."""
    old = {"interpreter": {"blur": 4.0, "stages": {"start": {"steps": 9, "lr": 1}}}, "probe": {"name": "adv2"}}

    def newer(steps: int, classes: str):
        stages = {**old["interpreter"]["stages"], "warm": {"steps": steps, "module": {"lr": 2}}}
        interpreter = {**old["interpreter"], "warm_steps": steps, "stages": stages}
        return {"interpreter": interpreter, "probe": {"name": "adv2", "goal_classes": classes}}

    before, same, warm, fewer = (
        settings_of(sweep(SMALL, ("rts",), PAIR, config=config)[0])
        for config in (old, newer(0, "all"), newer(5, "all"), newer(0, "trained"))
    )
    assert same == before
    assert differing([before, fewer]) == ["probe.goal_classes"]
    assert warm.keys() - before.keys() == {
        "interpreter.warm_steps",
        "interpreter.stages.warm.steps",
        "interpreter.stages.warm.module.lr",
    }


def test_failed_cells_are_left_out():
    records = sweep(SMALL, ("rts",), PAIR)
    records[0].cell["status"] = "failed"
    (cohort,) = grouped(records)
    assert [one.cell["probe"] for one in cohort.records] == ["adv2"]


def test_a_swept_setting_makes_a_cohort_each_and_shares_the_reference():
    records = sweep(SMALL, ("rts",), PAIR)
    for weight in (1.0, 5.0):
        config = {"interpreter": {"lambda_aid": weight, "stages": {"finish": {"lambda_aid": weight}}}}
        records += sweep(SMALL, ("rtsa",), PAIR, config=config)
    cohorts = grouped(records)
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
    cohorts = grouped(records)
    assert [cohort.settings["probe.epsilon"] for cohort in cohorts] == [0.01, 8 / 255]
    assert all(len(cohort.records) == 4 for cohort in cohorts)


def test_cells_that_differ_in_nothing_known_are_kept_apart():
    records = sweep(SMALL, ("rts",), PAIR)
    twin = record(SMALL, "rts", "adv2", cell="other")
    twin.folder = twin.folder.with_name("other")
    assert len(grouped([*records, twin])) == 2


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
    (cohort,) = grouped(sweep(SMALL))
    assert cohort.interpreters == ["rts", "rtsa", "rtsa_anchored"]
    assert cohort.noises == [("normal", 0.03), ("normal", 0.3), ("uniform", 0.03), ("uniform", 0.3)]


def test_seeds_of_one_setting_are_one_group():
    (group,) = grouped(trainings(SMALL, ("rts", "rtsa"), PAIR, count=4))
    assert group.seeds == [0, 1, 2, 3]
    assert group.title.count("4 trainings (seeds 0 to 3)") == 1
    assert [len(group.cells("rtsa", probe)) for probe in ("clean", "adv2")] == [4, 4]
    assert group.classifiers == 4


@pytest.mark.parametrize(
    "change",
    [
        {"budget": "authors"},
        {"data_seed": 1},
        {"versions": {"underfire": "0.2.0"}},
        {"artefacts": {"data": "d1", "classifier": "c1"}},
        {"config": {"interpreter": {"lambda_aid": 5.0}}},
        {"config": {"probe": {"epsilon": 0.01}}},
        {"config": {"classifier": {"training": {"epochs": 9}}}},
    ],
)
def test_seeds_of_other_settings_are_not_pooled(change):
    """Another seed and something else: a group each."""
    other = {"seed": 1, "artefacts": {"data": "d0", "classifier": "c1"}, **change}
    groups = grouped(sweep(SMALL, ("rts", "rtsa"), PAIR) + sweep(SMALL, ("rts", "rtsa"), PAIR, **other))
    assert [group.seeds for group in groups] == [[0], [1]]


def test_trainings_of_each_value_of_a_swept_setting():
    """A sweep over weight and seed, of which one training is missing: a group each value, with the seeds it has."""
    records = trainings(SMALL, ("rts",), PAIR)
    for weight, count in ((1.0, 3), (5.0, 2)):
        for seed in range(count):
            config = {"interpreter": {"lambda_aid": weight, "seed": seed}, "probe": {"seed": seed}}
            own = {"seed": seed, "artefacts": {"data": "d0", "classifier": f"c{seed}"}}
            records += sweep(SMALL, ("rtsa",), PAIR, config=config, **own)
    groups = grouped(records)
    assert {group.settings["interpreter.lambda_aid"]: group.seeds for group in groups} == {1.0: [0, 1, 2], 5.0: [0, 1]}
    assert all(len(group.cells("rts", "adv2")) == len(group.seeds) for group in groups)


def test_a_study_of_many_settings_is_grouped_by_what_was_computed():
    """Twenty settings, each moved alone: as many cohorts as settings, though their values have 2^20 combinations."""
    names = [f"setting_{number}" for number in range(20)]
    records = sweep(SMALL, ("rts",), PAIR)
    for moved in [None, *names]:
        config = {"interpreter": {name: int(name == moved) for name in names}}
        records += sweep(SMALL, ("rtsa",), PAIR, config=config)
    groups = grouped(records)
    assert len(groups) == 21
    for group in groups:
        assert len(group.cells("rts", "adv2")) == len(group.cells("rtsa", "adv2")) == 1
        assert sum(group.settings.values()) <= 1


@pytest.mark.parametrize("place", ["classifier", "probe.surrogate", "interpreter.encoder"])
@pytest.mark.parametrize("training", ["training", "training.start"])
def test_a_record_from_before_the_optimizer_was_a_key_is_of_the_usual_one(place, training):
    """Of any classifier in the configuration, and of the network that an adversarial training starts from."""

    def leaves(**module):
        nested = module
        for name in reversed([*place.split("."), *training.split("."), "module"]):
            nested = {name: nested}
        return settings_of(SimpleNamespace(cell={"config": nested}))

    before, usual, other = leaves(lr=0.1), leaves(lr=0.1, optimizer="adamw"), leaves(lr=0.1, optimizer="sgd")
    assert before == usual
    assert differing([before, other]) == [f"{place}.{training}.module.optimizer"]
