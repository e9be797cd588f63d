"""The commands that README and pages have in their code blocks, and what each of them needs."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.helpers import PROJECT

PAGES = [PROJECT / "README.md", PROJECT / "CONTRIBUTING.md", *sorted((PROJECT / "docs").glob("*.md"))]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)
PROGRAMS = ("python -m benchmark", "underfire ", "make ", "pip ", "wandb ", "torchrun ", "git ")
MESSAGE = re.compile(r"underfire( \w+)?:")  # what a command prints, in the block of an example
PLACEHOLDER = re.compile(r"(?:^|=)[A-Z]{3,}$|^\.\.\.$|^trainer=ddp$|slurm|:[A-Z]{3,}$")
NEEDS = re.compile(r"#.*\bneeds: (.+)$")


@dataclass(frozen=True)
class Command:
    """One command of a page. needs: what it cannot do without, as the page says; empty where a test can run it."""

    page: Path
    words: list[str]
    needs: str

    @property
    def settings(self) -> list[str]:
        """The words behind ``python -m benchmark`` or ``underfire``; empty for another program."""
        if self.words[:3] == ["python", "-m", "benchmark"]:
            return self.words[3:]
        return self.words[1:] if self.words[0] == "underfire" else []

    def __str__(self) -> str:
        return f"{self.page.name}: {' '.join(self.words)}"


def commands() -> Iterator[Command]:
    """Every command, in the order of the pages."""
    for page in PAGES:
        for language, block in FENCE.findall(page.read_text()):
            if language in ("", "sh", "bash", "console"):
                for line in block.replace("\\\n", " ").splitlines():
                    if line.startswith(PROGRAMS) and not MESSAGE.match(line):
                        words, needs = shlex.split(line, comments=True), NEEDS.search(line)
                        yield Command(page, words, needs[1] if needs else _placeholder(words))


def _placeholder(words: list[str]) -> str:
    """The word that a reader has to replace (ROOT), or that names other machines; empty where there is none."""
    return next((word for word in words if PLACEHOLDER.search(word)), "")
