"""Files that the pages name exist."""

from __future__ import annotations

import re

import pytest

from tests.helpers import PROJECT

PAGES = [PROJECT / "README.md", *sorted((PROJECT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```.*?^```$", re.M | re.S)
LINK = re.compile(r"\]\((?!https?:)([^)#\s]+)")
PATH = re.compile(r"`((?:benchmark|conf|docs|lightning_modules|tests)/[\w./]*)`")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_paths_of_a_page_exist(page):
    text = BLOCK.sub("", page.read_text())
    named = [page.parent / link for link in LINK.findall(text)] + [PROJECT / path for path in PATH.findall(text)]
    assert not [str(path) for path in named if not path.exists()]
