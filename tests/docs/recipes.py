"""The files and commands that docs/adding_parts.md has the reader write and run."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)
FILE = re.compile(r"(?:# @package.*\n)?# (my_(?:parts|conf)/\S+)\n")  # Hydra reads @package in the first line only


@dataclass(frozen=True)
class Recipe:
    """One section: its heading, its files by path, and the arguments of its command ``python -m benchmark``."""

    heading: str
    files: dict[str, str]
    arguments: list[str]


def recipes(page: Path) -> list[Recipe]:
    """The sections of a page that hold a command."""
    sections = re.split(r"^## ", page.read_text(), flags=re.M)[1:]
    return [recipe for recipe in map(_recipe, sections) if recipe.arguments]


def _recipe(section: str) -> Recipe:
    blocks = [text for _, text in BLOCK.findall(section)]
    files = {found[1]: text for text in blocks if (found := FILE.match(text))}
    commands = [text.split() for text in blocks if text.startswith("python -m benchmark ")]
    return Recipe(section.partition("\n")[0], files, commands[0][3:] if commands else [])
