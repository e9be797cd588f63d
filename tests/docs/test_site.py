"""The documentation site: every part has an entry with source and formula, and it builds without a network."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
import yaml

from benchmark.storage.columns import COLUMNS
from tests.docs import code_blocks
from tests.docs.picture_cells import NO_PICTURE, names
from tests.docs.site_pages import (
    COPIED,
    MADE,
    PICTURES,
    attacks_page,
    citation_page,
    copied,
    interpreters_page,
    measures_page,
    options,
    pages_named,
)
from tests.docs.source import as_markdown, find
from tests.helpers import PROJECT


def test_the_navigation_names_pages_that_there_are():
    nav = pages_named(yaml.safe_load((PROJECT / "mkdocs.yml").read_text())["nav"])
    assert len(set(nav)) == len(nav) and set(MADE) | set(COPIED) <= set(nav)
    assert not [page for page in nav if page not in {*MADE, *COPIED} and not (PROJECT / "docs" / page).is_file()]


@pytest.mark.parametrize(("group", "page"), [("interpreter", interpreters_page), ("probe", attacks_page)])
def test_every_option_has_its_words_and_its_class(group, page):
    text = page()
    for option in options(group):
        assert option.about, f"{option.path} has no comment at its head"
        section = text.split(f"{{ #{option.name} }}")[1].split("\n## ")[0]
        assert option.about in section
        if option.targets and option.name != "clean":
            assert "lines " in section or group == "probe", option.name


def test_every_measure_has_its_formula_and_its_source():
    text = measures_page()
    for column in COLUMNS:
        if column.label:
            section = text.split(f"{{ #{column.name} }}")[1].split("\n## ")[0]
            assert column.description in section and re.search(r"`benchmark|`lightning", section)


def test_every_part_has_a_picture():
    """None is missing, none is left over, and all together are small: ``python -m tests.docs.pictures``."""
    expected = {f"{group}_{name}" for group in ("interpreter", "probe") for name in names(group)}
    expected |= {f"measure_{column.name}" for column in COLUMNS if column.label and column.name not in NO_PICTURE}
    files = list(PICTURES.iterdir())
    assert {path.stem for path in files} == expected
    assert sum(path.stat().st_size for path in files) < 1_000_000
    text = interpreters_page() + attacks_page() + measures_page()
    assert text.count("](../figures/parts/") == len(files)


def test_pages_show_the_source_as_it_is():
    for page in code_blocks.PAGES:
        assert code_blocks.rewritten(page.read_text()) == page.read_text(), (
            f"{page.name}: run python -m tests.docs.code_blocks"
        )


def test_a_docstring_is_markdown_that_reads_as_it_stands():
    text = "Mean of |a - b|_1 * 2 for ``x``.\n\nArgs:\n    x: in [0, 1].\n        y <- x\nReturns:\n    z."
    assert as_markdown(text) == (
        "Mean of |a - b|\\_1 \\* 2 for `x`.\n\n\n**Args:**\n\n\n```text\nx: in [0, 1].\n    y <- x\n```\n\n\n"
        "**Returns:**\n\n\n```text\nz.\n```"
    )


def test_a_source_is_found_where_it_is_defined():
    assert find("benchmark.metrics.map_distance.l1").path == "benchmark/objectives/distances.py"
    assert find("benchmark.objectives.joint.Joint.__call__").code.startswith("def __call__(")
    with pytest.raises(ValueError, match=r"defines no l7"):
        find("benchmark.metrics.map_distance.l7")


def test_the_citation_has_both():
    text = citation_page()
    assert "@software{" in text and "@inproceedings{" in text and "Zhang, Xinyang" in text


def test_links_of_the_readme_lead_to_pages_of_the_site():
    assert not re.search(r"\]\((?:docs/|conf|LICENSE|CITATION)", copied("README.md"))


@pytest.mark.slow
def test_the_site_builds_and_loads_nothing_from_elsewhere(tmp_path):
    """Strict: a link or an anchor that leads nowhere ends the build."""
    pytest.importorskip("material", reason="pip install 'underfire[docs]'")
    ran = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--quiet", "--site-dir", str(tmp_path / "site")],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    for page in (tmp_path / "site").rglob("*.html"):
        text = page.read_text()
        loaded = re.findall(r'<(?:script|img|iframe)[^>]+src="?(https?:[^"> ]+)', text)
        loaded += re.findall(r'<link[^>]+rel="?(?:stylesheet|preconnect)"?[^>]+href="?(https?:[^"> ]+)', text)
        assert not loaded, page.name
