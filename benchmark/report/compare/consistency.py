"""Whether trainings agree with others of the same settings: is a figure where another training's would be?

With S known trainings of mean m and standard deviation s, the figure of one further training lies with 95 % in the
prediction interval

    m +- t(S - 1) s sqrt(1 + 1/S),

t being Student's quantile at 97.5 % (Whitmore 1986, "Prediction limits for a univariate normal observation", The
American Statistician 40). For the mean of T further trainings it is m +- t(S + T - 2) s sqrt(1/T + 1/S), s pooled over
both sides, which for T = 1 is the same. A distance below ``TOLERANCE`` is consistent whatever s is: the same weights,
measured on another CPU, may differ by as much.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr, stdtrit

from benchmark.report.statistics.hierarchical import CONFIDENCE, holm
from benchmark.storage.repeats import MAP_TOLERANCE, RATE_TOLERANCE

TOLERANCE = {"map": MAP_TOLERANCE, "rate": RATE_TOLERANCE}


@dataclass(frozen=True)
class Consistency:
    """One figure of some trainings beside that of others.

    value: mean of these trainings. known: mean of the others. low, high: where ``value`` lies with 95 % if the two do
    not differ; NaN with a single training on both sides. p: two-sided; NaN where there is no interval.
    """

    value: float
    known: float
    low: float
    high: float
    p: float
    trainings: int
    known_trainings: int

    @property
    def consistent(self) -> bool | None:
        """Whether the value lies in the interval, ends included; None where there is no interval."""
        return None if math.isnan(self.low) else self.low <= self.value <= self.high


def consistency(values: Sequence[float], known: Sequence[float], tolerance: float) -> Consistency:
    """A figure of each training on either side, compared.

    tolerance: distance of the means that never counts as a difference.
    """
    value, mean, counts = float(np.mean(values)), float(np.mean(known)), (len(values), len(known))
    freedom = sum(counts) - 2
    if freedom < 1:
        return Consistency(value, mean, math.nan, math.nan, math.nan, *counts)
    squares = sum(float(np.sum((np.asarray(side) - np.mean(side)) ** 2)) for side in (values, known))
    error = math.sqrt(squares / freedom * sum(1 / count for count in counts))
    reach = max(float(stdtrit(freedom, (1 + CONFIDENCE) / 2)) * error, tolerance)
    distance = abs(value - mean)
    p = 1.0 if distance <= tolerance else float(2 * stdtr(freedom, -distance / error)) if error > 0 else 0.0
    return Consistency(value, mean, mean - reach, mean + reach, p, *counts)


@dataclass(frozen=True)
class Summary:
    """How many of the figures are outside.

    compared: figures with an interval. outside: those outside of it. expected: how many would be by chance, if each had
    its 5 %. after_holm: those that remain at 5 % for all together (Holm 1979).
    """

    compared: int
    outside: int
    expected: float
    after_holm: int

    @property
    def consistent(self) -> bool:
        """Whether no figure is outside once their number is taken into account."""
        return self.after_holm == 0


def summary(found: Sequence[Consistency]) -> Summary:
    """Counts over all figures of a comparison."""
    judged = [each for each in found if each.consistent is not None]
    corrected = holm([each.p for each in judged])
    alpha = 1 - CONFIDENCE
    return Summary(
        len(judged),
        sum(not each.consistent for each in judged),
        alpha * len(judged),
        sum(p <= alpha for p in corrected),
    )
