"""A direct attack that images made against another network beat is flagged, and no verdict stands without saying so."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmark.report.build import build_report
from benchmark.report.claims.verdicts import judge
from benchmark.report.cohorts.grouping import grouped
from benchmark.report.statistics.bootstrap import Bootstrap
from benchmark.report.transfer.beaten import is_direct, with_beaten_flags
from benchmark.storage.columns import BY_NAME
from benchmark.storage.records import write_record
from tests.helpers import configured
from tests.report.planted import World, record, trainings

FEW = Bootstrap(200)
WORLD = World(n=400)  # 200 attacked samples of 100 sources; maps of RTSA under ADV2 end near 0.11


def transferred(shift, *, source="rts", success=None, name="beats_it", probe="adv2", **changes):
    """Images made against ``source``, as RTSA reads them: ``shift`` further from benign than those made against it."""
    world = replace(WORLD, shift={**WORLD.shift, "rtsa": WORLD.shift["rtsa"] + shift})
    config = {"probe": {"source": {"name": source}, **changes.pop("probe_config", {})}}
    cell = record(world, "rtsa", probe, config=config, cell=name, **changes)
    if success is not None:
        cell.samples["success"] = success
    return cell


def direct(probe="adv2", **changes):
    return record(WORLD, "rtsa", probe, **changes)


def flags_beside(own, *others):
    (found,) = with_beaten_flags([own], [own, *others], FEW)
    return found.cell.get("flags", []), found.cell.get("beaten_by", [])


def test_nearer_maps_at_equal_success_flag_the_direct_attack_and_name_the_cell():
    own, other = direct(), transferred(-0.02)
    assert flags_beside(own, other) == (["beaten_by_transfer"], ["beats_it"])
    assert "flags" not in own.cell, "the record itself stays as it was written"
    (kept,) = with_beaten_flags([other], [own, other], FEW)
    assert kept is other, "of the two it is the direct attack that is too weak"


def test_more_successes_flag_it_whatever_the_maps_are():
    """All 200 against 170 or so; of PGD, too, which aims at no map."""
    for probe in ("adv2", "pgd"):
        assert flags_beside(direct(probe), transferred(0.2, success=True, probe=probe))[0] == ["beaten_by_transfer"]


@pytest.mark.parametrize(
    ("shift", "success"),
    [(0.0, None), (0.02, None), (-0.02, False)],
    ids=["as good", "further", "nearer and never there"],
)
def test_a_sound_attack_stays_without_a_flag(shift, success):
    assert flags_beside(direct(), transferred(shift, success=success)) == ([], [])


def test_a_difference_within_its_interval_is_no_flag():
    """Nearer by 0.0005 in the mean, where the images differ by 0.01 either way; the interval is about 0.0015 wide."""
    other = transferred(-0.0005)
    other.samples["map_l1"] += np.where(np.arange(200) // 2 % 2, 0.01, -0.01)
    assert flags_beside(direct(), other) == ([], [])


def test_nearer_maps_are_nothing_to_an_attack_on_the_class_alone():
    assert flags_beside(direct("pgd"), transferred(-0.02, probe="pgd"))[0] == []


@pytest.mark.parametrize(
    "other",
    [
        transferred(-0.02, probe_config={"epsilon": 16 / 255}),
        transferred(-0.02, seed=1),
        transferred(-0.02, split="calibration"),
        transferred(-0.02, artefacts={"data": "d0", "classifier": "another"}),
        transferred(-0.02, artefacts={"data": "d0", "classifier": "c0", "interpreter finish": "another"}),
        transferred(-0.02, status="failed"),
        transferred(-0.02, source="rtsa"),
    ],
    ids=["bound", "seed", "split", "classifier", "interpreter", "failed", "made against itself"],
)
def test_only_like_cells_are_compared(other):
    assert flags_beside(direct(), other)[0] == []


def test_other_goals_are_other_tasks():
    other = transferred(-0.02)
    other.samples["goal"] = (other.samples["goal"] + 1) % 10
    assert flags_beside(direct(), other)[0] == []


def test_many_comparisons_find_little_by_chance():
    """20 times 6 attacks that are as good as the direct one: one by one many are flagged, together 1 in 20 at most."""
    own, alone, together = direct(), 0, 0
    for family in range(20):
        equal = [transferred(0.0, name=f"equal_{number}") for number in range(6)]
        for number, other in enumerate(equal):
            noise = np.random.default_rng([family, number]).normal(0.0, 0.01, len(other.samples))
            other.samples["map_l1"] = np.clip(other.samples["map_l1"] + noise, 0, 1)
        alone += any(flags_beside(own, each)[0] for each in equal)
        together += bool(flags_beside(own, *equal)[0])
    assert alone >= 2 and together <= 1


@pytest.fixture
def cells():
    found = trainings(WORLD)
    for cell in found:
        cell.cell["artefacts"] |= {"interpreter finish": f"{cell.cell['interpreter']}{cell.cell['seed']}"}
    return found


def beats(cell):
    """The same images, made against RTS, with maps at half the distance."""
    table = cell.samples.assign(map_l1=cell.samples["map_l1"] / 2)
    config = {**cell.cell["config"], "probe": {**cell.cell["config"]["probe"], "source": {"name": "rts"}}}
    name = f"transferred_{cell.cell['seed']}"
    return replace(cell, cell={**cell.cell, "config": config, "name": name, "cell": name}, samples=table)


def under(cells, probe):
    return [c for c in cells if (c.cell["interpreter"], c.cell["probe"]) == ("rtsa", probe)]


def headlines(cells, others):
    (group,) = grouped(with_beaten_flags(cells, [*cells, *others], FEW))
    return {(line.interpreter, line.claim): line for line in judge(group, FEW).headlines}


def test_no_verdict_rests_on_it_and_the_sentence_names_the_cells(cells):
    others = [beats(cell) for cell in under(cells, "adv2_auto")]
    found = headlines(cells, others)
    assert found["rtsa", "attack"].verdict == "withheld"
    for seed in range(3):
        assert f"rtsa under strongest: beaten_by_transfer (by transferred_{seed})" in found["rtsa", "attack"].sentence
    assert found["rtsa_anchored", "attack"].verdict == "gives the attack away"
    assert found["rtsa", "harmless"].verdict != "withheld"


def test_a_stronger_attack_on_the_same_interpreter_takes_its_place(cells):
    """Plain ADV2 is beaten, adv2_auto is not: the verdict is that of the latter."""
    others = [beats(cell) for cell in under(cells, "adv2")]
    for other, auto in zip(others, under(cells, "adv2_auto"), strict=True):
        other.samples["map_l1"] = auto.samples["map_l1"] + 0.001
    found = headlines(cells, others)
    assert found["rtsa", "attack"].verdict == "gives the attack away"
    assert "beaten_by_transfer" not in found["rtsa", "attack"].sentence


def test_the_report_looks_for_it_outside_of_its_filters(tmp_path):
    """The transferred cell is of another experiment than the one that is reported."""
    for each in (direct(experiment="mine"), transferred(-0.02, experiment="other")):
        samples = each.samples.astype({name: BY_NAME[name].dtype for name in each.samples})
        write_record(tmp_path / "results" / each.cell["name"], samples, {}, each.cell)
    text = build_report(tmp_path / "results", tmp_path / "report", {"experiment": "mine"}, FEW).read_text()
    assert r"rtsa under adv2: beaten\_by\_transfer (by beats\_it)" in text and "rtsa †" in text
    assert "transfer-" not in text


@pytest.mark.parametrize(("source", "own"), [("rts", True), ("rtsa", False)])
def test_a_cell_that_reads_its_own_interpreters_images_is_direct(tmp_path, source, own):
    config = configured(tmp_path, "interpreter=rts", "probe=adv2", f"+interpreter@probe.source={source}")
    assert is_direct(replace(direct(), cell={"config": config})) == own


def test_between_classifiers_the_surrogate_decides(tmp_path):
    for surrogate, own in (("small_resnet", True), ("small_regnet", False)):
        overrides = ("classifier=small_resnet", "probe=adv2", f"+classifier@probe.surrogate={surrogate}")
        assert is_direct(replace(direct(), cell={"config": configured(tmp_path, *overrides)})) == own
