"""The report's page in a browser, where there is one: headless Chromium of the system, driven by playwright."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.report import index_page

# What a page of several settings has beside this one: their long titles to choose from.
MANY_SETTINGS = """document.querySelector("#verdict").insertAdjacentHTML("afterbegin",
    `<p><label>Setting <select id="setting"><option>${"a long title, ".repeat(9)}</option></select></label></p>`)"""


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> Path:
    return index_page.build(tmp_path_factory.mktemp("browser"))


@pytest.fixture
def page(browser, path):
    """The opened page at desktop width. Afterwards: no error in its console, and no request for anything else."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    opened = context.new_page()
    errors, requests = [], []
    opened.on("console", lambda message: errors.append(message.text) if message.type in ("error", "warning") else None)
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.on("request", lambda request: requests.append(request.url))
    opened.goto(path.as_uri())
    yield opened
    assert errors == []
    assert [url for url in requests if not url.startswith("data:")] == [path.as_uri()]
    context.close()


def column(page, table: str, place: int) -> list[str]:
    return page.locator(f'[data-table="{table}"] tbody tr td:nth-child({place})').all_inner_texts()


def test_tables_sort_and_filter(page):
    table = page.locator('[data-table="attack_rates"]')
    table.scroll_into_view_if_needed()
    names = column(page, "attack_rates", 2)
    assert {name.split()[0] for name in names} == {"rts", "rtsa"}
    heading = table.locator("thead button", has_text="L∞")
    success = table.locator("thead button", has_text="success").first
    success.click()
    values = [float(text.split()[0]) for text in column(page, "attack_rates", 4)]
    assert values == sorted(values)
    success.click()
    assert [float(text.split()[0]) for text in column(page, "attack_rates", 4)] == sorted(values, reverse=True)
    assert table.locator("th[aria-sort=descending]").count() == 1
    heading.click()
    assert table.locator("th[aria-sort]").count() == 1
    table.locator("input").fill("pgd rtsa")
    assert column(page, "attack_rates", 1) == ["pgd"]
    assert "1 of" in table.locator("[role=status]").inner_text()


def test_numbers_lead_to_their_records(page):
    page.locator('[data-table="attack_rates"] tbody .cells').first.click()
    dialog = page.locator("#sources")
    assert dialog.is_visible()
    assert dialog.locator(".source").count() == 3
    assert dialog.locator("code").first.inner_text().startswith("python -m benchmark run ")
    page.keyboard.press("Escape")
    assert not dialog.is_visible()
    page.locator("#transfer td button").first.click()
    assert dialog.locator(".source").count() == 1


def pixels(page, canvas: str) -> str:
    """The picture that a canvas shows."""
    return page.locator(canvas).first.evaluate("canvas => canvas.toDataURL()")


def test_the_slider_goes_from_benign_to_perturbed(page):
    page.locator("#figures").scroll_into_view_if_needed()
    tile = "#figures .tile canvas"
    page.wait_for_function("document.querySelector('#figures .tile canvas').width === 672")  # drawn
    perturbed = pixels(page, tile)
    page.locator("#share").fill("0")
    page.wait_for_timeout(100)
    benign = pixels(page, tile)
    assert benign != perturbed
    page.locator(tile).first.focus()  # the other end, while it has the focus
    page.wait_for_timeout(100)
    assert pixels(page, tile) == perturbed
    page.locator("#view button", has_text="difference").click()
    page.locator("#share").fill("100")
    page.wait_for_timeout(100)
    assert pixels(page, tile) not in (benign, perturbed)


def test_samples_are_found(page):
    page.locator("#gallery").scroll_into_view_if_needed()
    page.wait_for_selector("#cards .card")
    everything = page.locator("#found").inner_text()
    page.locator("select[name=outcome]").select_option("success")
    page.locator("select[name=probe]").select_option("pgd")
    page.locator("input[name=text]").fill("class 3 ")
    cards = page.locator("#cards .card").all_inner_texts()
    assert cards and all("class reached" in text and "pgd" in text for text in cards)
    assert all("class 3 →" in text or "→ 3" in text for text in cards)
    assert page.locator("#found").inner_text() != everything
    page.locator("#cards .card").first.click()
    assert page.locator("#sample").is_visible()
    assert "benign spread" in page.locator("#sample").inner_text()


def test_it_fits_a_phone_and_the_dark(browser, path, tmp_path):
    for name, width, scheme in (("phone", 390, "light"), ("desktop", 1280, "dark")):
        context = browser.new_context(viewport={"width": width, "height": 844}, color_scheme=scheme)
        page = context.new_page()
        page.goto(path.as_uri())
        page.wait_for_selector("[data-table]")
        page.evaluate(MANY_SETTINGS)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert ground == ("rgb(255, 255, 255)" if scheme == "light" else "rgb(16, 20, 26)")
        page.locator("#theme").click()
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") != ground
        page.screenshot(path=tmp_path / f"{name}.png")
        context.close()


def test_a_row_of_a_table_is_seen_whole_on_a_phone(browser, path):
    """Its numbers, bars and records, without scrolling to the side; on a desktop the button of its records."""
    for width, parts in ((390, "td, .ci, .cells"), (1280, ".cells")):
        context = browser.new_context(viewport={"width": width, "height": 844})
        page = context.new_page()
        page.goto(path.as_uri())
        row = page.locator('[data-table="claims"] tbody tr').first
        row.scroll_into_view_if_needed()
        boxes = [each.bounding_box() for each in row.locator(parts).all()]
        assert boxes and all(box["x"] >= 0 and box["x"] + box["width"] <= width for box in boxes)
        context.close()
