"""The noise scale that causes a given misclassification rate."""

from __future__ import annotations

import math
from typing import NamedTuple, Protocol

LARGEST_SCALE = 4.0
# Samples of one look, and those that the coarse search looks at.
LOOK, FEW = 100, 200
# Where the coarse search begins: photographs and digits reach 3 % to 30 % between a quarter and four times this.
_FIRST = 0.25
_NARROW = 1e-4


class CalibratedScale(NamedTuple):
    """The scale, the misclassification rate that it causes among ``samples``, and by how much that may exceed level."""

    scale: float
    rate: float
    samples: int
    tolerance: float


class Looks(Protocol):
    """``count`` samples that are classified right without noise; the noise differs between scales by its scale only."""

    @property
    def count(self) -> int: ...

    def wrong(self, scale: float, among: int) -> int:
        """How many of the first ``among`` samples noise of this scale gets wrong; what was seen is not seen again."""
        ...


def calibrate(looks: Looks, level: float) -> CalibratedScale:
    """The smallest scale in [0, 4] whose misclassification rate reaches ``level``, by bisection down to 1e-4.

    Each step looks at no more samples than decide it; the rate is that of all.

    Args:
        level: the wanted rate, in (0, 1).
    Raises:
        ValueError: no sample, a level outside (0, 1), a level that no scale reaches, or a smallest scale whose rate
            exceeds the level by more than max(0.1 level, 1 / count).
    """
    tolerance = _tolerance(looks, level)
    low, high = 0.0, LARGEST_SCALE
    if not _reaches(looks, high, level):
        raise _out_of_reach(looks, level)
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (low, middle) if _reaches(looks, middle, level) else (middle, high)
        if high - low < _NARROW and _rate(looks, high) - level <= tolerance:
            return CalibratedScale(high, _rate(looks, high), looks.count, tolerance)
    raise _stepped_over(looks, level, high)


def calibrate_coarse_to_fine(looks: Looks, level: float) -> CalibratedScale:
    """A scale whose misclassification rate lies in [level, level + max(0.1 level, 1 / count)], in few looks.

    The first 200 samples bracket it by factors of two. From there the rate is taken to grow as a power of the scale,
    and each step looks at all samples, unless fewer leave no doubt (four standard deviations) that their rate lies
    outside. The samples have to come in random order.

    Args, Raises: see :func:`calibrate`.
    """
    tolerance = _tolerance(looks, level)
    guess, power = _coarse(looks, level)
    low, high = 0.0, math.inf
    rate_of: dict[float, float] = {}
    while True:
        wrong, among = _until_clear(looks, guess, level, tolerance)
        if among == looks.count and level <= wrong / among <= level + tolerance:
            return CalibratedScale(guess, wrong / among, looks.count, tolerance)
        rate_of[guess] = rate = max(wrong, 0.5) / among
        if wrong / among < level:
            if guess == LARGEST_SCALE:
                raise _out_of_reach(looks, level)
            low = guess
        else:
            high = guess
        if high - low < _NARROW:
            raise _stepped_over(looks, level, high)
        if low in rate_of and high in rate_of:
            power = math.log(rate_of[high] / rate_of[low]) / math.log(high / low)
        wanted = guess * ((level + tolerance / 2) / rate) ** (1 / max(power, 1.0))
        guess = _inside(wanted, low, high)


def _coarse(looks: Looks, level: float) -> tuple[float, float]:
    """Where the few reach the level, and the power of the scale that their rate grows by there."""
    few = min(FEW, looks.count)

    def rate(scale: float) -> float:
        return max(looks.wrong(scale, few), 0.5) / few

    high = low = _FIRST
    while rate(high) < level and high < LARGEST_SCALE:
        low, high = high, min(2 * high, LARGEST_SCALE)
    while rate(low) >= level and low > _NARROW:
        low, high = low / 2, low
    power = math.log(rate(high) / rate(low)) / math.log(high / low) if low < high else 2.0
    power = min(max(power, 1.0), 6.0)
    return min(max(low * (level / rate(low)) ** (1 / power), low), high), power


def _inside(wanted: float, low: float, high: float) -> float:
    """The wanted scale where it lies well between the two; else a scale between them."""
    top = min(high, LARGEST_SCALE)
    if high == math.inf and wanted >= top:
        return top
    margin = (top - low) / 20
    if low + margin <= wanted <= top - margin:
        return wanted
    return (low + top) / 2 if high < math.inf else min(max(wanted, 1.05 * low), top)


def _until_clear(looks: Looks, scale: float, level: float, tolerance: float) -> tuple[int, int]:
    """(wrong, among) of as many samples as leave no doubt on which side of the wanted rates theirs lies, or of all."""
    among = 0
    while among < looks.count:
        among = min(among + LOOK, looks.count)
        wrong = looks.wrong(scale, among)
        doubt = 4 * math.sqrt(among * level * (1 - level)) + 1
        if wrong < level * among - doubt or wrong > (level + tolerance) * among + doubt:
            break
    return wrong, among


def _reaches(looks: Looks, scale: float, level: float) -> bool:
    """Whether the rate of all samples reaches the level; stops at the sample that decides it."""
    among = 0
    while among < looks.count:
        among = min(among + LOOK, looks.count)
        wrong = looks.wrong(scale, among)
        if wrong / looks.count >= level:
            return True
        if (wrong + looks.count - among) / looks.count < level:
            return False
    return False


def _rate(looks: Looks, scale: float) -> float:
    return looks.wrong(scale, looks.count) / looks.count


def _tolerance(looks: Looks, level: float) -> float:
    if not 0 < level < 1:
        raise ValueError(f"probe.level is a misclassification rate between 0 and 1 (0.03, 0.30), got {level}")
    if looks.count < 1:
        raise ValueError("no calibration sample is classified right without noise: train a better classifier")
    return max(0.1 * level, 1 / looks.count)


def _out_of_reach(looks: Looks, level: float) -> ValueError:
    return ValueError(
        f"no noise scale up to {LARGEST_SCALE} misclassifies {level:.0%} of the calibration samples; the rates "
        f"that are reached go from 0 to {_rate(looks, LARGEST_SCALE):.1%}: set probe.level in that range"
    )


def _stepped_over(looks: Looks, level: float, scale: float) -> ValueError:
    return ValueError(
        f"probe.level {level} is stepped over: the smallest scale that reaches it, {scale:.4g}, misclassifies "
        f"{_rate(looks, scale):.1%} of {looks.count} calibration samples; take more calibration samples"
    )
