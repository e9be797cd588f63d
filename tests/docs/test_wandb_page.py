"""docs/wandb.md and its picture say what runs log and what the dashboard shows."""

from __future__ import annotations

import re
from html import unescape

from benchmark.tracking.dashboard.layout import panels
from tests.docs.wandb_page import BLOCK, BLOCKS, PAGE, PICTURE, rewritten


def test_the_tables_are_those_of_the_layout():
    text = PAGE.read_text()
    assert [found[1] for found in BLOCK.finditer(text)] == list(BLOCKS)
    assert rewritten(text) == text, "run python -m tests.docs.wandb_page"


def test_every_panel_is_in_the_picture():
    drawn = unescape(" ".join(re.findall(r"<text [^>]*>([^<]*)</text>", PICTURE.read_text())))
    missing = {panel.title for _, panel in panels() if panel.title not in drawn}
    assert not missing, "run python -m tests.docs.wandb_page"
