"""Hydra's composition of a command with every file read once, for sweeps of many combinations of groups.

Which files make up a configuration, and in which order, is decided by Hydra's own defaults list; merging plain
dictionaries and applying overrides is done here. Whatever is out of the ordinary is left to Hydra. That both give the
same is held by a test over every option.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.defaults_list import create_defaults_list
from hydra.core.default_element import ResultDefault
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.types import Override
from omegaconf import OmegaConf

from benchmark.configuration.messages import null_group
from benchmark.configuration.resolution import Unusual
from benchmark.numerics.expectations import near, shown

Tree = dict[str, Any]
File = tuple[str, str]  # of the configuration and the package that it is put in


class OverrideError(ValueError):
    """An override that names no key, or one that is there already."""


@dataclass(frozen=True)
class Merged:
    """The files of a command line merged in order, before values are overridden; ``values`` are those overrides."""

    tree: Tree
    files: list[File]
    values: list[Override]
    sweeper: Any = None  # what the files say of the sweeper


class Composer:
    """The configurations of one command. Lives inside ``initialize_config_dir``."""

    def __init__(self, command: str, parse: Callable[[list[str]], list[Override]], overrides: list[str]) -> None:
        loader = GlobalHydra.instance().config_loader()
        assert isinstance(loader, ConfigLoaderImpl)
        self.command = command
        self.parse = parse
        _, self.repository = loader._parse_overrides_and_create_caching_repo(command, overrides)
        self.plain: dict[File, Tree] = {}

    def merged(self, overrides: list[str]) -> Merged:
        """The merged files.

        Raises:
            HydraException: Hydra's, for groups and options that are not there.
            OverrideError: a group is given no option.
            Unusual: the merge is one that is left to Hydra.
        """
        parsed = self.parse(overrides)
        for override in parsed:
            self._check_option(override)
        found = create_defaults_list(
            repo=self.repository,
            config_name=self.command,
            overrides_list=parsed,
            prepend_hydra=True,
            skip_missing=False,
        )
        own = [each for each in found.defaults if not str(each.config_path).startswith("hydra/")]
        tree: Tree = {}
        for each in own:
            _merge(tree, self._file(each))
        sweeper = tree.pop("hydra", {}).get("sweeper")
        return Merged(tree, [_named(each) for each in own], found.config_overrides, sweeper)

    def _check_option(self, override: Override) -> None:
        group = override.key_or_group
        if override.is_delete() or override.is_sweep_override() or not self.repository.group_exists(group):
            return
        value = override.value()
        if value is None:
            raise OverrideError(null_group(group))
        if not all(isinstance(option, str) for option in (value if isinstance(value, list) else [value])):
            raise OverrideError(f"{group} is a group of options: name one ({group}=NAME), got {shown(value)}")

    def _file(self, default: ResultDefault) -> Tree:
        name = _named(default)
        if name not in self.plain:
            loaded = self.repository.load_config(name[0])
            assert loaded is not None
            tree: Any = OmegaConf.to_container(loaded.config, resolve=False)
            if not isinstance(tree, dict):
                raise Unusual
            tree.pop("defaults", None)
            package = default.package if default.package is not None else loaded.header["package"]
            for key in reversed((package or "").split(".") if package else []):
                tree = {key: tree}
            self.plain[name] = tree
        return self.plain[name]


def _named(default: ResultDefault) -> File:
    return str(default.config_path), str(default.package or "")


def _merge(tree: Tree, other: Tree) -> None:
    """Merges ``other`` into ``tree`` as OmegaConf does."""
    for key, value in other.items():
        before = tree.get(key)
        if key not in tree:
            tree[key] = copy.deepcopy(value)
        elif isinstance(value, str) and value == "???":
            continue  # a mandatory value takes nothing away
        elif isinstance(before, dict) and isinstance(value, dict):
            _merge(before, value)
        elif isinstance(value, dict | list) and isinstance(before, str) and "${" in before:
            raise Unusual  # merged with what the interpolation stands for
        elif {type(before), type(value)} == {dict, list}:
            raise Unusual  # refused
        else:
            tree[key] = copy.deepcopy(value)


def changed_files(merged: Merged, base: Merged) -> set[File]:
    """The files that one of two merges has and the other has not."""
    return set(merged.files) ^ set(base.files)


def in_common(merged: Merged, base: Merged) -> list[File]:
    """The files of a merge, in order, without those that the other has not."""
    both = set(merged.files) & set(base.files)
    return [each for each in merged.files if each in both]


def overlap(one: set[str], other: set[str]) -> bool:
    """Whether a package of ``one`` is a package of ``other``, or stands below or above it."""
    return any(_below(a, b) or _below(b, a) for a in one for b in other)


def _below(package: str, above: str) -> bool:
    return above == "" or package == above or package.startswith(f"{above}.")


def with_package(tree: Tree, package: str, source: Tree) -> Tree:
    """``tree`` with the package of ``source`` in place of its own; nothing of either is changed."""
    first, _, rest = package.partition(".")
    made = dict(tree)
    if not rest:
        made.pop(first, None)
        if first in source:
            made[first] = source[first]
    elif isinstance(source.get(first), dict) and isinstance(tree.get(first), dict):
        made[first] = with_package(tree[first], rest, source[first])
    elif first in source:
        raise Unusual
    return made


def overridden(tree: Tree, overrides: list[Override]) -> Tree:
    """``tree`` with the overridden values; parts that are not touched are shared with ``tree``.

    Raises:
        OverrideError: an override names no key, or adds one that is there.
        Unusual: an override that is left to Hydra.
    """
    made = dict(tree)
    for each in overrides:
        if each.package is not None:
            raise Unusual
        if not str(each.key_or_group).startswith("hydra."):
            _apply(made, each)
    return made


def _apply(tree: Tree, override: Override) -> None:
    key, value = override.key_or_group, override.value()
    adding = override.is_add() or override.is_force_add()
    if "[" in key or (isinstance(value, dict) and not adding):
        raise Unusual
    *parents, last = key.split(".")
    node: Any = tree
    for index, name in enumerate(parents):
        if isinstance(node, dict) and name not in node:
            if not adding:
                raise OverrideError(_no_key(".".join(parents[:index]), name, node, key))
            node[name] = {}
        child = _child(node, name)
        if not isinstance(child, dict | list):
            raise Unusual
        child = copy.copy(child)
        node[name if isinstance(node, dict) else int(name)] = child
        node = child
    if isinstance(node, list):
        _child(node, last)
        if adding or override.is_delete():
            raise Unusual
        node[int(last)] = value
        return
    if override.is_delete():
        if node.get(last) is None or value is not None:
            raise Unusual
        del node[last]
    elif override.is_add() and node.get(last) is not None:
        raise OverrideError(f"+{key}: there is such a key already, leave out the +")
    elif isinstance(value, dict) and isinstance(node.get(last), dict | str):
        raise Unusual
    elif not adding and last not in node:
        raise OverrideError(_no_key(".".join(parents), last, node, key))
    else:
        node[last] = value


def _child(node: Any, name: str) -> Any:
    try:
        return node[name] if isinstance(node, dict) else node[int(name)]
    except (ValueError, IndexError):
        raise Unusual from None


def _no_key(group: str, name: str, node: Tree, key: str) -> str:
    where = f"{group}." if group else ""
    there = [str(each) for each in node if each != "_target_"]
    found = near(name, there)
    hint = f"did you mean {where}{found[0]}?" if found else f"there are {', '.join(there)}"
    return f"{key} is no key of {group or 'the configuration'}: {hint}"
