"""README and pages say what the published results say, to the digit."""

from __future__ import annotations

import re

import numpy as np
import pytest

from benchmark.report.published.pack import read_pack, write_pack
from benchmark.report.statistics.bootstrap import Bootstrap
from tests.docs.tables import BLOCK, BLOCKS, NOT_YET, PAGES, RESULTS, Published, pages_with_blocks, rewritten
from tests.report.planted import World, trainings

PROBES = (("clean", None, 1), ("normal", 0.3, 1), ("pgd", None, 1), ("adv2", None, 1), ("adv2_auto", None, 1))


def test_pages_say_what_is_published():
    changed = [page.name for page in pages_with_blocks() if rewritten(page.read_text()) != page.read_text()]
    assert not changed, f"{', '.join(changed)}: figures differ from docs/results; run python -m tests.docs.tables"


def test_every_opened_block_is_closed():
    for page in PAGES:
        text = page.read_text()
        assert len(re.findall(r"<!-- published: ", text)) == len(BLOCK.findall(text)), page.name


@pytest.fixture(scope="module")
def planted():
    return trainings(World(n=160, between=0.01), ("rts", "rtsa"), PROBES)


@pytest.fixture(scope="module")
def published(planted, tmp_path_factory):
    folder = tmp_path_factory.mktemp("results") / "v1"
    write_pack(planted, folder, "v1")
    return Published([read_pack(folder)], Bootstrap(100))


def block(text: str, published: Published | None) -> str:
    return rewritten(text, RESULTS, lambda folder: published)


def test_a_figure_in_a_line_is_that_of_the_records(published, planted):
    text = "It moves by <!-- published: mean interpreter=rtsa probe=adv2 metric=map_l1 -->9.999<!-- end -->, no more."
    cells = [one for one in planted if (one.cell["interpreter"], one.cell["probe"]) == ("rtsa", "adv2")]
    expected = np.mean([one.samples["map_l1"].mean() for one in cells])
    found = re.search(
        r"by <!--[^>]*-->(\d\.\d{3}) \[\d\.\d{3}, \d\.\d{3}\]<!-- end -->, no more\.", block(text, published)
    )
    assert float(found[1]) == pytest.approx(expected, abs=0.0006)


def test_a_difference_is_that_of_the_records(published, planted):
    means = {
        name: np.mean(
            [r.samples["map_l1"].mean() for r in planted if (r.cell["interpreter"], r.cell["probe"]) == (name, "adv2")]
        )
        for name in ("rts", "rtsa")
    }
    text = "<!-- published: difference interpreter=rtsa probe=adv2 metric=map_l1 --><!-- end -->"
    found = re.search(r"-->([+-]\d\.\d{3}) \[", block(text, published))
    assert float(found[1]) == pytest.approx(means["rtsa"] - means["rts"], abs=0.0006)


def test_accuracy_is_a_percentage_a_training_and_what_an_attack_leaves_of_it(tmp_path):
    cells = trainings(World(n=40), ("rts",), (("clean", None, 1), ("pgd", None, 1)))
    for cell in cells:
        cell.cell["facts"]["accuracy"] = 0.9 if cell.cell["seed"] == 0 else 0.7
        cell.samples["success"] = np.arange(len(cell.samples)) % 4 == 0
    write_pack(cells, tmp_path / "few", "few")
    few = Published([read_pack(tmp_path / "few")], Bootstrap(50))
    more = len({cell.cell["seed"] for cell in cells}) - 1
    assert f"-->90.0{', 70.0' * more}<!--" in block("<!-- published: accuracy --><!-- end -->", few)
    assert f"-->67.5{', 52.5' * more}<!--" in block("<!-- published: accuracy probe=pgd --><!-- end -->", few)
    mean = (90 + 70 * more) / (1 + more)
    assert f"-->{mean:.1f}<!--" in block("<!-- published: accuracy over=trainings --><!-- end -->", few)
    with pytest.raises(ValueError, match="no cell of classifier=resnet"):
        block("<!-- published: accuracy classifier=resnet --><!-- end -->", few)


@pytest.mark.parametrize(
    "name",
    [
        *("provenance", "words", "means", "between", "table name=effects", "word claim=attack interpreter=rtsa"),
        *("sentence claim=harmless interpreter=rtsa", "ratio interpreter=rtsa probe=adv2 metric=map_l1"),
    ],
)
def test_blocks_replace_what_was_there_and_stay_the_same(published, name):
    text = f"before\n\n<!-- published: {name} -->\n0.4711\n<!-- end -->\n\nafter\n"
    once = block(text, published)
    assert "0.4711" not in once
    assert once.startswith("before\n\n") and once.endswith("\n<!-- end -->\n\nafter\n")
    assert block(once, published) == once
    assert {each.split()[0] for each in re.findall(r"published: (\w+)", once)} <= set(BLOCKS)


def test_what_is_not_published_says_so():
    assert NOT_YET in block("<!-- published: words -->\n1.000\n<!-- end -->", None)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("<!-- published: wrods --><!-- end -->", "wrods --> is no block: there are"),
        ("<!-- published: word claim=attack --><!-- end -->", "interpreter"),
        ("<!-- published: table name=nothing --><!-- end -->", "name=nothing is no table of the report"),
        ("<!-- published: difference interpreter=cam probe=adv2 metric=map_l1 --><!-- end -->", "no comparison of cam"),
    ],
)
def test_a_block_that_cannot_be_made_is_told(published, text, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        block(text, published)
