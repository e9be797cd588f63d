"""Tables: the numbers in them, and text that survives CSV, Markdown and LaTeX."""

from __future__ import annotations

import csv
import re

import numpy as np
import pytest

from benchmark.report.claims.verdicts import judge
from benchmark.report.cohorts.grouping import grouped
from benchmark.report.statistics.bootstrap import Bootstrap, Estimate
from benchmark.report.tables.all_tables import all_tables
from benchmark.report.tables.formats import Table, escape_latex, latex, markdown, write_table
from tests.report.planted import World, record, sweep


@pytest.fixture(scope="module")
def tables():
    (cohort,) = grouped(sweep(World(n=600)))
    rows = judge(cohort, Bootstrap(100)).rows
    return {table.name: table for table in all_tables(cohort, rows, Bootstrap(100))}


def cell(table: Table, column: str, *start: str):
    (row,) = [row for row in table.rows if row[: len(start)] == list(start)]
    return row[table.columns.index(column)]


def test_all_and_successes_are_separate_columns(tables):
    samples = record(World(n=600), "rtsa", "adv2").samples
    everyone = cell(tables["attack_maps"], "L1, all", "adv2", "rtsa")
    hit = cell(tables["attack_maps"], "L1, successes", "adv2", "rtsa")
    assert everyone.value == pytest.approx(samples["map_l1"].mean())
    assert everyone.n == len(samples) == 300
    assert hit.value == pytest.approx(samples.loc[samples["success"], "map_l1"].mean())
    assert hit.n == samples["success"].sum()


def test_joint_success_needs_both(tables):
    samples = record(World(n=600), "rts", "adv2").samples
    both = cell(tables["attack_rates"], "joint success", "adv2", "rts")
    assert both.value == pytest.approx((samples["success"] & samples["looks_benign"]).mean())


def test_noise_rates_carry_scale_and_interval(tables):
    row = next(row for row in tables["noise_rates"].rows if row[0] == "normal 30 %")
    assert row[1:3] == [0.1, 0.3]
    assert row[3].low < 0.3 < row[3].high
    assert len(tables["noise_rates"].rows) == 5


def test_noise_maps_separate_wrong_and_right(tables):
    samples = record(World(n=600), "rtsa", "normal", 0.3).samples
    right = cell(tables["noise_maps"], "L1, right", "normal 30 %", "rtsa")
    assert right.value == pytest.approx(samples.loc[~samples["success"], "map_l1"].mean())


def test_every_mean_has_interval_and_n(tables):
    for name in ("attack_rates", "attack_maps", "noise_maps", "benign"):
        for row in tables[name].rows:
            named = zip(tables[name].columns, row, strict=True)
            estimates = [value for column, value in named if column != "passes" and not isinstance(value, str)]
            assert all(isinstance(value, Estimate) for value in estimates)
            assert all(value.n > 0 and value.low <= value.value <= value.high for value in estimates)


def test_verdict_table_has_every_row(tables):
    (cohort,) = grouped(sweep(World(n=600)))
    rows = [row for row in judge(cohort, Bootstrap(10)).rows if row.role != "overall"]
    assert len(tables["verdicts"].rows) == len(rows)


NASTY = Table(
    "nasty",
    "50 % of a_b & c|d ~ {x}\\y #1 $2 ^3 <z>",
    ["name_1", "σ ± 1"],
    [["a|b_c\nd", Estimate(-0.5, -0.6, np.nan, 3, 2)], [None, Estimate(np.nan, np.nan, np.nan, 0, 0)]],
)


def test_latex_escapes():
    assert escape_latex(r"a_b & 50 % #1 {x} \y ~ ^") == (
        r"a\_b \& 50 \% \#1 \{x\} \textbackslash{}y \textasciitilde{} \textasciicircum{}"
    )
    assert escape_latex("-0.5 to 1-2, x-y") == "$-$0.5 to 1-2, x-y"


def test_latex_is_well_formed():
    text = latex(NASTY)
    bare = re.sub(r"\\[\\&%$#_{}]", "", text)
    assert bare.count("{") == bare.count("}")
    assert bare.count("$") % 2 == 0
    assert re.search(r"(?<!\\)[%#]", text) is None
    assert all(line.count("&") - line.count(r"\&") == 1 for line in text.splitlines() if line.endswith(r" \\"))
    for rule in (r"\toprule", r"\midrule", r"\bottomrule"):
        assert text.count(rule) == 1
    # a "[" right after a line break would be read as its optional argument
    assert not re.search(r"\\\\\s*\[", text)


def test_markdown_keeps_its_columns():
    lines = [line for line in markdown(NASTY).splitlines() if line.startswith("|")]
    assert len(lines) == 4
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in lines} == {3}
    assert "[-0.600, –]" in lines[2]


def test_csv_has_a_column_a_number(tmp_path):
    write_table(tmp_path, NASTY)
    with (tmp_path / "nasty.csv").open(newline="") as file:
        header, first, second = csv.reader(file)
    parts = ("low", "high", "n", "sources", "trainings", "share_trainings", "share_sources", "share_rest")
    assert header == ["name_1", "σ ± 1", *(f"σ ± 1_{part}" for part in parts)]
    assert first == ["a|b_c\nd", "-0.5", "-0.6", "", "3", "2", "1", "", "", ""]
    assert second == ["", "", "", "", "0", "0", "1", "", "", ""]
    assert {path.suffix for path in tmp_path.iterdir()} == {".csv", ".md", ".tex"}


def test_attacks_stand_beside_pgd_on_the_same_images(tables):
    attacked, plain = (record(World(n=600), "rts", probe).samples.set_index("sample_id") for probe in ("adv2", "pgd"))
    together = attacked.join(plain.add_suffix("_pgd"), how="inner")
    ratio = cell(tables["attack_gaps"], "map L1 / PGD", "adv2", "rts")
    assert ratio.value == pytest.approx(together["map_l1"].mean() / together["map_l1_pgd"].mean())
    gap = cell(tables["attack_gaps"], "success - PGD", "adv2", "rts")
    assert gap.value == pytest.approx(together["success"].mean() - together["success_pgd"].mean())
    assert not any(row[0] == "pgd" for row in tables["attack_gaps"].rows)
