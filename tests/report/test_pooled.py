"""Sets of trainings as trainings of one method: they count as many, whatever device they were made on."""

from __future__ import annotations

from dataclasses import asdict, replace

import pytest

from benchmark.report.claims.verdicts import judge
from benchmark.report.cohorts.grouping import grouped
from benchmark.report.cohorts.trainings import Trainings, pooled
from benchmark.report.compare.reference import Reference
from benchmark.report.compare.section import compare
from benchmark.report.statistics.bootstrap import Bootstrap
from tests.report.planted import World, trainings

FEW = Bootstrap(100)
PROBES = (("clean", None, 1), ("normal", 0.3, 1), ("adv2", None, 1))
SIX = trainings(World(n=160, between=0.01), ("rts", "rtsa"), PROBES, count=6)
for one in SIX:
    one.cell["checksums"] = {"samples.parquet": one.cell["name"]}


def part(seeds, device="cpu", renamed=None) -> Trainings:
    """Some of the six, made with other versions on a device of their own; ``renamed``: from seed to seed."""
    records = []
    for each in SIX:
        if each.cell["seed"] in seeds:
            seed = (renamed or {}).get(each.cell["seed"], each.cell["seed"])
            versions = {**each.cell["versions"], "torch": device}
            records.append(replace(each, cell={**each.cell, "seed": seed, "versions": versions, "device": device}))
    (group,) = grouped(records)
    return group


def numbers(found: Trainings) -> list[dict]:
    return [asdict(row) for row in judge(found, FEW).rows]


def test_two_sets_are_judged_as_their_trainings_together():
    (whole,) = grouped(SIX)
    both = pooled([part(range(3)), part(range(3, 6), "card")])
    assert both.seeds == list(range(6))
    assert both.seeds_in_words == "6 trainings (seeds 0 to 2 on cpu; seeds 3 to 5 on card)"
    for one, other in zip(numbers(both), numbers(whole), strict=True):
        assert one.keys() == other.keys()
        for name, value in one.items():
            assert value == (pytest.approx(other[name], nan_ok=True) if isinstance(value, float) else other[name]), name


def test_trainings_of_one_seed_on_two_devices_are_two():
    again = part(range(3, 6), "card", renamed={3: 0, 4: 1, 5: 2})
    both = pooled([part(range(3)), again])
    assert len(both.cohorts) == len(set(both.seeds)) == 6
    assert [line.verdict for line in judge(both, FEW).headlines] == [
        line.verdict for line in judge(pooled([part(range(3)), part(range(3, 6), "card")]), FEW).headlines
    ]
    assert {record.cell["seed"] for record in again.records} == {0, 1, 2}, "the set itself is as it was"


def test_a_report_gives_the_words_of_both_sides_together():
    own, others = part(range(3)), Reference("theirs", [part(range(3, 6), "card")])
    found = "\n".join(compare(own, judge(own, FEW), others, FEW).lines)
    joint = {line.claim: line.verdict for line in judge(pooled([own, *others.groups]), FEW).headlines}
    rows = [line for line in found.splitlines() if line.startswith("| ") and "(rtsa)" in line]
    assert "| together |" in found and len(rows) == len(joint)
    assert [row.rstrip(" |").rpartition("| ")[2] for row in rows] == list(joint.values())


def test_trainings_that_are_there_already_are_not_counted_twice():
    own = part(range(3))
    found = "\n".join(compare(own, judge(own, FEW), Reference("theirs", [part(range(6))]), FEW).lines)
    assert "verdict there" in found and "| together |" not in found


def test_a_training_with_one_cell_more_than_there_is_the_same_training():
    """Its other cells are those, to the byte."""
    own, fewer = part(range(3)), part(range(6))
    fewer = fewer.of_kinds([("rts", "clean", None, 1), ("rtsa", "clean", None, 1), ("rts", "adv2", None, 1)])
    found = "\n".join(compare(own, judge(own, FEW), Reference("theirs", [fewer]), FEW).lines)
    assert "verdict there" in found and "| together |" not in found
