"""Intervals over trainings and sources at once: what the method does, not what one set of weights does.

A figure of training s over test sources i is a mean of y_si = mu + a_s + b_i + e_si: every training is measured on the
same sources, so that b_i is shared. With S trainings and n sources the variance of the grand mean is

    var(a)/S + var(b)/n + var(e)/(S n).

The variance of the S means over S estimates the first and the third part, with S - 1 degrees of freedom; it does not
see the second, so that a t-interval of the means alone covers far too little where sources decide. The second part is
the covariance between trainings of their bootstrap means under shared draws of sources. Each part has the half-width
that it would have alone, and they are joined as squares (Zou & Donner 2008, "Construction of confidence limits about
effect measures: a general approach", Statistics in Medicine 27; two-way variance: Cameron, Gelbach & Miller 2011):

    half-width^2 = t(S-1)^2 var(means)/S + (part of the sources in the percentile interval of the grand mean)^2.

With one training it is the percentile interval over sources. A statistic that is no mean (a ratio, an AUC) goes the
same way: its value of every training, and its replicates.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from scipy.special import ndtr, ndtri, stdtr, stdtrit

CONFIDENCE = 0.95
ERROR_RATE = 0.05  # 1 - CONFIDENCE
_TAIL = (1.0 - CONFIDENCE) / 2


@dataclass(frozen=True)
class Shares:
    """Parts of the variance of one training's figure, each in [0, 1], summing to 1.

    trainings: between trainings. sources: between sources, shared by all trainings. rest: sources that one training
    gets right and another does not.
    """

    trainings: float
    sources: float
    rest: float

    def __str__(self) -> str:
        """In percent: '60 / 30 / 10'."""
        return " / ".join(f"{100 * share:.0f}" for share in (self.trainings, self.sources, self.rest))


@dataclass(frozen=True)
class Levels:
    """A value with its interval; arrays (...), of as many estimates as went in.

    error: standard error that the trainings give the value (0 with one). low_sources, high_sources: half-widths that
    the sources give it at ``CONFIDENCE``. variances: of one training's figure (3, ...): trainings, sources, rest.
    """

    value: np.ndarray
    low: np.ndarray
    high: np.ndarray
    error: np.ndarray
    low_sources: np.ndarray
    high_sources: np.ndarray
    variances: np.ndarray

    def of(self, at: int) -> Levels:
        """The one at a place of the last axis."""
        return Levels(*(getattr(self, field.name)[..., at] for field in fields(self)))


def over_trainings(value_T: np.ndarray, replicate_RT: np.ndarray) -> Levels:
    """The mean over trainings with its interval.

    value_T: the statistic of each training, (..., T). replicate_RT: the same over resampled sources, (R, ..., T), where
    replicate r of every training rests on the same draw of sources; NaN where a draw has no value.
    """
    trainings = value_T.shape[-1]
    value = value_T.mean(axis=-1)
    whole = np.isfinite(replicate_RT).all(axis=-1, keepdims=True)
    if not whole.all():
        replicate_RT = np.where(whole, replicate_RT, np.nan)
    percentile = np.percentile if whole.all() else np.nanpercentile
    low, high = percentile(replicate_RT.mean(axis=-1), [100 * _TAIL, 100 * (1 - _TAIL)], axis=0)
    shared, rest = _source_variances(replicate_RT)
    if trainings == 1:
        zero = np.zeros_like(value)
        return Levels(value, low, high, zero, value - low, high - value, np.stack([zero, shared, zero]))
    between = value_T.var(axis=-1, ddof=1)
    total = shared + rest / trainings
    part = np.sqrt(np.divide(shared, total, out=np.zeros_like(total), where=total > 0))
    low_sources, high_sources = part * np.maximum(value - low, 0), part * np.maximum(high - value, 0)
    error = np.sqrt(between / trainings)
    reach = stdtrit(trainings - 1, 1 - _TAIL) * error
    variances = np.stack([np.maximum(between - rest, 0), shared, rest])
    low, high = value - np.hypot(reach, low_sources), value + np.hypot(reach, high_sources)
    return Levels(value, low, high, error, low_sources, high_sources, variances)


def _source_variances(replicate_RT: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(covariance between trainings, the rest of one training's variance) of the replicates, each (...) and >= 0."""
    trainings = replicate_RT.shape[-1]
    centred = replicate_RT - np.nanmean(replicate_RT, axis=0)
    freedom = np.maximum(np.isfinite(centred[..., 0]).sum(axis=0) - 1, 1)
    own = np.nansum(centred**2, axis=0).mean(axis=-1) / freedom
    if trainings == 1:
        return own, np.zeros_like(own)
    of_sum = np.nansum(centred.sum(axis=-1) ** 2, axis=0) / freedom
    shared = np.clip((of_sum - trainings * own) / (trainings * (trainings - 1)), 0.0, own)
    return shared, own - shared


def p_value(distance: float, error: float, sources: float, trainings: int) -> float:
    """Two-sided p of a value this far from the hypothesis: 1 minus the confidence at which its interval ends there.

    distance: |value - hypothesis|. error: standard error over trainings. sources: half-width that the sources give at
    ``CONFIDENCE``, towards the hypothesis. It is below 1 - ``CONFIDENCE`` iff the interval leaves the hypothesis out.
    """
    spread = sources / ndtri(1 - _TAIL)
    if distance <= 0:
        return 1.0
    if error == 0 and spread == 0:
        return 0.0
    if error == 0 or trainings < 2:
        return float(2 * ndtr(-distance / spread))
    if spread == 0:
        return float(2 * stdtr(trainings - 1, -distance / error))
    low, high = -700.0, 0.0  # logarithm of p; the half-width falls with p
    for _ in range(100):
        middle = (low + high) / 2
        tail = np.exp(middle) / 2
        reach = np.hypot(stdtrit(trainings - 1, tail) * error, ndtri(tail) * spread)
        low, high = (middle, high) if reach > distance else (low, middle)
    return float(np.exp(high))


def holm(p_values: list[float]) -> list[float]:
    """Holm's step-down correction: the chance of one false rejection among all is at most that of the corrected p.

    Holm 1979, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6.
    """
    corrected, largest = [1.0] * len(p_values), 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        corrected[index] = largest
    return corrected
