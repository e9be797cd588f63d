"""What mkdocs calls while it builds the site (mkdocs.yml): adds the pages that are made from the code."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from mkdocs.structure.files import File, Files

from tests.docs.site_pages import COPIED, MADE, copied, outside, pages_named


def on_config(config: Any) -> Any:
    """Pages of docs/ that mkdocs.yml does not name stand at the end, so that a new page needs no line there."""
    named = set(pages_named(config["nav"]))
    left = [path.name for path in sorted(Path(config["docs_dir"]).glob("*.md")) if path.name not in named]
    if left:
        config["nav"].append({"More": left})
    return config


def on_files(files: Files, config: Any) -> Files:
    """Adds the pages made from conf/ and docstrings, and README, changelog and contributing from the root."""
    for name, make in MADE.items():
        files.append(File.generated(config, name, content=make()))
    for name, source in COPIED.items():
        files.append(File.generated(config, name, content=copied(source)))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Links to source files are words here: the site has no source."""
    return outside(markdown)
