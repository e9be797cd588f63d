"""The cells that a command line means, without importing torch and without running Hydra once a cell.

Groups of options that are swept are merged once an option, where their files go to different places of the
configuration; a sweep's values are put in afterwards, also where an interpolation has carried them.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra._internal.hydra import Hydra
from hydra._internal.utils import create_config_search_path
from hydra.core.config_search_path import SearchPathQuery
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from benchmark.configuration.composition import (
    Composer,
    Merged,
    OverrideError,
    changed_files,
    in_common,
    overlap,
    overridden,
    with_package,
)
from benchmark.configuration.messages import composition_sentence, unreadable
from benchmark.configuration.resolution import Resolved, Unusual, as_dict, resolved, with_names
from benchmark.numerics.expectations import shown

Choices = list[tuple[str, list[str]]]  # of each swept key its values
_MOST = 100_000  # values of one key
_RANGE = re.compile(r"range\(\$\{(\w+)\}\)")


@dataclass(frozen=True)
class Planned:
    """One cell of a sweep: what sets it apart, and its resolved configuration or what is wrong with it."""

    overrides: tuple[str, ...]
    config: Resolved | None
    error: str | None = None


@dataclass(frozen=True)
class Sweep:
    """``multirun``: whether the command would launch jobs; ``cells``, one for each of them, groups varying slowest."""

    multirun: bool
    cells: list[Planned]


class Uncountable(ValueError):
    """The cells are not known beforehand: a sweeper chooses each by what came of those before."""


def expand(
    conf: str, command: str, overrides: list[str], *, multirun: bool = False, config_dir: str | None = None
) -> Sweep:
    """The cells of ``python -m benchmark COMMAND overrides``.

    Args:
        conf: the folder of the configuration. multirun: whether -m is given; it may also stand among the overrides.
        config_dir: a folder with further options, as --config-dir adds it.
    Raises:
        ValueError: the overrides themselves cannot be read. Uncountable: the sweeper searches.
    """
    flags = [each for each in overrides if each in ("-m", "--multirun")] + ["-m"] * multirun
    texts = [each for each in overrides if each not in flags]
    with _initialized(conf, config_dir):
        parsed = _parse(texts)
        fixed = [text for text, each in zip(texts, parsed, strict=True) if not each.is_sweep_override()]
        swept = _choices(parsed)
        composer = Composer(command, _parse, fixed)
        try:
            counts = _counts(composer, fixed)
            whole = compose(command, _without_values(composer, fixed, counts), return_hydra_config=True)
        except (HydraException, OmegaConfBaseException, OverrideError) as error:
            return Sweep(bool(flags), [Planned((), None, composition_sentence(error))])
        if not str(whole.hydra.sweeper["_target_"]).endswith("BasicSweeper"):
            raise Uncountable(
                f"{whole.hydra.sweeper['_target_'].rpartition('.')[2]} chooses its cells as it goes: they cannot be "
                "counted beforehand"
            )
        multirun = bool(flags) or "MULTIRUN" in str(whole.hydra.mode)
        if not multirun:
            if swept:
                raise ValueError(f"{next(iter(swept))} has several values: add -m to sweep over them")
            return Sweep(False, list(_cells(composer, fixed, [], [])))
        named = {each.get_key_element() for each in parsed}
        _check_counts(counts, whole, named, swept)
        own = [f"{key}={value}" for key, value in (whole.hydra.sweeper.params or {}).items() if key not in named]
        params = _parse(own)
        fixed += [text for text, each in zip(own, params, strict=True) if not each.is_sweep_override()]
        dimensions = [*_choices(params).items(), *swept.items()]
        groups = [item for item in dimensions if _is_group(item[0])]
        values = [item for item in dimensions if not _is_group(item[0])]
        return Sweep(True, list(_cells(composer, fixed, groups, values)))


@contextmanager
def _initialized(conf: str, further: str | None) -> Iterator[None]:
    """Hydra with the options of ``conf``, and behind them those of another folder."""
    with initialize_config_dir(version_base="1.3", config_dir=conf):
        if further is not None:
            path = create_config_search_path(search_path_dir=conf)
            folder = f"file://{Path(further).resolve()}"
            path.prepend(provider="command-line", path=folder, anchor=SearchPathQuery(provider="schema"))
            GlobalHydra.instance().clear()
            Hydra.create_main_hydra2(task_name="app", config_search_path=path)
        yield


def _counts(composer: Composer, texts: list[str]) -> dict[str, list[str]]:
    """The keys that an experiment's own sweep takes its length from (``seed: range(${trainings})``).

    Returns, by such a key, the swept keys that it stands in.
    """
    try:
        sweeper = composer.merged(texts).sweeper
    except Unusual:
        return {}
    found: dict[str, list[str]] = {}
    for swept, choices in ((sweeper or {}).get("params") or {}).items():
        for count in _RANGE.findall(str(choices)):
            found.setdefault(count, []).append(swept)
    return found


def _check_counts(counts: dict[str, list[str]], whole: Any, named: set[str], swept: Collection[str]) -> None:
    """Raises a ValueError for a length that is no whole number above 0, or that what is named leaves without effect."""
    for count, keys in counts.items():
        what = ", ".join(keys)
        if count in named and named.issuperset(keys):
            raise ValueError(
                f"{count} says how many values {what} takes, and {what} is named too: leave out one of them"
            )
        value = whole[count]
        if count in swept:
            raise ValueError(
                f"{count} is one whole number, 1 or more: the experiment sweeps {what} over as many values"
            )
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ValueError(f"{count} is a whole number, 1 or more, got {shown(value)}")


def _without_values(composer: Composer, texts: list[str], but: Collection[str]) -> list[str]:
    """The overrides without values of the configuration itself, which may stand in groups that are swept.

    but: keys whose values are left in.
    """
    try:
        values = [str(each.input_line) for each in composer.merged(texts).values if each.key_or_group not in but]
    except Unusual:
        return texts
    return [text for text in texts if text not in values or text.lstrip("+~").startswith("hydra.")]


def _parse(texts: list[str]) -> list[Override]:
    return [_parsed(text) for text in texts]


@cache
def _parsed(text: str) -> Override:
    try:
        parsed = OverridesParser.create().parse_override(text)
    except (HydraException, ValueError):
        raise ValueError(unreadable(text)) from None
    if not parsed.key_or_group:
        raise ValueError(unreadable(text))
    return parsed


def _choices(overrides: list[Override]) -> dict[str, list[str]]:
    """The values of those that have several, by key as it is written (+key, group@package)."""
    found = {}
    for each in overrides:
        if not each.is_sweep_override():
            continue
        key = each.get_key_element()
        if not each.is_discrete_sweep():
            raise ValueError(f"{each.input_line} has no values that can be counted: name them, key=a,b,c")
        if key.lstrip("+") == "experiment":
            raise ValueError(f"{each.input_line}: one experiment at a time, each has a sweep of its own")
        loader = GlobalHydra.instance().config_loader()
        with_options = OverridesParser.create(loader).parse_override(str(each.input_line))
        found[key] = list(itertools.islice(with_options.sweep_string_iterator(), _MOST + 1))
        if not found[key]:
            raise ValueError(f"{each.input_line} has no values: there would be no cells")
        if len(found[key]) > _MOST:
            raise ValueError(f"{each.input_line} has more than {_MOST} values")
    return found


def _is_group(key: str) -> bool:
    name = key.lstrip("+").partition("@")[0]
    return bool(GlobalHydra.instance().config_loader().get_group_options(name))


def _cells(composer: Composer, fixed: list[str], groups: Choices, values: Choices) -> Iterator[Planned]:
    """Every combination."""
    merge = _Combinations(composer, fixed, groups)
    plain = all(_plain(text) for _, options in values for text in options)
    several = plain and math.prod(len(options) for _, options in values) > 1
    for chosen in itertools.product(*(options for _, options in groups)):
        group_texts = _texts(groups, chosen)
        merged = merge(chosen)
        template = None
        if several:
            stand_ins = [f"{key}={_stand_in(place)}" for place, (key, _) in enumerate(values)]
            template = composed(composer, merged, [*fixed, *group_texts], stand_ins)
        for combination in itertools.product(*(options for _, options in values)):
            value_texts = _texts(values, combination)
            shown = (*group_texts, *value_texts)
            if isinstance(template, str):
                yield Planned(shown, None, template)
            elif template is not None:
                put = {_stand_in(place): _value(text) for place, text in enumerate(combination)}
                yield Planned(shown, _filled_in(template, put))
            else:
                found = composed(composer, merged, [*fixed, *group_texts], value_texts)
                yield Planned(shown, None, found) if isinstance(found, str) else Planned(shown, found)


def _texts(choices: Choices, chosen: tuple[str, ...]) -> list[str]:
    return [f"{key}={option}" for (key, _), option in zip(choices, chosen, strict=True)]


class _Combinations:
    """The merged files of each combination of options, or what is wrong with it.

    Options are merged one group at a time where that gives the same: where the files that differ between a group's
    options go to packages that no other group's do, and the rest of the files stays in its order.
    """

    def __init__(self, composer: Composer, fixed: list[str], groups: Choices) -> None:
        self.composer, self.fixed, self.groups = composer, fixed, groups
        self.single: dict[tuple[int, str], Merged | str | None] = {}
        self.packages: list[set[str]] = [set() for _ in groups]
        first = tuple(options[0] for _, options in groups)
        self.base = self._merged(first)
        self.apart = len(groups) > 1 and isinstance(self.base, Merged) and self._are_apart(first)

    def __call__(self, chosen: tuple[str, ...]) -> Merged | str | None:
        """Merged files; a sentence if an option is not there; None if it is left to Hydra."""
        if not self.apart:
            return self._merged(chosen)
        assert isinstance(self.base, Merged)
        tree = self.base.tree
        for place, option in enumerate(chosen):
            merged = self.single[place, option]
            if not isinstance(merged, Merged):
                return merged
            try:
                for package in self.packages[place]:
                    tree = with_package(tree, package, merged.tree)
            except Unusual:
                return self._merged(chosen)
        return Merged(tree, self.base.files, self.base.values, self.base.sweeper)

    def _are_apart(self, first: tuple[str, ...]) -> bool:
        assert isinstance(self.base, Merged)
        for place, (_, options) in enumerate(self.groups):
            for option in options:
                merged = self._merged((*first[:place], option, *first[place + 1 :]))
                self.single[place, option] = merged
                if not isinstance(merged, Merged):
                    continue
                if in_common(merged, self.base) != in_common(self.base, merged):
                    return False
                self.packages[place] |= {package for _, package in changed_files(merged, self.base)}
        pairs = itertools.combinations(self.packages, 2)
        if any(overlap(one, other) for one, other in pairs):
            return False
        for place, own in enumerate(self.packages):
            self.packages[place] = {each for each in own if not overlap({each}, {o for o in own if len(o) < len(each)})}
        return True

    def _merged(self, chosen: tuple[str, ...]) -> Merged | str | None:
        texts = _texts(self.groups, chosen)
        try:
            merged = self.composer.merged([*self.fixed, *texts])
        except Unusual:
            return None
        except (HydraException, OmegaConfBaseException, OSError, ValueError) as error:
            return composition_sentence(error)
        if self.groups and merged.sweeper != self._own_sweeper():
            return (
                f"{' '.join(texts)}: an option with a sweep of its own (hydra.sweeper) is chosen alone, not swept over"
            )
        return merged

    def _own_sweeper(self) -> Any:
        if not hasattr(self, "_sweeper"):
            try:
                self._sweeper = self.composer.merged(self.fixed).sweeper
            except (Unusual, HydraException, OmegaConfBaseException, ValueError):
                self._sweeper = None
        return self._sweeper


def composed(composer: Composer, merged: Merged | str | None, texts: list[str], values: list[str]) -> Resolved | str:
    """The resolved configuration, or why there is none."""
    if isinstance(merged, str):
        return merged
    try:
        if merged is None:
            raise Unusual
        return resolved(overridden(merged.tree, [*merged.values, *_parse(values)]))
    except Unusual:
        return _by_hydra(composer, [*texts, *values])
    except (HydraException, OmegaConfBaseException, ValueError, RecursionError) as error:
        return composition_sentence(error)


def _by_hydra(composer: Composer, texts: list[str]) -> Resolved | str:
    try:
        return as_dict(compose(composer.command, texts))
    except (HydraException, OmegaConfBaseException, ValueError, RecursionError) as error:
        return composition_sentence(error)


def _stand_in(place: int) -> str:
    return f"swept_value_{place}_"


@cache
def _value(text: str) -> Any:
    return OverridesParser.create().parse_override(f"key={text}").value()


def _plain(text: str) -> bool:
    """Whether a value is one that is put in as it is: a number, a word, true or null."""
    return isinstance(_value(text), int | float | str | None) and "${" not in text


def _filled_in(template: Resolved, put: dict[str, Any]) -> Resolved:
    return with_names(_filled(template, put), template.origins)


def _filled(node: Any, put: dict[str, Any]) -> Any:
    """``node`` with every placeholder replaced; inside a longer text by the value's own text.

    What has none is shared with ``node``.
    """
    if isinstance(node, dict):
        changed = {key: new for key, value in node.items() if (new := _filled(value, put)) is not value}
        return {**node, **changed} if changed else node
    if isinstance(node, list):
        made = [_filled(value, put) for value in node]
        return node if all(new is old for new, old in zip(made, node, strict=True)) else made
    if isinstance(node, str) and "swept_value_" in node:
        if node in put:
            return put[node]
        for name, value in put.items():
            node = node.replace(name, str(value))
    return node
