"""Trainings beside others: the interval for another one, and what a report says of it."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from benchmark.report.build import build_report
from benchmark.report.claims.verdicts import judge
from benchmark.report.cohorts.grouping import grouped
from benchmark.report.compare.consistency import TOLERANCE, Consistency, consistency, summary
from benchmark.report.compare.figures_of import Figure, alarm_values, cell_values, difference_values
from benchmark.report.compare.reference import counterpart, reference
from benchmark.report.compare.same_bytes import bytes_sentence
from benchmark.report.compare.section import compare
from benchmark.report.published.pack import write_pack
from benchmark.report.statistics.bootstrap import Bootstrap
from benchmark.report.tables.formats import markdown
from benchmark.storage.records import read_records
from tests.report.planted import World, record, sweep, trainings
from tests.report.test_published import store

FEW = Bootstrap(100)
PROBES = (("clean", None, 1), ("normal", 0.3, 1), ("adv2", None, 1))
VARIED = World(n=160, between=0.01)


def test_the_interval_of_one_more_training_by_hand():
    """Means 1, 2, 3: m = 2, s = 1, t(2) = 4.302653; half-width 4.302653 * sqrt(4/3) = 4.968276."""
    found = consistency([2.5], [1.0, 2.0, 3.0], 0.0)
    assert (found.low, found.high) == pytest.approx((2 - 4.968276, 2 + 4.968276), abs=1e-6)
    assert found.consistent
    assert not consistency([6.969], [1.0, 2.0, 3.0], 0.0).consistent
    assert consistency([2 + 4.968276], [1.0, 2.0, 3.0], 0.0).p == pytest.approx(0.05, abs=1e-6)


def test_several_trainings_are_compared_as_two_samples_are():
    mine, theirs = [0.3, 0.5, 0.9], [0.1, 0.2, 0.4, 0.35]
    assert consistency(mine, theirs, 0.0).p == pytest.approx(stats.ttest_ind(mine, theirs).pvalue)


def test_a_small_distance_is_none_and_one_training_beside_one_cannot_be_told():
    assert consistency([0.995], [1.0, 1.0, 1.0], 0.01).consistent
    assert not consistency([0.98], [1.0, 1.0, 1.0], 0.01).consistent
    assert consistency([0.98], [1.0, 1.0, 1.0], 0.01).p == 0.0
    assert consistency([0.5], [0.6], 0.0).consistent is None


@pytest.mark.parametrize("known", [3, 5, 10])
def test_another_training_is_inside_in_95_of_100_cases(known):
    draws = np.random.default_rng(known).normal(0.2, 0.03, (4000, known + 1))
    inside = np.mean([bool(consistency(row[:1], row[1:], 0.0).consistent) for row in draws])
    assert inside == pytest.approx(0.95, abs=4 * np.sqrt(0.95 * 0.05 / 4000))


def test_many_figures_are_corrected_for_their_number():
    found = [Consistency(0, 0, -1, 1, p, 1, 5) for p in (0.5,) * 97]
    found += [Consistency(2, 0, -1, 1, p, 1, 5) for p in (0.04, 0.03, 0.0001)]
    counted = summary(found)
    assert (counted.compared, counted.outside, counted.after_holm) == (100, 3, 1)
    assert counted.expected == pytest.approx(5)
    assert not counted.consistent
    assert summary(found[:-1]).consistent


def test_figures_are_means_of_stated_populations():
    planted = [record(replace(VARIED, seed=seed), "rtsa", "normal", 0.3, seed=seed) for seed in range(2)]
    found = cell_values(planted)
    for place, one in enumerate(planted):
        samples = one.samples
        wrong = samples[samples["success"]]["map_l1"].mean()
        assert found[Figure("rtsa", "normal", 0.3, 1, "map_l1", "wrong")][place] == pytest.approx(wrong)
        assert found[Figure("rtsa", "normal", 0.3, 1, "success", "all")][place] == samples["success"].mean()
    few = [replace_samples(one, one.samples.assign(success=False)) for one in planted]
    assert Figure("rtsa", "normal", 0.3, 1, "map_l1", "wrong") not in cell_values(few)
    assert Figure("rtsa", "normal", 0.3, 1, "map_l1", "right") in cell_values(few)


def replace_samples(one, samples):
    return replace(one, samples=samples)


def test_differences_are_those_of_each_training_alone():
    planted = trainings(VARIED, ("rts", "rtsa"), PROBES)
    found = difference_values(grouped(planted)[0])
    key = Figure("rtsa − rts", "adv2", None, 1, "map_l1", "all")
    cells = {(r.cell["interpreter"], r.cell["seed"]): r for r in planted if r.cell["probe"] == "adv2"}
    expected = [
        cells["rtsa", seed].samples["map_l1"].mean() - cells["rts", seed].samples["map_l1"].mean() for seed in range(3)
    ]
    assert found[key] == pytest.approx(expected, abs=1e-6)


def test_alarms_are_those_of_each_training_alone():
    """AUC against scipy's Mann-Whitney statistic, rates against thresholds by hand."""
    planted = trainings(VARIED, ("rts",), PROBES)
    found = alarm_values(grouped(planted)[0])
    cells = {(one.cell["probe"], one.cell["seed"]): one for one in planted}
    for seed in range(3):
        rows = cells["adv2", seed].samples
        adversarial = rows[rows["success"]]["map_l1"]
        clean = cells["clean", seed].samples
        harmless = np.concatenate([clean["harmless_noise_l1"], clean["harmless_shift_l1"]])
        wins = stats.mannwhitneyu(adversarial, harmless).statistic / len(adversarial) / len(harmless)
        assert found[Figure("rts", "adv2", None, 1, "pair_alarm_auc", "pairs")][seed] == pytest.approx(wins)
        threshold = cells["adv2", seed].cell["facts"]["alarm_threshold_5"]
        true, false = (Figure("rts", probe, None, 1, f"pair_alarm_{name}_5", "pairs") for probe, name in _RINGS)
        assert found[true][seed] == pytest.approx((adversarial > threshold).mean())
        assert found[false][seed] == pytest.approx((harmless > threshold).mean())


_RINGS = (("adv2", "tpr"), ("clean", "fpr"))


def test_an_alarm_takes_the_clean_cells_of_all_trainings():
    planted = trainings(VARIED, ("rts",), PROBES)
    assert alarm_values(grouped(planted)[0])
    lacking = [one for one in planted if (one.cell["probe"], one.cell["seed"]) != ("clean", 1)]
    assert {figure.probe for figure in alarm_values(grouped(lacking)[0])} == {"clean"}, "of the other two"


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Five trainings published; a sixth of the same method, one of another, and the first one again."""
    root = tmp_path_factory.mktemp("compare")
    five = store(root / "five", trainings(VARIED, ("rts", "rtsa"), PROBES, count=5))
    write_pack(read_records(five), root / "v7", "v7")
    store(root / "sixth", sixth(VARIED))
    store(root / "other", sixth(replace(VARIED, shift={"rts": 0.0, "rtsa": 0.3})))
    store(root / "again", trainings(VARIED, ("rts", "rtsa"), PROBES, count=1, device="CPU of another maker"))
    return root


def sixth(world: World):
    config = {"interpreter": {"seed": 5}, "probe": {"seed": 5}}
    artefacts = {"data": "d0", "classifier": "c5"}
    return sweep(replace(world, seed=5), ("rts", "rtsa"), PROBES, seed=5, config=config, artefacts=artefacts)


def part_of_the_page(results: Path, beside: Path) -> str:
    (own,) = grouped(read_records(results))
    compared = compare(own, judge(own, FEW), reference(str(beside), results), FEW)
    return "\n".join([*compared.lines, *map(markdown, compared.tables)])


@pytest.mark.parametrize("beside", ["v7", "five"])
def test_a_training_of_the_same_method_is_consistent(folders, beside):
    text = part_of_the_page(folders / "sixth", folders / beside)
    assert re.search(r"This training is consistent with the 5 trainings there: of \d\d figures", text)
    assert "verdict there" in text
    assert "Bytes: no cell here has settings, seed and format of one of" in text


def test_a_report_has_the_comparison_and_its_table(folders):
    page = build_report(folders / "sixth", folders / "report", None, FEW, str(folders / "v7"))
    assert "### Beside the published results v7" in page.read_text()
    table = (page.parent / "tables" / "compared.csv").read_text()
    assert table.startswith("interpreter,probe,metric,population,here,there")


def test_a_training_of_another_method_is_not(folders):
    text = part_of_the_page(folders / "other", folders / "v7")
    assert "This training is **not consistent** with the 5 trainings there" in text
    assert "| rtsa | adv2 | map\\_l1 | all |" in text


def test_the_same_training_has_the_same_bytes(folders):
    text = part_of_the_page(folders / "again", folders / "v7")
    assert "Bytes: all of the 6 cells of seed 0 that both have are the same to the byte" in text
    assert "here: CPU of another maker, 1 thread" in text


def test_cells_set_otherwise_are_left_out_and_named(folders, tmp_path):
    config = {"probe": {"steps": 30, "seed": 5}, "interpreter": {"seed": 5}}
    artefacts = {"data": "d0", "classifier": "c5"}
    changed = record(replace(VARIED, seed=5), "rtsa", "adv2", seed=5, config=config, artefacts=artefacts)
    kept = [one for one in sixth(VARIED) if (one.cell["interpreter"], one.cell["probe"]) != ("rtsa", "adv2")]
    results = store(tmp_path / "results", [*kept, changed])
    (own,) = grouped(read_records(results))
    others = reference(str(folders / "v7"), results)
    found = counterpart(own, others)
    assert found.unlike == {("rtsa", "adv2", None, 1): ["probe.steps 30 against 60"]}
    assert len(found.kinds) == 5
    text = part_of_the_page(results, folders / "v7")
    assert "Left out, set otherwise: rtsa under adv2 (probe.steps 30 against 60)" in text


def test_other_data_have_no_counterpart(folders, tmp_path):
    results = store(tmp_path / "results", [record(VARIED, "rts", "adv2", data="faces")])
    text = part_of_the_page(results, folders / "v7")
    assert "Nothing there has this data set, classifier, budget and probes." in text


def test_mistakes_are_told_before_anything(folders, tmp_path):
    with pytest.raises(ValueError, match=r"compare=nowhere: there is no such folder"):
        reference("nowhere", tmp_path)
    with pytest.raises(ValueError, match=r"is the folder of paths\.results itself"):
        reference(str(folders / "five"), folders / "five")
    with pytest.raises(ValueError, match="holds no finished record"):
        reference(str(tmp_path), folders / "five")


def test_tolerances_are_those_of_the_same_weights_on_another_cpu():
    assert Figure("rts", "adv2", None, 1, "map_l1", "all").tolerance == TOLERANCE["map"] == 0.005
    assert Figure("rts", "adv2", None, 1, "success", "all").tolerance == TOLERANCE["rate"] == 0.01


def test_a_record_of_another_seed_is_no_match_of_bytes():
    one, other = (record(VARIED, "rts", "adv2", seed=seed, cell=f"key{seed}") for seed in (0, 1))
    assert bytes_sentence([one], [other], "theirs").startswith("Bytes: no cell here")


def test_of_two_records_of_a_cell_the_one_whose_bytes_are_promised_is_compared():
    def made(device: str, checksum: str):
        found = record(VARIED, "rts", "adv2", cell="key")
        found.cell.update(device=device, threads=1, portable=device.startswith("CPU"), versions={"torch": "2.15.0"})
        found.cell["checksums"] = {"samples.parquet": checksum}
        return found

    mine, portable, card = made("CPU two", "a"), made("CPU one", "a"), made("NVIDIA H200", "b")
    for others in ([portable, card], [card, portable]):
        said = bytes_sentence([mine], others, "theirs")
        assert said.startswith("Bytes: all of the 1 cells of seed")
        assert "Promised are the bytes of 1," in said
