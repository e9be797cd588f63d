"""Writes the lines of the source that pages show: ``python -m tests.docs.code_blocks``.

A page marks where they stand: ``<!-- code: package.module.name -->`` up to ``<!-- end -->``.
"""

from __future__ import annotations

import re

from tests.docs.source import find
from tests.helpers import PROJECT

BLOCK = re.compile(r"<!-- code: ([\w.]+) -->\n.*?<!-- end -->", re.S)
PAGES = [PROJECT / "README.md", *sorted((PROJECT / "docs").glob("*.md"))]


def rewritten(text: str) -> str:
    """The page with the lines that the source has now, and where they stand."""

    def block(found: re.Match[str]) -> str:
        source = find(found[1])
        head = f"<!-- code: {found[1]} -->\n*`{source.path}`*\n"
        return f"{head}\n```python\n{source.code}\n```\n<!-- end -->"

    return BLOCK.sub(block, text)


def main() -> None:
    for page in PAGES:
        text = page.read_text()
        if (made := rewritten(text)) != text:
            page.write_text(made)


if __name__ == "__main__":
    main()
