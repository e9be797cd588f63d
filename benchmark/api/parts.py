"""Interpreters and attacks by name, from the same options as the command line: ``conf/interpreter``, ``conf/probe``.

Options are read without Hydra. A new yaml there is a new name here.
"""

from __future__ import annotations

import copy
import importlib
from collections.abc import Mapping
from functools import cache
from typing import Any

import yaml
from omegaconf import OmegaConf

from benchmark.configuration.conf_files import conf_folder
from benchmark.numerics.expectations import near

Node = dict[str, Any]

# Keys that say what an option is called or how a cell is computed, and not what the part does.
_OF_CELLS = {
    *("name", "network", "module", "objective", "warmup_objective", "stages", "reference", "inner", "encoder"),
    *("level", "steps_factor", "samples", "batch_size", "needs_map", "source", "surrogate", "members"),
}
_SAMPLES_OF_A_MAP = {"smoothgrad", "integrated_gradients"}


@cache
def _file(path: str) -> Any:
    return yaml.safe_load((conf_folder() / path).read_text(encoding="utf-8"))


def names(group: str) -> list[str]:
    """The options of a group, as ``interpreter`` or ``probe``."""
    return sorted(path.stem for path in (conf_folder() / group).glob("*.yaml") if not path.stem.startswith("_"))


def _composed(group: str, name: str) -> Node:
    """An option's yaml on top of those that it names in its defaults."""
    own = copy.deepcopy(_file(f"{group}/{name}.yaml" if not name.startswith("/") else f"{name[1:]}.yaml"))
    defaults = own.pop("defaults", ["_self_"])
    merged: Any = OmegaConf.create({})
    for entry in defaults:
        if entry == "_self_":
            merged = OmegaConf.merge(merged, own)
        elif isinstance(entry, str) and (entry.endswith("@_here_") or "@" not in entry):
            merged = OmegaConf.merge(merged, OmegaConf.create(_composed(group, entry.removesuffix("@_here_"))))
    found: Any = OmegaConf.to_container(merged)
    return dict(found)


def settings(group: str, name: str, options: Mapping[str, Any]) -> Node:
    """A group's option with some of its keys set; interpolations are not worked out yet.

    Raises:
        ValueError: an unknown name or key; the sentence has the near ones.
    """
    what = {"interpreter": "method", "probe": "attack"}[group]
    known = names(group)
    if name not in known:
        close = near(name, known)
        raise ValueError(f"there is no {what} {name!r}: {_hint(close, known)}")
    found = _composed(group, name)
    keys = [key for key in found if key not in _OF_CELLS or (key == "samples" and name in _SAMPLES_OF_A_MAP)]
    for key, value in options.items():
        if key not in keys:
            raise ValueError(f"the {what} {name!r} has no option {key!r}: {_hint(near(key, keys), keys)}")
        found[key] = value
    return found


def options_of(group: str, name: str) -> list[str]:
    """The keys of an option that can be set."""
    return [key for key in _composed(group, name) if key not in _OF_CELLS]


def resolved(*, interpreter: Node, probe: Node | None = None, seed: int = 0) -> Node:
    """The groups with their interpolations worked out, at the sizes of the budget ``bench``."""
    root = {"seed": seed, "budget": _file("budget/bench.yaml"), "interpreter": interpreter, "probe": probe or {}}
    whole = OmegaConf.create(root)
    found: Node = {
        "interpreter": {
            "network": OmegaConf.to_container(whole.interpreter.network, resolve=True),
            "attack_weight": whole.interpreter.get("attack_weight"),
        }
    }
    if probe is not None:
        found["probe"] = OmegaConf.to_container(whole.probe, resolve=True)
    return found


def build(node: Any, **arguments: Any) -> Any:
    """The object that a node of ours describes by its ``_target_``, its parts first."""
    if isinstance(node, list):
        return [build(each) for each in node]
    if not isinstance(node, dict):
        return node
    made = {key: build(value) for key, value in node.items() if key != "_target_"}
    if "_target_" not in node:
        return made
    module, _, name = node["_target_"].rpartition(".")
    return getattr(importlib.import_module(module), name)(**{**made, **arguments})


def _hint(close: list[str], known: list[str]) -> str:
    return f"did you mean {' or '.join(close)}?" if close else f"there are {', '.join(known)}"
