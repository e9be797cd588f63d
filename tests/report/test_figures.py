"""Figures: which samples they show, that nothing overlaps, and that equal content gives equal bytes."""

from __future__ import annotations

import itertools

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.image import imread

from benchmark.report.claims.verdicts import judge
from benchmark.report.cohorts.grouping import grouped
from benchmark.report.figures import attack_examples, curves, noise_examples, overview
from benchmark.report.figures.all_figures import write_figures
from benchmark.report.figures.panels import first_successes, kept_examples
from benchmark.report.figures.style import save, styled
from benchmark.report.statistics.bootstrap import Bootstrap
from tests.report.planted import World, record, sweep, trainings


@pytest.fixture(scope="module")
def group():
    (found,) = grouped(sweep(World(n=300), pictures=True))
    return found


@pytest.fixture(scope="module")
def cohort(group):
    return group.cohorts[0]


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def words(figure) -> list[str]:
    return [text.get_text() for text in figure.texts]


def in_view(axis, place: float) -> bool:
    low, high = sorted(axis.get_view_interval())
    return low <= place <= high


def assert_apart(figure) -> None:
    """No two texts of the figure overlap, and none leaves the page."""
    figure.canvas.draw()
    axles = [axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)]
    unseen = {tick.label1 for axis in axles for tick in axis.get_major_ticks() if not in_view(axis, tick.get_loc())}
    texts = [t for t in figure.findobj(plt.Text) if t.get_text().strip() and t.get_visible() and t not in unseen]
    boxes = [text.get_window_extent() for text in texts]
    width, height = figure.canvas.get_width_height()
    for text, box in zip(texts, boxes, strict=True):
        inside = box.x0 >= -0.5 and box.y0 >= -0.5 and box.x1 <= width + 0.5 and box.y1 <= height + 0.5
        assert inside, f"{text.get_text()!r} leaves the page"
    for (one, a), (other, b) in itertools.combinations(zip(texts, boxes, strict=True), 2):
        apart = a.x1 <= b.x0 + 1 or b.x1 <= a.x0 + 1 or a.y1 <= b.y0 + 1 or b.y1 <= a.y0 + 1
        assert apart, f"{one.get_text()!r} overlaps {other.get_text()!r}"


def test_first_successes_by_sample_id_are_shown():
    cells = [kept_examples(record(World(n=300), name, "adv2", pictures=True)) for name in ("rts", "rtsa")]
    table = record(World(n=300), "rts", "adv2").samples
    expected = sorted(table.loc[table["success"], "sample_id"])[:3]
    assert first_successes(cells, 3) == expected
    shuffled = [dict(sorted(cell.items(), key=lambda item: -item[0])) for cell in cells]
    assert first_successes(shuffled, 3) == expected


def test_pictures_belong_to_their_sample():
    one = record(World(n=300), "rts", "adv2", pictures=True)
    shown = kept_examples(one)
    order = np.random.default_rng(0).permutation(len(one.images["sample_id"]))
    one.images = {name: values[order] for name, values in one.images.items()}
    for sample, mixed in kept_examples(one).items():
        assert (mixed.benign == shown[sample].benign).all()
        assert mixed.row.name == sample


def test_figure_15_says_what_happened(cohort):
    with styled():
        figure = noise_examples.draw(cohort)
        assert_apart(figure)
    text = words(figure)
    for _, level in (("normal", 0.3), ("uniform", 0.3)):
        cell = kept_examples(cohort.find("rtsa", "normal", level))
        first = first_successes([cell], 1)[0]
        assert f"L1 {cell[first].row.map_l1:.3f}" in text
        assert f"class {cell[first].row.pred_benign:g} → {cell[first].row.pred_probe:g}" in text
    assert {"RTS map", "RTSA map", "RTSA anchored map", "normal 30 %", "uniform 30 %"} <= set(text)


def test_figure_15_names_blocks_without_a_sample():
    world = World(n=300)
    records = sweep(world, pictures=True)
    for one in records:
        if one.cell["level"] == 0.03:
            one.samples["success"] = False
    (found,) = grouped(records)
    with styled():
        figure = noise_examples.draw(found.cohorts[0])
        assert_apart(figure)
    assert "no kept sample is misclassified under normal 3 %, uniform 3 %" in words(figure)


def test_figure_16_shows_every_interpreter(cohort):
    with styled():
        figure = attack_examples.draw(cohort)
        assert_apart(figure)
    text = words(figure)
    assert {"RTS", "RTSA", "RTSA anchored", "benign", "PGD", "ADV²"} <= set(text)
    assert text.count("PGD") == attack_examples.SAMPLES


def test_summaries_do_not_overlap(group):
    with styled():
        for figure in (overview.forest(judge(group, Bootstrap(50)).rows), overview.bars(group, Bootstrap(50))):
            assert_apart(figure)


@pytest.mark.parametrize("interpreters", [("rts",), ("rts", "rtsa")])
def test_fewer_interpreters(interpreters):
    (found,) = grouped(sweep(World(n=300), interpreters, pictures=True))
    with styled():
        for figure in (
            *(module.draw(found.cohorts[0]) for module in (noise_examples, attack_examples)),
            overview.bars(found, Bootstrap(50)),
        ):
            assert_apart(figure)


def test_nothing_to_draw(tmp_path):
    (found,) = grouped(sweep(World(n=60), ("rts",), (("clean", None, 1),)))
    assert write_figures(tmp_path, found, judge(found, Bootstrap(10)).rows, Bootstrap(10)) == []


def test_files_are_deterministic(cohort, tmp_path):
    for name in ("one", "two"):
        with styled():
            save(attack_examples.draw(cohort, 1), tmp_path / name, "figure")
    for suffix in ("png", "pdf"):
        one, two = ((tmp_path / name / f"figure.{suffix}").read_bytes() for name in ("one", "two"))
        assert one == two
    assert b"CreationDate" not in (tmp_path / "one" / "figure.pdf").read_bytes()
    assert imread(tmp_path / "one" / "figure.png").shape[1] >= 1400


def with_curves(records):
    """Curves that fall to half at every doubling, twice as high for RTSA, and 0.01 higher with every training."""
    for one in records:
        if one.cell["probe"] == "adv2_auto":
            passes = np.array([10, 20, 40, 80])
            height = (0.4 if one.cell["interpreter"] == "rtsa" else 0.2) + 0.01 * one.cell["seed"]
            table = pd.DataFrame({"member": "all", "passes": passes, "success_rate": [0.5, 1, 1, 1]})
            whole = table.assign(map_l1=height * 10 / passes, n=100)
            one.curves = pd.concat([whole, whole.assign(member="adv2", map_l1=9.0)])
    return records


def test_distance_against_passes():
    probes = (("clean", None, 1), ("adv2_auto", None, 1))
    records = with_curves(trainings(World(n=60), ("rts", "rtsa"), probes))
    records += with_curves(trainings(World(n=60), ("rts",), probes, classifier="robust"))
    groups = grouped(records)
    lines = curves.lines_of(groups)
    assert {(line.classifier, line.interpreter) for line in lines} == {
        ("resnet10t", "rts"),
        ("resnet10t", "rtsa"),
        ("robust", "rts"),
    }
    with styled():
        figure = curves.draw(lines)
        assert_apart(figure)
    assert len(figure.axes[0].lines) == 3
    row = next(r for r in curves.curve_table(lines).rows if r[:3] == ["resnet10t", "rtsa", 10])
    assert row[3:] == pytest.approx([0.5, 0.41, 0.40, 0.42, 3])
    assert curves.draw([]) is None


def test_each_claim_has_its_own_scale(group):
    with styled():
        figure = overview.forest(judge(group, Bootstrap(50)).rows)
    limits = [axes.get_xlim() for axes in figure.axes[:2]]
    assert limits[0] != limits[1]
    labels = [tick.get_text() for tick in figure.axes[0].get_yticklabels()]
    assert "random sign: L1 (control)" in labels
