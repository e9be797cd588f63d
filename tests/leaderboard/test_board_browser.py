"""The leaderboard in a browser: nothing is wrong in it, and a row is seen whole on a phone."""

from __future__ import annotations

import pytest

from benchmark.leaderboard.board import build
from benchmark.leaderboard.page import write_board
from benchmark.report.statistics.bootstrap import Bootstrap
from tests.helpers import PROJECT


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    published = PROJECT / "docs" / "results" / "v1"
    return write_board(build([published], bootstrap=Bootstrap(20)), tmp_path_factory.mktemp("board"))[0]


@pytest.mark.parametrize("width", [1280, 390])
def test_a_row_is_seen(browser, path, width):
    """On a phone all of it, on a desktop up to the number that counts and its flags; and nothing goes wrong."""
    page = browser.new_page(viewport={"width": width, "height": 844})
    errors, requests = [], []
    page.on("console", lambda message: errors.append(message.text))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(path.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    fields = page.locator("tbody tr").first.locator("td").all()
    assert len(fields) == page.locator("thead").first.locator("th").count()
    boxes = [each.bounding_box() for each in (fields if width < 700 else fields[:6])]
    assert all(box["x"] >= 0 and box["x"] + box["width"] <= width for box in boxes)
    page.locator("thead button", has_text="defence").first.click()
    assert page.locator("th[aria-sort=ascending]").count() == 1
    names = page.locator("table").first.locator("tbody td:nth-child(4)").all_inner_texts()
    assert names == sorted(names, key=str.lower)
    assert errors == [] and requests == [path.as_uri()]
    page.close()
