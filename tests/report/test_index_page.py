"""The report's page as a file: it needs nothing else, says what the records say, and can be read by everybody."""

from __future__ import annotations

import base64
import io
import itertools
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest
from hydra import compose, initialize_config_dir
from PIL import Image

from benchmark.__main__ import conf_folder
from benchmark.configuration.resolution import as_dict
from benchmark.report.figures.kept import kept_ids, kept_rows, masks_of
from benchmark.report.published.location import published_sets
from benchmark.report.published.pack import read_pack
from benchmark.report.statistics.bootstrap import Bootstrap
from benchmark.report.statistics.sample_metrics import mean_with_interval
from benchmark.report.web.cell_index import command
from benchmark.report.web.heat_view import colours, luminance
from benchmark.report.web.sheets import Originals, cell_sheet
from benchmark.storage.records import read_records
from tests.helpers import PROJECT
from tests.report import index_page
from tests.report.planted import World, record


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    return index_page.build(tmp_path_factory.mktemp("index"))


class Elements(HTMLParser):
    """(name, attributes, text directly inside) of every element."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str], list[str]]] = []
        self._open: list[list[str]] = [[]]
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        inside: list[str] = []
        self.found.append((tag, {name: value or "" for name, value in attrs}, inside))
        if tag not in ("meta", "link", "br", "input"):
            self._open.append(inside)

    def handle_startendtag(self, tag, attrs):
        self.found.append((tag, {name: value or "" for name, value in attrs}, []))

    def handle_endtag(self, tag):
        self._open.pop()

    def handle_data(self, data):
        self._open[-1].append(data)

    def having(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes, _ in self.found if name == tag]


@pytest.fixture(scope="module")
def elements(page):
    return Elements(page.read_text(encoding="utf-8"))


def embedded(elements: Elements, identity: str):
    return json.loads(next("".join(text) for _, at, text in elements.found if at.get("id") == identity))


def test_nothing_is_loaded_from_elsewhere(page, elements):
    for name, attributes, _ in elements.found:
        for key in ("src", "href", "action", "poster", "data", "srcset"):
            value = attributes.get(key, "")
            assert not re.match(r"[a-z]+:(?!,)|//", value), (name, key, value)
    assert not re.search(r"url\(|@import|@font-face|fetch\(|XMLHttpRequest|WebSocket", page.read_text(encoding="utf-8"))
    policy = next(at["content"] for at in elements.having("meta") if at.get("http-equiv") == "Content-Security-Policy")
    assert "default-src 'none'" in policy and "http" not in policy


def test_links_lead_somewhere(page, elements):
    cells = embedded(elements, "page")["cells"]
    links = [at["href"] for at in elements.having("a")] + [cell["href"] for cell in cells]
    anchors = {at["id"] for _, at, _ in elements.found if "id" in at}
    for link in links:
        if link.startswith("#"):
            assert link[1:] in anchors
        else:
            assert (page.parent / unquote(link)).exists(), link
    for cell in cells:
        assert json.loads((page.parent / cell["href"]).read_text())["cell"] == cell["hash"]


def test_every_element_can_be_told_apart_and_is_named(elements):
    names = [at["id"] for _, at, _ in elements.found if "id" in at]
    assert len(names) == len(set(names))
    assert all(at.get("alt") for at in elements.having("img"))
    for name, attributes, inside in elements.found:
        if name in ("button", "a") and "data-view" not in attributes:
            assert "".join(inside).strip() or attributes.get("aria-label"), (name, attributes)
        if name == "svg" or attributes.get("role") == "img":
            assert attributes.get("aria-label"), name
    assert elements.having("html")[0]["lang"] == "en"
    headings = [int(name[1]) for name, *_ in elements.found if re.fullmatch("h[1-6]", name)]
    assert headings[0] == 1 and all(after - before <= 1 for before, after in itertools.pairwise(headings))


def palette(page: Path) -> list[dict[str, tuple[float, ...]]]:
    """The colours of the light and of the dark page by name, each in [0, 1]."""
    found = re.findall(r"--([\w-]+): light-dark\(#(\w{6}), #(\w{6})\)", page.read_text(encoding="utf-8"))
    return [
        {name: tuple(int(pair[side][i : i + 2], 16) / 255 for i in (0, 2, 4)) for name, *pair in found}
        for side in (0, 1)
    ]


def contrast(one, other) -> float:
    low, high = sorted(luminance(*colour) for colour in (one, other))
    return (high + 0.05) / (low + 0.05)


def test_text_stands_out(page):
    """WCAG 2.2 AA: 4.5 for text, 3 for lines, in the light and in the dark."""
    for colour in palette(page):
        for name in ("text", "muted", "accent", "yes", "no", "part", "open"):
            for ground in ("paper", "panel"):
                assert contrast(colour[name], colour[ground]) >= 4.5, (name, ground)
        assert contrast(colour["on-accent"], colour["accent"]) >= 4.5
        for place in range(7):
            assert contrast(colour[f"series-{place}"], colour["panel"]) >= 3.0, place
    for share in np.linspace(0, 1, 101):
        back, front = ([int(c[i : i + 2], 16) / 255 for i in (1, 3, 5)] for c in colours(float(share)))
        assert contrast(back, front) >= 4.5, share


def test_contrast_is_that_of_the_standard():
    assert contrast((0, 0, 0), (1, 1, 1)) == pytest.approx(21.0)
    assert contrast((119 / 255,) * 3, (1, 1, 1)) == pytest.approx(4.48, abs=0.01)  # #777777 on white


def test_the_first_screen_says_the_verdicts(elements):
    text = "\n".join("".join(inside) for *_, inside in elements.found)
    assert "Observation 8 in 3 trainings" in text
    assert "Maps move further on inputs that noise makes the classifier get wrong: holds for RTSA." in text
    assert "easily distinguishable from their benign counterparts" in text
    assert "flag: not_converged" in text
    assert any("Map distance against passes" in at.get("aria-label", "") for at in elements.having("svg"))


def test_what_is_said_cannot_break_the_page(page, elements):
    assert index_page.NASTY in "\n".join("".join(inside) for name, _, inside in elements.found if name == "td")
    assert "alert(1)</script>" not in page.read_text(encoding="utf-8")


def test_tables_hold_the_numbers_of_the_records_and_name_them(page, elements):
    cells = embedded(elements, "page")["cells"]
    rates = next(t for t in embedded(elements, "tables-0") if t["name"] == "attack_rates")
    at = next(i for i, row in enumerate(rates["rows"]) if row[:2] == ["pgd", "rtsa"])
    named = [cells[number]["name"] for number in rates["cells"][at]]
    chosen = {"interpreter": "rtsa", "probe": "pgd", "budget": "default"}
    records = read_records(page.parents[1] / "results", **chosen)
    assert sorted(named) == sorted(one.cell["name"] for one in records) and len(named) == 3
    expected = mean_with_interval(records, "success", Bootstrap(60))
    value, low, high, size, _ = rates["rows"][at][rates["columns"].index("success")]
    assert [value, low, high] == pytest.approx([expected.value, expected.low, expected.high], rel=1e-5)
    assert size == expected.size


def test_every_table_tells_its_cells(elements):
    for table in embedded(elements, "tables-0"):
        if table["name"] not in ("curves", "compared"):
            assert len(table["cells"]) == len(table["rows"]), table["name"]
            assert all(table["cells"]), table["name"]


def test_there_are_transfer_and_frontier(elements):
    buttons = [at for at in elements.having("button") if "data-cells" in at]
    assert len(buttons) == 2 * 4  # two metrics, two by two interpreters
    labels = [at.get("aria-label", "") for at in elements.having("svg")]
    assert "Joint success against the cost on benign images" in labels
    assert embedded(elements, "tables-study")[0]["rows"]


def picture(text: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(text)))).astype(int)


def test_pictures_give_the_images_back():
    """Benign and difference add up to the perturbed input, tile by tile; maps are exact to 8 bit."""
    one = record(World(n=60), "rtsa", "adv2", pictures=True)
    originals = Originals()
    wanted = [kept_ids(one)[place] for place in (5, 0, 9)]
    sheet = cell_sheet(one, wanted, 64, originals)
    assert sheet.sample_ids == wanted and sheet.size == (48, 48) and sheet.map_size == (24, 24)
    images, maps = kept_rows(one, "images", wanted), kept_rows(one, "maps", wanted)
    benign, difference = picture(originals.sheets()[0]["picture"]), picture(sheet.differences)
    for place in range(3):
        part = slice(48 * place, 48 * (place + 1))
        probed = benign[:, part] + (difference[:, part] - 128) / sheet.gain
        assert np.abs(probed - np.moveaxis(images["probed"][place], 0, -1)).mean() < 6
        for half, name in enumerate(("benign", "probed")):
            tile = picture(sheet.maps)[24 * half : 24 * (half + 1), 24 * place : 24 * (place + 1)]
            assert np.abs(tile / 255 - maps[name][place].astype(float)).max() <= 0.5 / 255 + 1e-3


def test_masks_stand_beside_their_inputs():
    clean, attacked = (record(World(n=60), "rts", probe, pictures=True) for probe in ("clean", "adv2"))
    originals = Originals()
    ids = kept_ids(attacked)[:3]
    cell_sheet(attacked, ids, 64, originals, masks=masks_of([clean], ids[:2]))
    (sheet,) = originals.sheets()
    tiles = picture(sheet["masks"])
    expected = kept_rows(clean, "images", ids)["mask"]
    assert (tiles[:, :96] == 255 * np.concatenate(list(expected[:2]), axis=1)).all()
    assert not tiles[:, 96:].any()  # the third has none
    unmasked = Originals()
    cell_sheet(attacked, ids, 64, unmasked)
    assert unmasked.sheets()[0]["masks"] == ""


def test_benign_inputs_are_kept_once():
    originals = Originals()
    first, second = (record(World(n=60), name, "adv2", pictures=True) for name in ("rts", "rtsa"))
    ids = kept_ids(first)[:4]
    sheets = [cell_sheet(one, ids, 64, originals) for one in (first, second)]
    assert sheets[0].originals == sheets[1].originals == [0, 1, 2, 3]
    assert len(originals.sheets()) == 1


def test_the_page_is_small_for_its_pictures(page, elements):
    shown = embedded(elements, "page")
    samples = sum(len(sheet["rows"]) for sheet in shown["sheets"])
    assert samples > 300
    assert page.stat().st_size / samples < 4000  # bytes a sample, everything else included


@pytest.mark.parametrize(
    "changes, words",
    [
        (
            {"interpreter": "rtsa", "probe": "normal", "level": 0.03},
            "data=digits classifier=resnet10t interpreter=rtsa probe=normal_03 seed=0",
        ),
        ({"probe": "uniform", "level": 0.1}, "interpreter=rts probe=uniform probe.level=0.1 seed=0"),
        ({"steps_factor": 10, "seed": 3}, "probe=adv2_x10 seed=3"),
        ({"experiment": "observation_8"}, "run experiment=observation_8 data=digits classifier=resnet10t"),
        (
            {"split": "calibration", "budget": "smoke", "data_seed": 2},
            "seed=0 data.seed=2 budget=smoke split=calibration",
        ),
    ],
)
def test_commands(changes, words):
    cell = {"data": "digits", "classifier": "resnet10t", "interpreter": "rts", "probe": "adv2", "seed": 0, **changes}
    assert words in command({**cell, "config": {}}, {})
    assert command({**cell, "config": {}}, {"probe.epsilon": 0.1, "variant": "x"}).count("=0.1") >= 1


@pytest.mark.parametrize("interpreter, probe", [("rts", "clean"), ("rtsa", "normal"), ("rtsa_anchored", "adv2_auto")])
def test_commands_mean_the_cell_they_stand_beside(interpreter, probe):
    """Of the published cells: the words configure a cell with the same names, level, seeds and budget."""
    wanted = {"interpreter": interpreter, "probe": probe}
    records = read_pack(published_sets()[0]).records
    cell = next(r.cell for r in records if {name: r.cell[name] for name in wanted} == wanted)
    with initialize_config_dir(version_base="1.3", config_dir=str(conf_folder())):
        made = as_dict(compose("run", overrides=command(cell, {}).split()[4:]))
    found = {
        "data": made["data"]["name"],
        "classifier": made["classifier"]["label"],
        "interpreter": made["interpreter"]["name"],
        "probe": made["probe"]["name"],
        "level": made["probe"]["level"],
        "steps_factor": made["probe"]["steps_factor"],
        "seed": made["seed"],
        "data_seed": made["data"]["seed"],
        "budget": made["budget"]["name"],
        "split": made["split"],
    }
    assert found == {name: cell[name] for name in found}


@pytest.mark.parametrize("name", ["cifar10", "imagenet_quick"])
def test_commands_of_photographs_name_their_folder_and_how_it_is_read(name):
    records = read_pack(PROJECT / "docs" / "results" / name).records
    cell = next(each.cell for each in records if each.cell["probe"] == "clean")
    with initialize_config_dir(version_base="1.3", config_dir=str(conf_folder())):
        made = as_dict(compose("run", overrides=command(cell, {}).split()[4:]))
    options = ("_target_", "name", "image_size", "classes", "test_folder", "balanced", "calibration_share")
    there = cell["config"]["data"]
    assert made["data"]["root"] == "FOLDER"
    assert {option: made["data"][option] for option in options} == {
        option: there.get(option, made["data"][option]) for option in options
    }
    assert (made["budget"]["name"], made["classifier"]["label"]) == (cell["budget"], cell["classifier"])


def test_the_script_is_sound(page, tmp_path):
    node = shutil.which("node")
    if node is None:
        pytest.skip("no node here to check the script with")
    script = re.findall(r"<script>(.*?)</script>", page.read_text(encoding="utf-8"), re.S)[-1]
    (tmp_path / "page.js").write_text(script)
    ran = subprocess.run([node, "--check", str(tmp_path / "page.js")], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
