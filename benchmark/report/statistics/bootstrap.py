"""Cluster bootstrap intervals: sources (scans, photographs) are resampled, never the composites made from them.

Samples of several trainings of one setting may be stacked: ``training_N`` says whose each is, a statistic is taken of
every training, and ``hierarchical`` joins them. Every training weighs the same.

A resample takes S sources out of S with replacement, so it is a row of integer weights over sources. Every statistic
here is a function of column means, and a resampled mean is ``weights @ sums / weights @ counts``: one matrix product
instead of a loop. Efron & Tibshirani, "An Introduction to the Bootstrap", 1993, percentile intervals (13.3).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from benchmark.report.statistics.hierarchical import Levels, Shares, over_trainings, p_value

_ROWS_AT_ONCE = 256  # resamples per matrix product: bounds the float64 copy of the integer weights


@dataclass(frozen=True)
class Bootstrap:
    """Settings that every interval of one report shares: the number of resamples and the seed of their draws."""

    resamples: int = 2000
    seed: int = 0


DEFAULT_BOOTSTRAP = Bootstrap()


@dataclass(frozen=True)
class Estimate:
    """A number with its interval. ``n`` samples of ``n_sources`` sources went in, ``n_null`` more had no value.

    n is over all trainings, n_sources counts a source once. error, sources: half of the interval by trainings (standard
    error) and by sources (half-widths below and above), see ``hierarchical.Levels``.
    """

    value: float
    low: float
    high: float
    n: int
    n_sources: int
    n_null: int = 0
    trainings: int = 1
    error: float = 0.0
    sources: tuple[float, float] = (0.0, 0.0)
    shares: Shares | None = None

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}], n {self.size}"

    @property
    def size(self) -> str:
        """'samples / sources', and over how many trainings."""
        several = f", {self.trainings} trainings" if self.trainings > 1 else ""
        return f"{self.n} / {self.n_sources}{several}"

    def p(self, hypothesis: float = 0.0) -> float:
        """Two-sided p of "the true value is ``hypothesis``"; NaN without an interval."""
        if not (np.isfinite(self.low) and np.isfinite(self.high)):
            return float("nan")
        towards = self.sources[0] if hypothesis < self.value else self.sources[1]
        return p_value(abs(self.value - hypothesis), self.error, towards, self.trainings)


NOTHING = Estimate(np.nan, np.nan, np.nan, 0, 0, trainings=0)


@lru_cache(maxsize=32)
def resampling_weights(n_sources: int, bootstrap: Bootstrap = DEFAULT_BOOTSTRAP) -> np.ndarray:
    """How often each source is drawn in each resample: (resamples, n_sources) uint16, every row sums to n_sources."""
    rng = np.random.default_rng(bootstrap.seed)
    weights = np.empty((bootstrap.resamples, n_sources), dtype=np.uint16)
    for start in range(0, bootstrap.resamples, _ROWS_AT_ONCE):
        rows = len(weights[start : start + _ROWS_AT_ONCE])
        drawn = rng.integers(0, n_sources, (rows, n_sources)) + n_sources * np.arange(rows)[:, None]
        counts = np.bincount(drawn.ravel(), minlength=rows * n_sources)
        weights[start : start + rows] = counts.reshape(rows, n_sources)
    weights.setflags(write=False)
    return weights


def _resampled_means(sum_Sk: np.ndarray, count_Sk: np.ndarray, bootstrap: Bootstrap) -> np.ndarray:
    """Column means of every resample, (resamples, k); NaN where a resample drew no sample of a column."""
    weights = resampling_weights(len(sum_Sk), bootstrap)
    sum_and_count = np.concatenate([sum_Sk, count_Sk], axis=1)
    products = [
        weights[start : start + _ROWS_AT_ONCE].astype(np.float64) @ sum_and_count
        for start in range(0, bootstrap.resamples, _ROWS_AT_ONCE)
    ]
    sums, counts = np.split(np.concatenate(products), 2, axis=1)
    means: np.ndarray = np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts > 0)
    return means


def within_unit(estimate: Estimate) -> Estimate:
    """A rate's interval, cut to [0, 1]: that of few trainings may reach further."""
    if np.isnan(estimate.low):
        return estimate
    return replace(estimate, low=max(estimate.low, 0.0), high=min(estimate.high, 1.0))


def estimate_of(levels: Levels, n: int, n_sources: int, n_null: int, trainings: int) -> Estimate:
    """One estimate from its levels (arrays of no dimension)."""
    total = float(levels.variances.sum())
    shares = Shares(*(float(part) / total for part in levels.variances)) if trainings > 1 and total > 0 else None
    sources = float(levels.low_sources), float(levels.high_sources)
    ends = float(levels.value), float(levels.low), float(levels.high)
    return Estimate(*ends, n, n_sources, n_null, trainings, float(levels.error), sources, shares)


def interval(
    columns: Sequence[np.ndarray],
    source_N: np.ndarray,
    combine: Callable[[np.ndarray], np.ndarray],
    bootstrap: Bootstrap = DEFAULT_BOOTSTRAP,
    *,
    n_null: int = 0,
    training_N: np.ndarray | None = None,
) -> Estimate:
    """Interval of the mean over trainings of ``combine(column means)``.

    ``columns`` are k arrays (N,) in which NaN means "this sample is not in the column"; ``combine`` maps means (...,
    k) to (...). ``n`` and ``n_sources`` are those of the smallest column. A training with an empty column is left out;
    without any training everything is NaN. With fewer than two sources there is nothing to resample: low and high are
    NaN.
    """
    value_Nk = np.stack([np.asarray(column, dtype=np.float64) for column in columns], axis=1)
    present_Nk = ~np.isnan(value_Nk)
    training_N = np.zeros(len(value_Nk)) if training_N is None else np.asarray(training_N)
    whole = [name for name in np.unique(training_N) if present_Nk[training_N == name].any(axis=0).all()]
    used_N = present_Nk.any(axis=1) & np.isin(training_N, whole)
    value_Nk, present_Nk = value_Nk[used_N], present_Nk[used_N]
    sources, index_N = np.unique(np.asarray(source_N)[used_N], return_inverse=True)
    number_N = np.searchsorted(np.asarray(whole), training_N[used_N]) if whole else np.zeros(0, dtype=int)
    count_STk = np.zeros((len(sources), len(whole), len(columns)))
    sum_STk = np.zeros_like(count_STk)
    np.add.at(count_STk, (index_N, number_N), present_Nk)
    np.add.at(sum_STk, (index_N, number_N), np.where(present_Nk, value_Nk, 0.0))
    if not whole:
        return replace(NOTHING, n_null=n_null)
    n = int(count_STk.sum(axis=(0, 1)).min())
    n_sources = int((count_STk.sum(axis=1) > 0).sum(axis=0).min())
    value_T = combine(sum_STk.sum(axis=0) / count_STk.sum(axis=0))
    if n_sources < 2 or not np.isfinite(value_T).all():
        return Estimate(float(value_T.mean()), np.nan, np.nan, n, n_sources, n_null, len(whole))
    flat = len(sources), -1
    means = _resampled_means(sum_STk.reshape(flat), count_STk.reshape(flat), bootstrap)
    replicate_RT = combine(means.reshape(len(means), len(whole), len(columns)))
    return estimate_of(over_trainings(value_T, replicate_RT), n, n_sources, n_null, len(whole))


def mean(
    value_N: np.ndarray,
    source_N: np.ndarray,
    bootstrap: Bootstrap = DEFAULT_BOOTSTRAP,
    training_N: np.ndarray | None = None,
) -> Estimate:
    """Mean over samples; NaN values are left out and counted in ``n_null``."""
    value_N = np.asarray(value_N, dtype=np.float64)
    n_null = int(np.isnan(value_N).sum())
    return interval([value_N], source_N, lambda means: means[..., 0], bootstrap, n_null=n_null, training_N=training_N)


def means(value_Nk: np.ndarray, source_N: np.ndarray, bootstrap: Bootstrap = DEFAULT_BOOTSTRAP) -> list[Estimate]:
    """``mean`` of every column, of one training: columns that lack the same samples are resampled together."""
    value_Nk = np.asarray(value_Nk, dtype=np.float64)
    present_Nk = ~np.isnan(value_Nk)
    alike: dict[bytes, list[int]] = {}
    for column in range(value_Nk.shape[1]):
        alike.setdefault(present_Nk[:, column].tobytes(), []).append(column)
    found = [NOTHING] * value_Nk.shape[1]
    for columns in alike.values():
        present_N = present_Nk[:, columns[0]]
        n, n_null = int(present_N.sum()), int((~present_N).sum())
        sources, index_N = np.unique(np.asarray(source_N)[present_N], return_inverse=True)
        sum_Sk = np.zeros((len(sources), len(columns)))
        np.add.at(sum_Sk, index_N, value_Nk[present_N][:, columns])
        count_S = np.bincount(index_N, minlength=len(sources)).astype(np.float64)
        value_k = sum_Sk.sum(axis=0) / max(n, 1)
        if len(sources) < 2:
            alone = [Estimate(float(value), np.nan, np.nan, n, len(sources), n_null) for value in value_k]
            estimates = alone if n else [replace(NOTHING, n_null=n_null)] * len(columns)
        else:
            means_Rk = _resampled_means(sum_Sk, np.repeat(count_S[:, None], len(columns), axis=1), bootstrap)
            levels = over_trainings(value_k[:, None], means_Rk[..., None])
            estimates = [estimate_of(levels.of(at), n, len(sources), n_null, 1) for at in range(len(columns))]
        for column, estimate in zip(columns, estimates, strict=True):
            found[column] = estimate
    return found


def paired_difference(
    value_N: np.ndarray,
    reference_N: np.ndarray,
    source_N: np.ndarray,
    bootstrap: Bootstrap = DEFAULT_BOOTSTRAP,
    training_N: np.ndarray | None = None,
) -> Estimate:
    """mean(value − reference) over samples that have both."""
    difference_N = np.asarray(value_N, dtype=np.float64) - np.asarray(reference_N, dtype=np.float64)
    return mean(difference_N, source_N, bootstrap, training_N)


def difference_in_differences(
    difference_N: np.ndarray,
    first_N: np.ndarray,
    second_N: np.ndarray,
    source_N: np.ndarray,
    bootstrap: Bootstrap = DEFAULT_BOOTSTRAP,
    training_N: np.ndarray | None = None,
) -> Estimate:
    """mean(difference | first) − mean(difference | second), two boolean populations resampled together by source."""
    difference_N = np.asarray(difference_N, dtype=np.float64)
    n_null = int((np.isnan(difference_N) & (first_N | second_N)).sum())
    columns = [np.where(first_N, difference_N, np.nan), np.where(second_N, difference_N, np.nan)]

    def subtract(means: np.ndarray) -> np.ndarray:
        return np.asarray(means[..., 0] - means[..., 1])

    return interval(columns, source_N, subtract, bootstrap, n_null=n_null, training_N=training_N)


def ratio_of_means(
    value_N: np.ndarray,
    reference_N: np.ndarray,
    source_N: np.ndarray,
    bootstrap: Bootstrap = DEFAULT_BOOTSTRAP,
    training_N: np.ndarray | None = None,
) -> Estimate:
    """mean(value) / mean(reference) over samples that have both; NaN where the reference's mean is zero."""
    value_N, reference_N = np.asarray(value_N, dtype=np.float64), np.asarray(reference_N, dtype=np.float64)
    null_N = np.isnan(value_N) | np.isnan(reference_N)
    columns = [np.where(null_N, np.nan, value_N), np.where(null_N, np.nan, reference_N)]

    def divide(means: np.ndarray) -> np.ndarray:
        numerator, denominator = np.asarray(means[..., 0]), np.asarray(means[..., 1])
        quotient: np.ndarray = np.divide(
            numerator, denominator, out=np.full_like(numerator, np.nan), where=denominator != 0
        )
        return quotient

    return interval(columns, source_N, divide, bootstrap, n_null=int(null_N.sum()), training_N=training_N)
