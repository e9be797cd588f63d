"""Docstrings and lines of the source, found without importing it."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from textwrap import dedent

from tests.helpers import PROJECT

Definition = ast.ClassDef | ast.FunctionDef


@dataclass(frozen=True)
class Source:
    """A class or function of ours: where it stands, its docstring, and its lines without the docstring."""

    path: str
    name: str
    first: int
    last: int
    docstring: str
    code: str

    @property
    def place(self) -> str:
        """'benchmark/objectives/joint.py, lines 10 to 30'."""
        return f"`{self.path}`, lines {self.first} to {self.last}"


def find(target: str) -> Source:
    """The source of ``package.module.Name`` or ``package.module.Class.method``.

    Raises:
        ValueError: there is none in this project.
    """
    parts = target.split(".")
    for length in range(len(parts) - 1, 0, -1):
        path = Path(*parts[:length]).with_suffix(".py")
        if (PROJECT / path).is_file():
            return _in_file(path, parts[length:])
    raise ValueError(f"{target} is no module of this project")


@cache
def module_docstring(target: str) -> str:
    """The docstring of the module in which ``target`` is defined."""
    return ast.get_docstring(_tree(find(target).path)) or ""


@cache
def _tree(path: str) -> ast.Module:
    return ast.parse((PROJECT / path).read_text())


def _in_file(path: Path, names: list[str]) -> Source:
    node: ast.AST = _tree(str(path))
    imports = [each for each in ast.iter_child_nodes(node) if isinstance(each, ast.ImportFrom)]
    for each in imports:  # a name that another module of ours defines
        named = {alias.name for alias in each.names}
        if names[0] in named and (each.module or "").startswith("benchmark."):
            return find(".".join([str(each.module), *names]))
    for name in names:
        node = next(
            (each for each in ast.iter_child_nodes(node) if isinstance(each, Definition) and each.name == name), node
        )
        if not isinstance(node, Definition) or node.name != name:
            raise ValueError(f"{path} defines no {'.'.join(names)}")
    assert isinstance(node, Definition)
    docstring = ast.get_docstring(node) or ""
    lines = (PROJECT / path).read_text().splitlines()
    first, last = node.lineno, node.end_lineno or node.lineno
    kept = lines[first - 1 : last]
    if docstring:
        said = node.body[0]
        kept = lines[first - 1 : said.lineno - 1] + lines[(said.end_lineno or said.lineno) : last]
    return Source(str(path), names[-1], first, last, docstring, dedent("\n".join(kept)).strip())


def _escaped(line: str) -> str:
    """A line of prose in which Markdown reads nothing but the code in it."""
    parts = re.split(r"(`+[^`]+`+)", line)
    return "".join(part.replace("``", "`") if part.startswith("`") else _literal(part) for part in parts)


def _literal(text: str) -> str:
    return re.sub(r"([\\\[\]*_])", r"\\\1", text).replace("<", "&lt;")


def as_markdown(docstring: str) -> str:
    """A docstring as Markdown: what is indented stays as it is (a formula, arguments), words in `` are code."""
    found, block = [], []
    for line in [*docstring.splitlines(), ""]:
        indented = line.startswith("    ")
        if indented or (block and not line.strip()):
            block.append(line)
            continue
        if block:
            found += ["", "```text", dedent("\n".join(block)).strip(), "```", ""]
            block = []
        if re.fullmatch(r"(Args|Returns|Raises|Attributes):", line):
            found += ["", f"**{line}**", ""]
        else:
            found.append(_escaped(line))
    if block:
        found += ["", "```text", dedent("\n".join(block)).strip(), "```"]
    return "\n".join(found).strip()
