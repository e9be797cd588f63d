"""Names of tensors in a file of somebody else's weights, as the names of ours."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from benchmark.storage.external_file import ORDER, KeyMap

# Counters of BatchNorm, which old files lack and nothing depends on.
COUNTER = "num_batches_tracked"
# Last parts of names that say what a tensor is in torch's own layers.
_ROLES = {"weight", "bias", "running_mean", "running_var", COUNTER}
_SAMPLE = 3
CLASSIFIER_KEY = "classifier.checkpoint"  # the key that has an entry beside it


def mapped(
    state: Mapping[str, Tensor], module: nn.Module, key_map: KeyMap, what: str, entry: str | None = None
) -> tuple[dict[str, Tensor], str]:
    """The tensors under our names, where that is possible, and a sentence on what was done; empty for nothing.

    Without a map the names are taken as they are, or less a prefix that all of ours have in the file ("module.",
    "model.", any); tensors outside of the prefix are left out. With ``order`` they are paired one by one, those under
    one first part where these are as many as ours. Counters of BatchNorm may be missing.

    Args:
        what: the key and file, for messages. entry: the entry of the file that the tensors are from, if it was named.

    Raises:
        ValueError: an order in which number, shapes or roles do not agree; a pattern that is none, or that gives two
            tensors one name; the network's tensors under several prefixes.
    """
    if key_map == ORDER:
        whole, state = state, _of_the_network(state, module, what)
        found = _by_order(state, module, what)
        pairs = [f"{theirs} -> {ours}" for theirs, ours in zip(state, found, strict=True)]
        shown = ", ".join([*pairs[:_SAMPLE], "...", pairs[-1]])
        left = _left_out([name for name in whole if name not in state])
        told = f"{what}: {len(found)} tensors paired by their order ({shown}){left}"
    else:
        renamed = _by_patterns(state, key_map, what) if isinstance(key_map, dict) else dict(state)
        found, told = _without_prefix(renamed, module, what, "" if entry is None else f"{entry}.")
    own = module.state_dict()
    counters = {name: value for name, value in own.items() if name.endswith(COUNTER) and name not in found}
    lacking = set(own) - set(found)
    return {**found, **(counters if lacking == set(counters) else {})}, told


def _by_order(state: Mapping[str, Tensor], module: nn.Module, what: str) -> dict[str, Tensor]:
    own = module.state_dict()
    if not any(name.endswith(COUNTER) for name in state):
        plain = {name: value for name, value in own.items() if not name.endswith(COUNTER)}
        own = plain if len(state) == len(plain) else own
    if len(state) != len(own):
        raise ValueError(
            f"{what}: {len(state)} tensors cannot be paired by their order with the {len(own)} of this network: choose "
            "its architecture, or map the names (classifier.key_map)"
        )
    for number, ((theirs, value), (ours, wanted)) in enumerate(zip(state.items(), own.items(), strict=True)):
        roles = [name.rpartition(".")[2] for name in (theirs, ours)]
        if value.shape != wanted.shape or (set(roles) <= _ROLES and len(set(roles)) > 1):
            raise ValueError(
                f"{what}: the orders differ at tensor {number} of {len(own)}, {theirs} {tuple(value.shape)} in the "
                f"file and {ours} {tuple(wanted.shape)} in this network: choose its architecture and its number of "
                "classes, or map the names (classifier.key_map)"
            )
    return dict(zip(own, state.values(), strict=True))


def _of_the_network(state: Mapping[str, Tensor], module: nn.Module, what: str) -> Mapping[str, Tensor]:
    """The file's tensors, or those that share their first part where these are as many as the network has.

    An averaged model has a counter beside ``module.*`` (``n_averaged``), which is not of the network.
    """
    own = module.state_dict()
    sizes = {len(own), sum(not name.endswith(COUNTER) for name in own)}
    counts = Counter(name.partition(".")[0] for name in state)
    fitting = [first for first, count in counts.items() if count in sizes]
    if len(fitting) > 1:
        raise ValueError(_several(what, fitting))
    return {name: value for name, value in state.items() if not fitting or name.partition(".")[0] == fitting[0]}


def _same(state: Mapping[str, Tensor], names: list[str], first: str, second: str) -> bool:
    """Whether the file has the same values under both prefixes: one network that is registered twice."""
    return all(torch.equal(state[f"{first}{name}"], state[f"{second}{name}"]) for name in names)


def _several(what: str, entries: list[str]) -> str:
    """The sentence on a file that holds the network several times."""
    key, names = what.partition("=")[0], " and ".join(map(repr, entries))
    choose = f"name the ones to take, {key}_entry={entries[0]}" if key == CLASSIFIER_KEY else "save one of them alone"
    return f"{what} holds this network's tensors more than once, under {names}: {choose}"


def _left_out(names: list[str]) -> str:
    return f"; {len(names)} others are left out (such as {names[0]})" if names else ""


def _by_patterns(state: Mapping[str, Tensor], patterns: Mapping[str, str], what: str) -> dict[str, Tensor]:
    """Each name after all replacements, in the order of the patterns."""
    found: dict[str, Tensor] = {}
    origin: dict[str, str] = {}
    for theirs, value in state.items():
        name = theirs
        for pattern, replacement in patterns.items():
            try:
                name = re.sub(pattern, replacement, name)
            except (re.error, IndexError) as error:
                raise ValueError(
                    f"classifier.key_map: {pattern!r} with {replacement!r} is no regular expression with its "
                    f"replacement ({error})"
                ) from None
        if name in found:
            raise ValueError(
                f"{what}: classifier.key_map gives {origin[name]} and {theirs} the same name {name}: make its patterns "
                "keep them apart"
            )
        found[name], origin[name] = value, theirs
    return found


def _without_prefix(
    state: dict[str, Tensor], module: nn.Module, what: str, within: str
) -> tuple[dict[str, Tensor], str]:
    """The tensors of our names, less what precedes these in the file; as they are where that does not give them all.

    Where several prefixes give them, with the same values, it is the shortest.
    """
    own = [name for name in module.state_dict() if not name.endswith(COUNTER)]
    for inside in ("", "net."):  # the classifier's own names, or those of a bare timm network
        bare = [name.removeprefix(inside) for name in own]
        if not all(name.startswith(inside) for name in own):
            continue
        first = bare[0]
        prefixes = [name.removesuffix(first) for name in state if f".{name}".endswith(f".{first}")]
        fitting = sorted((each for each in prefixes if all(f"{each}{name}" in state for name in bare)), key=len)
        if not fitting:
            continue
        prefix, *others = fitting
        unlike = [each for each in others if not _same(state, bare, prefix, each)]
        if prefix and unlike:
            raise ValueError(_several(what, [f"{within}{each.removesuffix('.')}" for each in (prefix, *unlike)]))
        inner = {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
        found = {f"{inside}{name}": value for name, value in inner.items()}
        left = [name for name in state if not name.startswith(prefix)]
        return found, f"{what}: names without {prefix!r}{_left_out(left)}" if prefix else ""
    return state, ""
