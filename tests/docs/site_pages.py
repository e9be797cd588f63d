"""Pages of the documentation site that are made from conf/ and docstrings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from hydra import compose, initialize_config_dir

from benchmark.configuration.resolution import as_dict
from benchmark.report.labels import interpreter_name, probe_name
from benchmark.storage.columns import COLUMNS
from tests.docs.source import as_markdown, find, module_docstring
from tests.helpers import PROJECT

CONF = PROJECT / "conf"
PICTURES = PROJECT / "docs" / "figures" / "parts"  # drawn by tests/docs/pictures.py
DRAWN = (
    "They are of a small network on the embedded digits, trained for a few minutes on one core of an AMD EPYC: they "
    "show what a part does, and not how well. `python -m tests.docs.pictures` draws them anew."
)
OURS = ("benchmark.", "lightning_modules.")
KEY = re.compile(r"^(\w+):[^#\n]*#\s*(.+)$", re.M)


@dataclass(frozen=True)
class Option:
    """One option of a group: the file, and what it composes to."""

    group: str
    name: str

    @property
    def path(self) -> Path:
        return CONF / self.group / f"{self.name}.yaml"

    @cached_property
    def text(self) -> str:
        return self.path.read_text()

    @property
    def about(self) -> str:
        """The comment at the head of the file."""
        head = re.match(r"(?:#.*\n)+", self.text)
        lines = head[0].splitlines() if head else []
        return " ".join(line.lstrip("# ") for line in lines if "@package" not in line and "python -m" not in line)

    @property
    def keys(self) -> list[tuple[str, str, str]]:
        """(key, value, comment) of the keys that the file itself sets."""
        values = yaml.safe_load(self.text) or {}
        return [
            (name, values[name], about)
            for name, about in KEY.findall(self.text)
            if name in values and not isinstance(values[name], dict | list)
        ]

    @cached_property
    def config(self) -> dict[str, Any]:
        with initialize_config_dir(version_base="1.3", config_dir=str(CONF)):
            return as_dict(compose("run", overrides=[f"{self.group}={self.name}", "data.root=/data"]))[self.group]

    @cached_property
    def targets(self) -> list[str]:
        """Our classes that it is made of, each once, from the outside in."""
        return list(dict.fromkeys(target for target in _targets(self.config) if target.startswith(OURS)))


def _targets(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if "_target_" in node:
            yield node["_target_"]
        for value in node.values():
            yield from _targets(value)
    elif isinstance(node, list):
        for value in node:
            yield from _targets(value)


def options(group: str) -> list[Option]:
    """The options of a group, without bases."""
    return [Option(group, path.stem) for path in sorted((CONF / group).glob("*.yaml"))]


def interpreters_page() -> str:
    """Every interpreter: what it is, its formula, its keys, and the class that computes it."""
    head = (
        "# Interpreters\n\nAll have one interface, (image, class) to map in [0, 1], batched. *Made from "
        "`conf/interpreter` and the docstrings of the classes that it names.*\n\nPictures: above some inputs with the "
        "outlines of their objects, below the maps of the predicted class over them, from transparent (0) over dark to "
        "yellow (1); the ensemble is of Grad-CAM and gradient, RTS and its relatives are those of `make bench`. "
        f"{DRAWN}"
    )
    return "\n\n".join([head, *(_section(each, interpreter_name(each.name)) for each in options("interpreter"))])


def attacks_page() -> str:
    """Every probe: noise and attacks."""
    head = (
        "# Noise and attacks\n\nAn attack is a perturbation and a list of phases of objectives, run by one loop; noise "
        "is calibrated to a misclassification rate. *Made from `conf/probe` and the docstrings of the classes that it "
        "names.*\n\nPictures: one input, what becomes of it, the difference amplified around grey, and the maps of "
        f"both by Grad-CAM; the sample is the one nearest to the middle of those that succeeded. {DRAWN}"
        "\n\n## The loop\n\n" + _docstring("benchmark.probes.attack.GradientAttack")
    )
    return "\n\n".join([head, *(_section(each, probe_name(each.name)) for each in options("probe"))])


def _section(option: Option, title: str) -> str:
    """One option: heading, what it is, how it is chosen, its keys, and the classes behind it."""
    parts = [f"## {title} {{ #{option.name} }}", option.about, f"`{option.group}={option.name}`"]
    parts.append(_picture(f"{option.group}_{option.name}", title))
    if option.keys:
        rows = [f"| `{option.group}.{key}` | `{value}` | {about} |" for key, value, about in option.keys]
        parts.append("\n".join(["| key | value | what it is |", "| --- | --- | --- |", *rows]))
    shown = [each for each in option.targets if not each.startswith(SHARED)]
    parts += [f'??? info "{each.rpartition(".")[2]}"\n\n{_indented(_docstring(each))}' for each in shown]
    return "\n\n".join(part for part in parts if part)


def _picture(name: str, title: str) -> str:
    """The picture of a part; nothing where it has none."""
    return f"![{title}](../figures/parts/{name}.png)" if (PICTURES / f"{name}.png").is_file() else ""


# Classes that most options share: they are described once, at the head of the page.
SHARED = ("benchmark.probes.attack.", "benchmark.probes.goal_attack.", "benchmark.probes.members.")


def _docstring(target: str) -> str:
    source = find(target)
    own, module = as_markdown(source.docstring), as_markdown(module_docstring(target))
    return "\n\n".join(part for part in (own, module, f"*{source.place}*") if part)


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" if line else "" for line in text.splitlines())


def measures_page() -> str:
    """Every column of a record: formula, unit, range, direction, and the function that computes it."""
    parts = [
        "# Measures\n\nx is the input, x' the perturbed input, f(x) the class that the classifier predicts, m(x, c) "
        "the map of x for class c. *Made from the schema of records and the docstrings of the functions that it "
        "names.*\n\nPictures: the values of the samples of one cell, and those samples that have the lowest, the "
        "middle and the highest of them. Of a clean cell the input, with its object's outline, and its map; under a "
        f"probe the benign map and the map of the perturbed input, each over its image. {DRAWN}"
    ]
    for column in COLUMNS:
        if not column.label:
            continue
        low, high = column.range
        facts = [f"unit: {column.unit}", f"range: {low:g} to {high:g}", f"in: {column.when}"]
        facts += [f"larger is {column.direction}"] if column.direction else []
        facts += [f"NaN where {column.null}"] if column.null else []
        parts.append(f"## {column.label} {{ #{column.name} }}\n\n`{column.name}`: {column.description}.")
        parts.append("\n".join(f"* {fact}" for fact in facts))
        parts.append(_picture(f"measure_{column.name}", column.label))
        parts.append(f'??? info "{column.source.rpartition(".")[2]}"\n\n{_indented(_docstring(column.source))}')
    return "\n\n".join(part for part in parts if part)


def experiments_page() -> str:
    """Every experiment: what it sweeps over, and the command."""
    parts = ["# Experiments\n\nSweeps with a name. *Made from `conf/experiment`.*"]
    for each in options("experiment"):
        parts.append(f"## {each.name} {{ #{each.name} }}\n\n{each.about}")
        parts.append(f"```\npython -m benchmark run experiment={each.name}\n```")
    return "\n\n".join(parts)


def citation_page() -> str:
    """How to cite, from CITATION.cff."""
    found = yaml.safe_load((PROJECT / "CITATION.cff").read_text())
    (paper,) = found["references"]
    authors = " and ".join(f"{each['family-names']}, {each['given-names']}" for each in paper["authors"])
    year, title = str(found["date-released"])[:4], found["title"]
    suite = [f"@software{{underfire{year},", f"  title = {{{title}}},", "  author = {{The underfire authors}},"]
    suite += [f"  version = {{{found['version']}}},", f"  year = {{{year}}}", "}"]
    theirs = [
        f"@inproceedings{{zhang{paper['year']},",
        f"  title = {{{paper['title']}}},",
        f"  author = {{{authors}}},",
    ]
    theirs += [f"  booktitle = {{{paper['collection-title']}}},", f"  year = {{{paper['year']}}}", "}"]
    code = "\n".join([*suite, "", *theirs])
    return f"# How to cite\n\n{found['message']} *Made from `CITATION.cff`.*\n\n```bibtex\n{code}\n```"


MADE = {
    "parts/interpreters.md": interpreters_page,
    "parts/attacks.md": attacks_page,
    "parts/measures.md": measures_page,
    "parts/experiments.md": experiments_page,
    "cite.md": citation_page,
}

# Files of the root that are pages of the site.
COPIED = {"index.md": "README.md", "changelog.md": "CHANGELOG.md", "contributing.md": "CONTRIBUTING.md"}
_ELSEWHERE = {"LICENSE": "licences.md", "CITATION.cff": "cite.md", "CHANGELOG.md": "changelog.md"}
_ELSEWHERE |= {"conf": "parts/experiments.md"}
_LINK = re.compile(r"\]\(([^)#\s]+)(#[^)\s]*)?\)")


def copied(name: str) -> str:
    """A page of the root with its links as the site has them; what the site lacks is no link."""
    text = (PROJECT / name).read_text()

    def link(found: re.Match[str]) -> str:
        target, anchor = found[1], found[2] or ""
        if re.match(r"https?:", target):
            return found[0]
        inside = _ELSEWHERE.get(target, target.removeprefix("docs/"))
        return f"]({inside}{anchor})"

    return _LINK.sub(link, text)


def outside(text: str) -> str:
    """A page of docs/ without its links to files that the site does not have."""
    return re.sub(r"\[([^\]]+)\]\((?:\.\./)+[^)]*\)", r"\1", text)


def pages_named(nav: Any) -> list[str]:
    """The pages that a navigation names."""
    if isinstance(nav, str):
        return [nav]
    return [page for each in (nav.values() if isinstance(nav, dict) else nav) for page in pages_named(each)]
