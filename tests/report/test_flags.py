"""A flagged cell is marked, gives no verdict, and is never chosen; samples without a map are left out, with n."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmark.report.claims.rows import select_rows
from benchmark.report.claims.verdicts import judge
from benchmark.report.cohorts.grouping import grouped
from benchmark.report.selection.attack_selection import attack_table, chosen
from benchmark.report.statistics.bootstrap import Bootstrap
from benchmark.report.tables.attack_tables import attack_maps, attack_rates
from benchmark.report.transfer.ensemble_defence import defence_table
from benchmark.report.transfer.transfer_cells import TransferKey
from tests.report.planted import World, record, sweep, trainings

FEW = Bootstrap(100)


@pytest.fixture
def records():
    found = trainings(World(n=200))
    for each in found:
        if each.cell["interpreter"] == "rtsa" and each.cell["probe"] in ("adv2", "adv2_auto"):
            each.cell["flags"] = ["zero_gradient"]
    return found


def test_claim_2_is_withheld_with_its_reason(records):
    (cohort,) = grouped(records)
    verdicts = judge(cohort, FEW)
    headline = {(line.interpreter, line.claim): line for line in verdicts.headlines}
    assert headline["rtsa", "attack"].verdict == "withheld"
    sentence = headline["rtsa", "attack"].sentence
    assert ": withheld (flagged: rtsa under strongest: zero_gradient (3 trainings)" in sentence
    assert "reproduced" not in sentence
    assert headline["rtsa_anchored", "attack"].verdict == "gives the attack away"
    assert headline["rtsa", "noise"].verdict != "withheld"
    rows = select_rows(verdicts.rows, interpreter="rtsa", claim="attack", role="primary")
    assert {row.verdict for row in rows} == {"withheld"}


def test_tables_mark_it_and_say_why(records):
    (cohort,) = grouped(records)
    for table in (attack_rates(cohort, FEW), attack_maps(cohort, FEW)):
        assert ["adv2", "rtsa †"] in [row[:2] for row in table.rows]
        assert ["adv2", "rtsa_anchored"] in [row[:2] for row in table.rows]
        assert "rtsa under adv2: zero_gradient" in table.caption and "could not attack" in table.caption


def test_sound_cells_are_left_as_they_are():
    (cohort,) = grouped(sweep(World(n=200)))
    assert "†" not in attack_rates(cohort, FEW).caption
    assert "withheld" not in {row.verdict for row in judge(cohort, FEW).rows}


def test_a_flagged_attack_is_not_chosen():
    world = World(n=200, shift={"rts": 0.0})
    cells = [
        record(
            replace(world, shift={"rts": shift}), "rts", "adv2", config={"probe": {"weight": w, "presence_weight": 0}}
        )
        for w, shift in ((5.0, 0.1), (10.0, -0.03))
    ]
    assert chosen(cells) is cells[1]
    cells[1].cell["flags"] = ["surrogate_far"]
    assert chosen(cells) is cells[0]
    assert "Flagged cells are not chosen" in attack_table(cells, FEW).caption
    cells[0].cell["flags"] = ["zero_gradient"]
    assert chosen(cells) is None
    assert [row[-1] for row in attack_table(cells, FEW).rows] == ["", ""]


def test_a_flagged_attack_counts_for_no_defence():
    """On a alone the attack could not attack: it looks like the defence that nothing fools."""
    world = World(n=200, shift={"a": 0.0, "b": 0.0})
    cells = {TransferKey(s, r): record(world, r, "adv2") for s in "ab" for r in "ab"}
    for (source, reader), cell in cells.items():
        cell.samples["success"] = source == "b"
        cell.samples["looks_benign"] = np.where(reader == source, 1.0, 0.0)
    assert [row[1] for row in defence_table("defence", cells, FEW).rows] == ["a", "a, b"]
    cells["a", "a"].cell["flags"] = ["zero_gradient"]
    table = defence_table("defence", cells, FEW)
    assert [row[1] for row in table.rows] == ["b"]
    assert "the attack on them is flagged, or they have no maps: a." in table.caption


def test_samples_without_a_map_are_left_out_of_means(records):
    for each in records:
        if each.cell["probe"] == "adv2":
            each.samples["looks_benign"] = each.samples["looks_benign"].astype("float32")
            each.samples.loc[:9, ["map_l1", "looks_benign"]] = np.nan
    (cohort,) = grouped(records)
    row = next(row for row in attack_rates(cohort, FEW).rows if row[:2] == ["adv2", "rts"])
    success, looks_benign, joint = row[3:6]
    assert (success.n, looks_benign.n, joint.n) == (300, 270, 270)
