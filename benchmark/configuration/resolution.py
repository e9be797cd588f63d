"""Interpolations resolved, and for each resolved value the key that it was typed under."""

from __future__ import annotations

import re
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import MissingMandatoryValue

_REFERENCE = re.compile(r"\$\{(\.*)([A-Za-z_][\w\-]*(?:\.[\w\-]+)*)\}")
_ENVIRONMENT = re.compile(r"\$\{oc\.env:[^${}]*\}")
_MISSING = "???"

# Names of what is computed: a number or true, typed as a name, is text.
_NAMES = (
    ("data", "name"),
    ("classifier", "architecture"),
    ("classifier", "label"),
    ("interpreter", "name"),
    ("probe", "name"),
    ("probe", "source", "name"),
    ("probe", "surrogate", "architecture"),
    ("probe", "surrogate", "label"),
    ("budget", "name"),
    ("experiment_name",),
)


class Resolved(dict[str, Any]):
    """A resolved configuration. ``origins`` leads from a key to the one that its value is taken from, if any."""

    origins: dict[str, str]


class Unusual(Exception):
    """Something that only OmegaConf itself resolves, or has a message for."""


def as_dict(config: DictConfig) -> Resolved:
    """The configuration with every interpolation resolved, as plain dictionaries and lists.

    Raises:
        ValueError: a mandatory value (???) is missing; the message names it.
    """
    try:
        plain = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    except MissingMandatoryValue as error:
        raise no_value(str(error.full_key)) from None
    return with_names(plain, origins_of(OmegaConf.to_container(config, resolve=False)))


def no_value(key: str) -> ValueError:
    """What is said of a mandatory value that is missing."""
    return ValueError(f"{key} has no value: set it on the command line ({key}=...)")


def resolved(raw: dict[str, Any]) -> Resolved:
    """As :func:`as_dict`, of plain dictionaries, and much faster: most interpolations just name another key."""
    try:
        return with_names(_Resolver(raw).container((), raw), origins_of(raw))
    except Unusual:
        return as_dict(OmegaConf.create(raw))


def with_names(plain: Any, origins: dict[str, str]) -> Resolved:
    """``plain`` with its names as text; it is not changed."""
    made = Resolved(plain)
    made.origins = origins
    for path in _NAMES:
        _to_text(made, path)
    return made


def _to_text(node: dict[str, Any], path: tuple[str, ...]) -> None:
    """Replaces a number or true at ``path`` by its text, copying the groups on the way."""
    value = node.get(path[0])
    if len(path) == 1 and isinstance(value, bool | int | float):
        node[path[0]] = str(value).lower()
    elif isinstance(value, dict) and isinstance(_at(value, path[1:]), bool | int | float):
        node[path[0]] = value = dict(value)
        _to_text(value, path[1:])


def _at(node: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        node = node.get(name) if isinstance(node, dict) else None
    return node


def origins_of(raw: Any) -> dict[str, str]:
    """Of every value that is an interpolation of one other key: its own key and that key, both absolute."""
    found: dict[str, str] = {}

    def visit(path: tuple[str, ...], node: Any) -> None:
        if isinstance(node, dict | list):
            for key, value in node.items() if isinstance(node, dict) else enumerate(node):
                visit((*path, str(key)), value)
        elif isinstance(node, str) and "${" in node and (match := _REFERENCE.fullmatch(node)):
            try:
                found[".".join(path)] = ".".join(_absolute(path, match))
            except Unusual:
                return

    visit((), raw)
    return found


def _absolute(path: tuple[str, ...], match: re.Match[str]) -> tuple[str, ...]:
    """The key that a reference at ``path`` names: one dot stands for the group that it stands in."""
    dots, name = len(match[1]), tuple(match[2].split("."))
    if dots > len(path):
        raise Unusual
    return (*path[: len(path) - dots], *name) if dots else name


class _Resolver:
    def __init__(self, raw: dict[str, Any]) -> None:
        self.raw = raw
        self.known: dict[tuple[str, ...], Any] = {}
        self.open: set[tuple[str, ...]] = set()

    def container(self, path: tuple[str, ...], node: Any) -> Any:
        if isinstance(node, dict):
            return {key: self.value((*path, str(key)), value) for key, value in node.items()}
        return [self.value((*path, str(index)), value) for index, value in enumerate(node)]

    def value(self, path: tuple[str, ...], node: Any) -> Any:
        if isinstance(node, dict | list):
            return self.container(path, node)
        if not isinstance(node, str):
            return node
        if node == _MISSING:
            raise Unusual
        return self._text(path, node) if "${" in node else node

    def _text(self, path: tuple[str, ...], text: str) -> Any:
        if "\\" in text:
            raise Unusual
        if match := _REFERENCE.fullmatch(text):
            return self._at(_absolute(path, match))
        if _ENVIRONMENT.fullmatch(text):
            return OmegaConf.create({"value": text})["value"]
        rest = _REFERENCE.sub("", text)
        if "${" in rest or "}" in rest:
            raise Unusual
        return _REFERENCE.sub(lambda match: _as_text(self._at(_absolute(path, match))), text)

    def _at(self, path: tuple[str, ...]) -> Any:
        if path in self.known:
            return self.known[path]
        node: Any = self.raw
        for index, name in enumerate(path):
            if isinstance(node, str) and (match := _REFERENCE.fullmatch(node)):
                return self._at((*_absolute(path[:index], match), *path[index:]))
            try:
                node = node[name] if isinstance(node, dict) else node[int(name)] if isinstance(node, list) else None
            except (KeyError, IndexError, ValueError):
                raise Unusual from None
            if node is None and index < len(path) - 1:
                raise Unusual
        if path in self.open:
            raise Unusual
        self.open.add(path)
        self.known[path] = self.value(path, node)
        self.open.discard(path)
        return self.known[path]


def _as_text(value: Any) -> str:
    if not isinstance(value, str):
        raise Unusual
    return value
