"""Types of arguments with their ranges, in the annotations of the constructors that receive them.

``Annotated[float, Gt(0)]`` says what an argument may be. :func:`checked_arguments` holds a constructor to its
annotations; benchmark/configuration reads the same annotations from the source to check a configuration beforehand.
"""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from annotated_types import Ge, Gt, Le, Lt, Predicate

from benchmark.numerics.expectations import Expectation, Limit, Says, expectation

Made = TypeVar("Made", bound=Callable[..., Any])

LONGEST_NAME = 60
RESERVED_NAMES = {
    *("con", "prn", "aux", "nul"),
    *(f"{port}{number}" for port in ("com", "lpt") for number in range(1, 10)),
}


def is_portable_name(text: str) -> bool:
    """Whether a text can be one file's name on every system: no separator, no control character, not too long."""
    plain = re.fullmatch(r'[^\x00-\x1f\x7f/\\<>:"|?*]+', text) is not None and ".." not in text
    ends = not text.startswith((".", " ", "-")) and not text.endswith((".", " "))
    return plain and ends and len(text) <= LONGEST_NAME and text.lower() not in RESERVED_NAMES


Positive = Annotated[float, Gt(0)]
NonNegative = Annotated[float, Ge(0)]
Weight = Annotated[float, Ge(0), Says("a weight, 0 or more")]
Fraction = Annotated[float, Ge(0), Le(1)]
Probability = Annotated[float, Ge(0), Le(1), Says("a probability, from 0 to 1")]
UnitInterval = Annotated[float, Gt(0), Le(1)]
OpenInterval = Annotated[float, Gt(0), Lt(1), Says("a share between 0 and 1")]
WholePositive = Annotated[int, Ge(1), Limit(1_000_000_000)]
WholeNonNegative = Annotated[int, Ge(0), Limit(1_000_000_000)]
Seed = Annotated[int, Ge(0), Limit(2**32 - 1)]
ImageCount = Annotated[int, Ge(1), Limit(100_000_000), Says("a number of images, a whole number of 1 or more")]
ImageSize = Annotated[int, Ge(1), Limit(16_384), Says("a whole number of pixels, 1 or more")]
Level = Annotated[float, Gt(0), Lt(1), Says("a misclassification rate between 0 and 1 (0.03, 0.30)")]
Epsilon = Annotated[
    float,
    Ge(0),
    Le(1),
    Says("the perturbation budget in [0, 1] (8/255 = 0.031)", above="divide pixel values by 255"),
]
StepSize = Annotated[float, Gt(0), Says("above 0 (1/255 = 0.0039 is usual)", verb="must be")]
Text = Annotated[str, Predicate(lambda text: bool(text.strip())), Says("text")]
Label = Annotated[
    str,
    Predicate(is_portable_name),
    Says(f"a name that can be a file's: no / \\ : * ? \" < > | or '..', at most {LONGEST_NAME} characters"),
]
Suffix = Annotated[
    str,
    Predicate(lambda text: not text or is_portable_name(f"_{text}")),
    Says("what follows a name that can be a file's, or nothing"),
]


def checked_arguments(make: Made) -> Made:
    """A constructor, or a dataclass, that raises a ValueError for an argument outside its annotation's range."""
    if isinstance(make, type):
        make.__init__ = checked_arguments(make.__init__)  # type: ignore[misc]
        return make
    signature = inspect.signature(make)

    @functools.cache
    def expected() -> dict[str, Expectation]:
        found = {}
        for name, parameter in signature.parameters.items():
            hint = _evaluated(parameter.annotation, make.__globals__)
            if name != "self" and (kind := expectation(hint)) is not None:
                found[name] = kind
        return found

    @functools.wraps(make)
    def checked(*args: Any, **kwargs: Any) -> None:
        bound = signature.bind(*args, **kwargs)
        for name, kind in expected().items():
            if name in bound.arguments and not kind.accepts(bound.arguments[name]):
                raise ValueError(kind.sentence(name, bound.arguments[name]))
        make(*args, **kwargs)

    return checked  # type: ignore[return-value]


def _evaluated(annotation: Any, names: dict[str, Any]) -> Any:
    """The type that an annotation means; Any where a name in it is known to the type checker alone."""
    if not isinstance(annotation, str):
        return Any if annotation is inspect.Parameter.empty else annotation
    try:
        return eval(annotation, names)
    except NameError:
        return Any
