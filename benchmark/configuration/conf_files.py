"""The files of conf/ as people read them: what each is for, its keys with their comments, and the options of a group.

Text alone, without Hydra: what is printed as help, and offered when a word is completed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

_LINE = re.compile(r"^(?P<blank> *)(?P<key>[\w@/]+):(?P<value>(?:\s+[^\s#]\S*)*)\s*(?:#\s*(?P<comment>.*))?$")
_ENTRY = re.compile(r"^(?P<blank> *)- ")
_EXAMPLE = re.compile(r"^\s{2,}python -m benchmark ")


def conf_folder() -> Path:
    """Where the configuration lies: inside the installed package, or beside it in a checkout."""
    here = Path(__file__).resolve().parents[1]
    inside = here / "conf"
    return inside if inside.is_dir() else here.parent / "conf"


@dataclass(frozen=True)
class Key:
    """A key with its dots, the text of its value (empty for a group of keys), and its comment."""

    name: str
    value: str
    comment: str


@dataclass(frozen=True)
class ConfFile:
    """A yaml of conf/: the sentences and the examples of its first comment, its own keys, and its list of defaults."""

    about: str = ""
    examples: list[str] = field(default_factory=list)
    keys: list[Key] = field(default_factory=list)
    defaults: list[Any] = field(default_factory=list)


def read(path: Path) -> ConfFile:
    """One file, without those that it includes."""
    text = path.read_text(encoding="utf-8")
    head = []
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        head.append(line[1:])
    examples = [line.strip() for line in head if _EXAMPLE.match(line)]
    about = " ".join(line.strip() for line in head if not _EXAMPLE.match(line))
    loaded = yaml.safe_load(text)
    defaults = loaded.get("defaults", []) if isinstance(loaded, dict) else []
    sentence = about.strip().rstrip(":.")
    return ConfFile(f"{sentence}." if sentence else "", examples, list(_keys(text)), defaults)


def _keys(text: str) -> Iterator[Key]:
    """Every key of a mapping, with its dots; what stands in lists, and Hydra's own, is left out."""
    above: list[tuple[int, str]] = []
    for line in text.splitlines():
        found = _LINE.match(line) or _ENTRY.match(line)
        if found is None:
            continue
        depth = len(found["blank"])
        while above and above[-1][0] >= depth:
            above.pop()
        name = "_" if found.re is _ENTRY else found["key"]
        names = [*(name for _, name in above), name]
        above.append((depth, name))
        if names[0] not in ("defaults", "hydra", "modules") and not any(name.startswith("_") for name in names):
            yield Key(".".join(names), found["value"].strip(), (found["comment"] or "").strip())


def command_defaults(conf: Path, command: str) -> tuple[list[tuple[str, str]], list[Key]]:
    """What can be set for a command: the groups with the option that each has, and the keys of its own files."""
    groups: list[tuple[str, str]] = []
    keys: list[Key] = []
    _collect(conf, command, groups, keys)
    return groups, keys


def _collect(conf: Path, name: str, groups: list[tuple[str, str]], keys: list[Key]) -> None:
    file = read(conf / f"{name}.yaml")
    for entry in file.defaults:
        if isinstance(entry, str) and entry != "_self_":
            _collect(conf, entry.lstrip("/"), groups, keys)
        elif isinstance(entry, dict):
            groups += [
                (str(key), str(value or "null")) for key, value in entry.items() if not key.startswith("override")
            ]
    keys += file.keys


def options_of(folders: Iterable[Path], group: str) -> list[str]:
    """The options of a group of conf/ and of further folders; empty where there is no such group."""
    found = {path.stem for folder in folders for path in (folder / group).glob("*.yaml")}
    return sorted(name for name in found if not name.startswith("_"))


def groups_of(folders: Iterable[Path]) -> list[str]:
    """Every group of options, those inside another one with a slash."""
    found = set()
    for folder in folders:
        for path in folder.rglob("*.yaml"):
            group = path.parent.relative_to(folder).as_posix()
            if group not in (".", "wandb"):
                found.add(group)
    return sorted(found)


def keys_of_group(folders: Iterable[Path], group: str, option: str | None = None) -> list[Key]:
    """The keys of a group's options, or of one of them, with what it includes; each name once, as ``group.key``."""
    folders = list(folders)
    found: dict[str, Key] = {}
    for name in options_of(folders, group) if option is None else [option]:
        for key in _with_included(folders, group, name, set()):
            name_here = f"{group.replace('/', '.')}.{key.name}"
            before = found.get(name_here, Key("", "", ""))
            value = before.value if option is None and before.name else key.value
            found[name_here] = Key(name_here, value, before.comment or key.comment)
    return [found[name] for name in sorted(found)]


def _with_included(folders: list[Path], group: str, name: str, seen: set[str]) -> Iterator[Key]:
    """The keys of an option, after those of the files that go to the same place of the configuration."""
    where = name.lstrip("/") if name.startswith("/") else f"{group}/{name}"
    path = next((each for folder in folders if (each := folder / f"{where}.yaml").is_file()), None)
    if path is None or where in seen:
        return
    seen.add(where)
    file = read(path)
    for entry in file.defaults:
        if isinstance(entry, str) and entry != "_self_" and entry.partition("@")[2] in ("", "_here_"):
            yield from _with_included(folders, group, entry.partition("@")[0], seen)
    yield from file.keys
