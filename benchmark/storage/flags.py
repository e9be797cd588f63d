"""The flags of a record: why its attack, or its noise, is no evidence of robustness."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

# Above this share of samples whose gradient was zero at every step, the cell has the flag zero_gradient.
ZERO_GRADIENT_SHARE = 0.05
# Two calls on the same images differ by more than rounding above this share of the values' mean magnitude.
REPEAT_TOLERANCE = 1e-2
# A surrogate is far above this share of the distance between the interpreter's maps of different images.
SURROGATE_SHARE = 0.75


@dataclass(frozen=True)
class Flag:
    """One flag. sentence: what was found and what to do, in one sentence without a semicolon."""

    name: str
    sentence: str


FLAGS: tuple[Flag, ...] = (
    Flag(
        "zero_gradient",
        f"the attack could not attack: for more than {100 * ZERO_GRADIENT_SHARE:g} % of the samples the gradient was "
        "exactly zero at every step (saturated logits, a quantised or constant step in the network or interpreter)",
    ),
    Flag(
        "zero_map_gradient",
        "the attack could not aim at the map: the gradient of the map that it differentiates was exactly zero "
        "(a piecewise constant or quantised map without a smooth surrogate)",
    ),
    Flag(
        "random_classifier",
        "the classifier is random at inference: two calls on the same images differ, so that an attack follows the "
        "gradient of another network (dropout or noise outside of training)",
    ),
    Flag(
        "random_interpreter",
        "the interpreter is random at inference: two maps of the same images differ, so that its distances are not "
        "what the probe did (noise without a fixed seed)",
    ),
    Flag(
        "surrogate_far",
        "the attack aimed at other maps: those of the interpreter's surrogate are more than "
        f"{100 * SURROGATE_SHARE:g} % as far from the true ones as the true maps of different images are from each "
        "other (a surrogate without its weights, a beta that is too small)",
    ),
)

BY_NAME = {flag.name: flag for flag in FLAGS}


def ordered(names: Iterable[str]) -> list[str]:
    """The names without repeats, in the order of ``FLAGS``."""
    found = set(names)
    return [name for name in BY_NAME if name in found]
