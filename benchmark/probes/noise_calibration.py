"""The noise scale that causes a given misclassification rate."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

LARGEST_SCALE = 4.0


class CalibratedScale(NamedTuple):
    """The scale, the misclassification rate that it causes among ``samples``, and by how much that may exceed level."""

    scale: float
    rate: float
    samples: int
    tolerance: float


def calibrate(rate_at: Callable[[float], float], level: float, count: int) -> CalibratedScale:
    """The smallest scale in [0, 4] whose misclassification rate reaches ``level``, by bisection.

    Args:
        rate_at: scale to the rate among ``count`` samples that are classified correctly without noise; the noise
            differs between scales by its scale only.
        level: the wanted rate, in (0, 1).
    Raises:
        ValueError: no sample, a level outside (0, 1), a level that no scale reaches, or a smallest scale whose rate
            exceeds the level by more than max(0.1 level, 1 / count).
    """
    if not 0 < level < 1:
        raise ValueError(f"probe.level is a misclassification rate between 0 and 1 (0.03, 0.30), got {level}")
    if count < 1:
        raise ValueError("no calibration sample is classified right without noise: train a better classifier")
    tolerance = max(0.1 * level, 1 / count)
    low, high = 0.0, LARGEST_SCALE
    top = rate_at(high)
    if top < level:
        raise ValueError(
            f"no noise scale up to {LARGEST_SCALE} misclassifies {level:.0%} of the calibration samples; the rates "
            f"that are reached go from 0 to {top:.1%}: set probe.level in that range"
        )
    rate = top
    for _ in range(40):
        middle = (low + high) / 2
        measured = rate_at(middle)
        if measured >= level:
            high, rate = middle, measured
        else:
            low = middle
        if high - low < 1e-4 and rate - level <= tolerance:
            break
    if rate - level > tolerance:
        raise ValueError(
            f"probe.level {level} is stepped over: the smallest scale that reaches it, {high:.4g}, misclassifies "
            f"{rate:.1%} of {count} calibration samples; take more calibration samples"
        )
    return CalibratedScale(high, rate, count, tolerance)
