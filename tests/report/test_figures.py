"""Figures: which samples they show, that nothing overlaps, and that equal content gives equal bytes."""

from __future__ import annotations

import itertools

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.image import imread
from matplotlib.testing.compare import compare_images

from benchmark.report.claims.verdicts import judge
from benchmark.report.cohorts.grouping import grouped
from benchmark.report.figures import attack_examples, curves, distances, forest, noise_examples
from benchmark.report.figures.all_figures import write_figures
from benchmark.report.figures.kept import kept_ids, masks_of
from benchmark.report.figures.panels import ExampleImages, is_empty, kept_examples, representative, successes
from benchmark.report.figures.style import save, styled
from benchmark.report.statistics.bootstrap import Bootstrap
from tests.report import references
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


def planted_distances(interpreter: str, distances: list[float], failed: tuple[int, ...] = ()):
    """A cell of len(distances) samples, all kept, with these map distances; ``failed`` are places of failures."""
    one = record(World(n=2 * len(distances)), interpreter, "adv2", pictures=True)
    one.samples["map_l1"] = distances
    one.samples["success"] = [place not in failed for place in range(len(distances))]
    return one


def test_the_samples_shown_stand_for_their_cells():
    """By hand: of the successes 0.1, 0.2, 0.3, 0.4, 0.9 the median is 0.3, the next ones 0.2 and 0.4."""
    one = planted_distances("rts", [0.9, 0.2, 0.3, 0.0, 0.4, 0.1], failed=(3,))
    first = int(one.samples["sample_id"].iloc[0])
    assert [i - first for i in representative([one], 3)] == [2, 1, 4]
    # In the other cell sample 2 is the furthest: sample 1 is next to the median in both.
    other = planted_distances("rtsa", [0.8, 0.3, 0.9, 0.2, 0.5, 0.1], failed=(5,))
    assert [i - first for i in representative([one, other], 1)] == [1]
    shuffled = planted_distances("rts", [0.9, 0.2, 0.3, 0.0, 0.4, 0.1], failed=(3,))
    shuffled.samples = shuffled.samples.iloc[::-1]
    assert representative([shuffled], 6) == representative([one], 6)
    assert representative([], 2) == []


def test_no_failure_and_nothing_unmeasured_is_shown():
    one = planted_distances("rts", [0.9, np.nan, 0.3, 0.0, 0.4, 0.1], failed=(0, 3))
    first = int(one.samples["sample_id"].iloc[0])
    assert [i - first for i in successes(one)] == [2, 4, 5]
    assert {i - first for i in representative([one], 9)} == {2, 4, 5}


def test_objects_are_outlined_where_a_clean_cell_kept_masks(group, cohort):
    def outlines(figure) -> int:
        return sum(len(axes.collections) for axes in figure.axes)

    sample = kept_ids(cohort.find("rts", "clean"))[3]
    masks = masks_of(cohort.records, [sample, -1])
    assert list(masks) == [sample] and masks[sample].shape == (48, 48)
    others = [one for one in cohort.records if one.cell["probe"] != "clean"]
    without = type(cohort)(cohort.key, cohort.settings, others)
    with styled():
        for draw in (attack_examples.draw, noise_examples.draw):
            assert outlines(draw(cohort)) > outlines(draw(without))


def test_empty_maps_are_named():
    """A map that nowhere reaches one half marks nothing, and the figure says so under it."""
    assert is_empty(np.full((4, 4), 0.49, np.float16)) and not is_empty(np.eye(4, dtype=np.float16))
    assert is_empty(np.full((4, 4), np.nan, np.float16))
    records = sweep(World(n=300), ("rts", "rtsa"), (("adv2", None, 1), ("normal", 0.3, 1)), pictures=True)
    for one in records:
        one.maps["probed"] = np.zeros_like(one.maps["probed"])
    (found,) = grouped(records)
    with styled():
        attacked, noisy = attack_examples.draw(found.cohorts[0]), noise_examples.draw(found.cohorts[0])
        assert_apart(attacked)
        assert_apart(noisy)
    assert sum("empty map" in text for text in words(attacked)) == 2 * attack_examples.SAMPLES
    assert words(noisy).count("empty map: noisy") == 2 * noise_examples.SAMPLES


def test_classes_are_named_where_the_record_has_words():
    row = pd.Series({"pred_benign": 3, "pred_probe": 7, "map_l1": 0.1})
    maps = np.zeros((2, 2), np.float16)
    images = np.zeros((3, 4, 4), np.uint8)
    shown = ExampleImages(images, images, maps, maps, row, {"class_names": {"3": "pug", "7": "tabby"}})
    assert shown.change == "pug → tabby"
    assert ExampleImages(images, images, maps, maps, row, {}).change == "3 → 7"


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
    for probe in ("normal", "uniform"):
        records = [cohort.find(name, probe, 0.3) for name in ("rts", "rtsa", "rtsa_anchored")]
        first = representative(records, 1)[0]
        cell = kept_examples(records[1])
        assert any(part.startswith(f"L1 {cell[first].row.map_l1:.3f}, median") for part in text)
        assert f"class {cell[first].change}" in text
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
    assert {"RTS", "RTSA", "RTSA anchored", "benign\ninput", "PGD", "ADV²", "ADV² auto", "added × 8"} <= set(text)
    assert text.count("PGD") == attack_examples.SAMPLES


def test_summaries_do_not_overlap(group):
    with styled():
        for figure in (forest.forest(judge(group, Bootstrap(50)).rows), distances.distances(group, Bootstrap(50))):
            assert_apart(figure)


@pytest.mark.parametrize("interpreters", [("rts",), ("rts", "rtsa")])
def test_fewer_interpreters(interpreters):
    (found,) = grouped(sweep(World(n=300), interpreters, pictures=True))
    with styled():
        for figure in (
            *(module.draw(found.cohorts[0]) for module in (noise_examples, attack_examples)),
            distances.distances(found, Bootstrap(50)),
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
    """Panels by claim and objective; the control stands in one of its own."""
    rows = judge(group, Bootstrap(50)).rows
    with styled():
        figure = forest.forest(rows)
    panels = {}
    for place, axes in enumerate(figure.axes):
        panels.setdefault(place // 2, []).append(axes)
    noise, control, attack, harmless = (panels[place] for place in range(4))
    assert [tick.get_text() for tick in control[0].get_yticklabels()] == ["random sign: L1"]
    assert not any("random" in tick.get_text() for tick in noise[0].get_yticklabels())
    assert harmless[0].get_xlim() == harmless[1].get_xlim()
    assert attack[0].get_xlim() != attack[1].get_xlim()
    for axes, name in zip(attack, ("rtsa", "rtsa_anchored"), strict=True):  # no wider than its own intervals and zero
        own = [r for r in rows if r.claim == "attack" and r.interpreter == name and r.metric == "map_l1"]
        ends = [end for r in own if r.role != "reference" for end in (0.0, r.low, r.high)]
        low, high = axes.get_xlim()
        assert high - low <= 1.2 * (max(ends) - min(ends))
        assert low < 0 < high


def test_distances_are_on_a_logarithmic_scale_by_population(group):
    with styled():
        figure = distances.distances(group, Bootstrap(50))
    assert [axes.get_title().split(":")[0] for axes in figure.axes] == ["Noise", "Control", "Attacks"]
    assert {axes.get_yscale() for axes in figure.axes} == {"log"}


def test_letters_can_be_searched_and_edited_in_print(cohort, tmp_path):
    """Fonts are embedded as TrueType (fonttype 42), none as Type 3 outlines."""
    with styled():
        save(attack_examples.draw(cohort, 1), tmp_path, "figure")
    text = (tmp_path / "figure.pdf").read_bytes()
    assert b"/FontFile2" in text and b"/Type3" not in text


@pytest.mark.parametrize("name", references.DRAWN)
def test_figures_look_as_they_did(name, tmp_path):
    """Against kept pictures, within 4 of 255 by root mean square: letters may fall a little otherwise elsewhere."""
    differs = compare_images(references.FOLDER / f"{name}.png", references.write(tmp_path, name), tol=4)
    assert differs is None, f"{differs}; if it is meant, python -m tests.report.references and look at each"
