"""From a type to a check: what a value has to be, in words, and whether it is."""

from __future__ import annotations

import collections.abc
import difflib
import math
import numbers
import re
import types
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, Predicate


@dataclass(frozen=True)
class Says:
    """Of an annotation: the words for what is expected, and a hint where the value lies above the range."""

    words: str
    above: str = ""
    verb: str = "is"


@dataclass(frozen=True)
class Limit:
    """Of an annotation: more than this is taken for a mistake, and is mentioned only then."""

    most: int


class Part:
    """Of an annotation: an object that a configuration describes by a node with ``_target_``."""


@dataclass(frozen=True)
class Expectation:
    """What an argument may be: ``accepts(value)``, in ``words``. ``options`` are its words where it is one of few."""

    words: str
    accepts: Callable[[Any], bool]
    options: tuple[Any, ...] = ()
    verb: str = "is"
    hint: Callable[[Any], str] = lambda value: ""

    def sentence(self, key: str, value: Any) -> str:
        """What is said of a value that is not accepted."""
        return f"{key} {self.verb} {self.words}, got {shown(value)}{self.hint(value) or self._near(value)}"

    def _near(self, value: Any) -> str:
        if isinstance(value, str) and (ratio := re.fullmatch(r"\s*([\d.]+)\s*/\s*([\d.]+)\s*", value)):
            upper, lower = (float(part) if part.count(".") < 2 else 0.0 for part in ratio.groups())
            if lower and re.search(r"number|rate|weight|\bto\b|above 0|\[0, 1\]", self.words):
                return f": fractions are not worked out, write {value} as {upper / lower:.3g}"
        words = [option for option in self.options if isinstance(option, str)]
        found = near(value, words) if isinstance(value, str) else []
        return f": did you mean {found[0]}?" if found else ""


def near(word: str, options: Sequence[str]) -> list[str]:
    """The options that are spelt almost as ``word``, the nearest first."""
    return difflib.get_close_matches(word, options, n=3, cutoff=0.6)


def shown(value: Any) -> str:
    """A value as it would be typed."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def is_number(value: Any) -> bool:
    """Whether a value is a finite number; true and false are none."""
    return isinstance(value, numbers.Real) and not isinstance(value, bool) and math.isfinite(value)


def is_whole(value: Any) -> bool:
    """Whether a value is an integer; true and false are none."""
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


_SCALARS = {
    float: Expectation("a number", is_number),
    int: Expectation("a whole number", is_whole),
    bool: Expectation("true or false", lambda value: isinstance(value, bool), (True, False)),
    str: Expectation("text", lambda value: isinstance(value, str)),
    dict: Expectation("a group of keys, {key: value}", lambda value: isinstance(value, dict)),
    type(None): Expectation("null", lambda value: value is None, (None,)),
}
_PLAIN = (bool, int, float, str, list, dict, type(None))
_PART = Expectation(
    "a part, a group with _target_",
    lambda value: "_target_" in value if isinstance(value, dict) else not isinstance(value, _PLAIN),
)


@cache
def expectation(hint: Any) -> Expectation | None:
    """What a type expects of a value; None where it expects nothing that can be checked."""
    origin, args = get_origin(hint), get_args(hint)
    if hint is Any or isinstance(hint, str):
        return None
    if hint in _SCALARS:
        return _SCALARS[hint]
    if origin is Annotated:
        return _bounded(expectation(args[0]), hint.__metadata__)
    if origin is Literal:
        return _one_of(args)
    if origin in (Union, types.UnionType):
        return _either([expectation(arg) for arg in args])
    if origin in (dict, collections.abc.Mapping):
        return _SCALARS[dict]
    if origin in (list, tuple, collections.abc.Sequence, collections.abc.Iterable) or hint in (list, tuple):
        return _list_of(expectation(args[0]) if args else None)
    return _PART if isinstance(hint, type) else None


def _bounded(kind: Expectation | None, metadata: tuple[Any, ...]) -> Expectation | None:
    if kind is None:
        return None
    says = next((each for each in metadata if isinstance(each, Says)), Says(""))
    limit = next((each.most for each in metadata if isinstance(each, Limit)), math.inf)
    top = next((each.le for each in metadata if isinstance(each, Le)), math.inf)
    ends = [_END_WORDS[type(each)](each) for each in metadata if type(each) in _END_WORDS]

    def accepts(value: Any) -> bool:
        return kind.accepts(value) and all(_holds(each, value) for each in metadata)

    def hint(value: Any) -> str:
        if is_number(value) and value > limit:
            return f": at most {limit}"
        return f"; {says.above}" if says.above and is_number(value) and value > top else ""

    return Expectation(says.words or kind.words + " and".join(ends), accepts, kind.options, says.verb, hint)


_END_WORDS: dict[type, Callable[[Any], str]] = {
    Gt: lambda bound: f" above {bound.gt}",
    Ge: lambda bound: f", {bound.ge} or more",
    Lt: lambda bound: f" below {bound.lt}",
    Le: lambda bound: f" at most {bound.le}",
}


def _holds(bound: Any, value: Any) -> bool:
    match bound:
        case Gt(gt=least):
            return value > least
        case Ge(ge=least):
            return value >= least
        case Lt(lt=most):
            return value < most
        case Le(le=most) | Limit(most=most):
            return value <= most
        case Predicate(func=test):
            return test(value)
    return True


def _one_of(options: tuple[Any, ...]) -> Expectation:
    *first, last = ("null" if option is None else shown(option).strip("'") for option in options)
    words = f"one of {', '.join(first)}, {last}" if len(first) > 1 else " or ".join([*first, last])
    return Expectation(
        words, lambda value: any(type(value) is type(option) and value == option for option in options), options
    )


def _either(kinds: list[Expectation | None]) -> Expectation | None:
    known = [kind for kind in kinds if kind is not None]
    if len(known) < len(kinds):
        return None
    null = [kind for kind in known if kind.options == (None,)]
    other = [kind for kind in known if kind.options != (None,)]
    words = " or ".join(kind.words for kind in other) + (", or null" if null else "")
    options = tuple(option for kind in other for option in kind.options)
    return Expectation(
        words,
        lambda value: any(kind.accepts(value) for kind in known),
        options,
        other[0].verb if other else "is",
        lambda value: next((said for kind in other if (said := kind.hint(value))), ""),
    )


def _list_of(kind: Expectation | None) -> Expectation:
    if kind is None:
        return Expectation("a list", lambda value: isinstance(value, list | tuple))
    return Expectation(
        f"a list, each {kind.words}",
        lambda value: isinstance(value, list | tuple) and all(kind.accepts(item) for item in value),
    )
