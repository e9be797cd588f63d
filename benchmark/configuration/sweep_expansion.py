"""The cells that a command line means, without importing torch and without running Hydra once a cell.

Composing a configuration takes a tenth of a second, too long for a thousand cells. So one is composed for each choice
of configuration groups, with a stand-in for every swept value; the values are put in afterwards, also where an
interpolation has carried them.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException

Choices = list[tuple[str, list[str]]]  # of each swept key its values


@dataclass(frozen=True)
class Planned:
    """One cell of a sweep: what sets it apart, and its resolved configuration or what is wrong with it."""

    overrides: tuple[str, ...]
    config: dict[str, Any] | None
    error: str | None = None


@dataclass(frozen=True)
class Sweep:
    """``multirun``: whether the command would launch jobs; ``cells``, one for each of them, groups varying slowest."""

    multirun: bool
    cells: list[Planned]


class Uncountable(ValueError):
    """The cells are not known beforehand: a sweeper chooses each by what came of those before."""


def expand(conf: str, command: str, overrides: list[str]) -> Sweep:
    """The cells of ``python -m benchmark COMMAND overrides``.

    Args:
        conf: the folder of the configuration.
    Raises:
        ValueError: the overrides themselves cannot be read. Uncountable: the sweeper searches.
    """
    flags = [each for each in overrides if each in ("-m", "--multirun")]
    texts = [each for each in overrides if each not in flags]
    with initialize_config_dir(version_base="1.3", config_dir=conf):
        parsed = _parse(texts)
        fixed = [text for text, each in zip(texts, parsed, strict=True) if not each.is_sweep_override()]
        swept = _choices(parsed)
        try:
            whole = compose(command, fixed, return_hydra_config=True)
        except (HydraException, OmegaConfBaseException) as error:
            return Sweep(bool(flags), [Planned((), None, _sentence(error))])
        if not str(whole.hydra.sweeper["_target_"]).endswith("BasicSweeper"):
            raise Uncountable(
                f"{whole.hydra.sweeper['_target_'].rpartition('.')[2]} chooses its cells as it goes: they cannot be "
                "counted beforehand"
            )
        named = {each.get_key_element() for each in parsed}
        own = [f"{key}={value}" for key, value in (whole.hydra.sweeper.params or {}).items() if key not in named]
        multirun = bool(flags) or "MULTIRUN" in str(whole.hydra.mode)
        if not multirun:
            if swept:
                raise ValueError(f"{next(iter(swept))} has several values: add -m to sweep over them")
            return Sweep(False, list(_cells(command, fixed, [], [])))
        params = _parse(own)
        fixed += [text for text, each in zip(own, params, strict=True) if not each.is_sweep_override()]
        dimensions = [*_choices(params).items(), *swept.items()]
        groups = [item for item in dimensions if _is_group(item[0])]
        values = [item for item in dimensions if not _is_group(item[0])]
        return Sweep(True, list(_cells(command, fixed, groups, values)))


def _parse(texts: list[str]) -> list[Override]:
    try:
        return OverridesParser.create(GlobalHydra.instance().config_loader()).parse_overrides(texts)
    except HydraException as error:
        raise ValueError(f"an override cannot be read: {_sentence(error)}") from None


def _choices(overrides: list[Override]) -> dict[str, list[str]]:
    """The values of those that have several, by key as it is written (+key, group@package)."""
    swept = [each for each in overrides if each.is_sweep_override()]
    for each in swept:
        if not each.is_discrete_sweep():
            raise ValueError(f"{each.input_line} has no values that can be counted: name them, key=a,b,c")
    return {each.get_key_element(): list(each.sweep_string_iterator()) for each in swept}


def _is_group(key: str) -> bool:
    name = key.lstrip("+").partition("@")[0]
    return bool(GlobalHydra.instance().config_loader().get_group_options(name))


def _cells(command: str, fixed: list[str], groups: Choices, values: Choices) -> Iterator[Planned]:
    """Every combination, one composition for each of the groups."""
    for chosen in itertools.product(*(options for _, options in groups)):
        group_texts = [f"{key}={option}" for (key, _), option in zip(groups, chosen, strict=True)]
        plain = all(_plain(text) for _, options in values for text in options)
        template = None
        if plain and math.prod(len(options) for _, options in values) > 1:
            stand_ins = [f"{key}={_stand_in(place)}" for place, (key, _) in enumerate(values)]
            template = _composed(command, [*fixed, *group_texts, *stand_ins])
        for combination in itertools.product(*(options for _, options in values)):
            value_texts = [f"{key}={text}" for (key, _), text in zip(values, combination, strict=True)]
            shown = (*group_texts, *value_texts)
            if isinstance(template, dict):
                put = {_stand_in(place): _value(text) for place, text in enumerate(combination)}
                yield Planned(shown, _filled(template, put))
            else:
                found = _composed(command, [*fixed, *shown])
                yield Planned(shown, found) if isinstance(found, dict) else Planned(shown, None, found)


def _composed(command: str, overrides: list[str]) -> dict[str, Any] | str:
    """The resolved configuration, or why there is none."""
    try:
        return as_dict(compose(command, overrides))
    except (HydraException, OmegaConfBaseException, ValueError) as error:
        return _sentence(error)


def as_dict(config: DictConfig) -> dict[str, Any]:
    """The configuration with every interpolation resolved, as plain dictionaries and lists.

    Raises:
        ValueError: a mandatory value (???) is missing; the message names it.
    """
    try:
        return OmegaConf.to_container(config, resolve=True, throw_on_missing=True)  # type: ignore[return-value]
    except MissingMandatoryValue as error:
        key = error.full_key
        raise ValueError(f"{key} has no value: set it on the command line ({key}=...)") from None


def _sentence(error: Exception) -> str:
    """Hydra's message on one line, without its pointer to the environment."""
    lines = [line.strip() for line in str(error).splitlines()]
    return " ".join(line for line in lines if line and not line.startswith("Set the env"))


def _stand_in(place: int) -> str:
    return f"swept_value_{place}_"


@cache
def _value(text: str) -> Any:
    return OverridesParser.create().parse_override(f"key={text}").value()


def _plain(text: str) -> bool:
    """Whether a value is one that is put in as it is: a number, a word, true or null."""
    return isinstance(_value(text), int | float | str | None) and "${" not in text


def _filled(node: Any, put: dict[str, Any]) -> Any:
    """``node`` with every stand-in replaced; inside a longer text by the value's own text."""
    if isinstance(node, dict):
        return {key: _filled(value, put) for key, value in node.items()}
    if isinstance(node, list):
        return [_filled(value, put) for value in node]
    if isinstance(node, str) and "swept_value_" in node:
        if node in put:
            return put[node]
        for name, value in put.items():
            node = node.replace(name, str(value))
    return node
