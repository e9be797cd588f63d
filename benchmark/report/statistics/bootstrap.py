"""Cluster bootstrap intervals: sources (scans, photographs) are resampled, never the composites made from them.

A resample takes S sources out of S with replacement, so it is a row of integer weights over sources. Every statistic
here is a function of column means, and a resampled mean is ``weights @ sums / weights @ counts``: one matrix product
instead of a loop. Efron & Tibshirani, "An Introduction to the Bootstrap", 1993, percentile intervals (13.3).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

CONFIDENCE = 0.95
_ROWS_AT_ONCE = 256  # resamples per matrix product: bounds the float64 copy of the integer weights


@dataclass(frozen=True)
class Bootstrap:
    """Settings that every interval of one report shares: the number of resamples and the seed of their draws."""

    resamples: int = 2000
    seed: int = 0


DEFAULT_BOOTSTRAP = Bootstrap()


@dataclass(frozen=True)
class Estimate:
    """A number with its interval. ``n`` samples of ``n_sources`` sources went in, ``n_null`` more had no value."""

    value: float
    low: float
    high: float
    n: int
    n_sources: int
    n_null: int = 0

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}], n {self.n} / {self.n_sources}"


@lru_cache(maxsize=8)
def resampling_weights(n_sources: int, bootstrap: Bootstrap = DEFAULT_BOOTSTRAP) -> np.ndarray:
    """How often each source is drawn in each resample: (resamples, n_sources) uint16, every row sums to n_sources."""
    rng = np.random.default_rng(bootstrap.seed)
    weights = np.empty((bootstrap.resamples, n_sources), dtype=np.uint16)
    for row in range(bootstrap.resamples):
        weights[row] = np.bincount(rng.integers(0, n_sources, n_sources), minlength=n_sources)
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


def percentile_interval(
    columns: Sequence[np.ndarray],
    source_N: np.ndarray,
    combine: Callable[[np.ndarray], np.ndarray],
    bootstrap: Bootstrap = DEFAULT_BOOTSTRAP,
    *,
    n_null: int = 0,
) -> Estimate:
    """Percentile interval of ``combine(column means)``.

    ``columns`` are k arrays (N,) in which NaN means "this sample is not in the column"; ``combine`` maps means (...,
    k) to (...). ``n`` and ``n_sources`` are those of the smallest column. With fewer than two sources there is
    nothing to resample: low and high are NaN. With an empty column everything is NaN.
    """
    value_Nk = np.stack([np.asarray(column, dtype=np.float64) for column in columns], axis=1)
    present_Nk = ~np.isnan(value_Nk)
    used_N = present_Nk.any(axis=1)
    value_Nk, present_Nk = value_Nk[used_N], present_Nk[used_N]
    sources, index_N = np.unique(np.asarray(source_N)[used_N], return_inverse=True)
    count_Sk = np.zeros((len(sources), len(columns)))
    sum_Sk = np.zeros_like(count_Sk)
    np.add.at(count_Sk, index_N, present_Nk)
    np.add.at(sum_Sk, index_N, np.where(present_Nk, value_Nk, 0.0))
    n_k, n_sources_k = count_Sk.sum(axis=0), (count_Sk > 0).sum(axis=0)
    n, n_sources = int(n_k.min()), int(n_sources_k.min())
    if n == 0:
        return Estimate(np.nan, np.nan, np.nan, 0, 0, n_null)
    value = float(combine(sum_Sk.sum(axis=0) / n_k))
    if n_sources < 2:
        return Estimate(value, np.nan, np.nan, n, n_sources, n_null)
    replicates = combine(_resampled_means(sum_Sk, count_Sk, bootstrap))
    replicates = replicates[np.isfinite(replicates)]
    tail = 50.0 * (1.0 - CONFIDENCE)
    low, high = np.percentile(replicates, [tail, 100.0 - tail]) if len(replicates) else (np.nan, np.nan)
    return Estimate(value, float(low), float(high), n, n_sources, n_null)


def mean(value_N: np.ndarray, source_N: np.ndarray, bootstrap: Bootstrap = DEFAULT_BOOTSTRAP) -> Estimate:
    """Mean over samples; NaN values are left out and counted in ``n_null``."""
    value_N = np.asarray(value_N, dtype=np.float64)
    n_null = int(np.isnan(value_N).sum())
    return percentile_interval([value_N], source_N, lambda means: means[..., 0], bootstrap, n_null=n_null)


def paired_difference(
    value_N: np.ndarray, reference_N: np.ndarray, source_N: np.ndarray, bootstrap: Bootstrap = DEFAULT_BOOTSTRAP
) -> Estimate:
    """mean(value − reference) over samples that have both."""
    difference_N = np.asarray(value_N, dtype=np.float64) - np.asarray(reference_N, dtype=np.float64)
    return mean(difference_N, source_N, bootstrap)


def difference_in_differences(
    difference_N: np.ndarray,
    first_N: np.ndarray,
    second_N: np.ndarray,
    source_N: np.ndarray,
    bootstrap: Bootstrap = DEFAULT_BOOTSTRAP,
) -> Estimate:
    """mean(difference | first) − mean(difference | second), two boolean populations resampled together by source."""
    difference_N = np.asarray(difference_N, dtype=np.float64)
    n_null = int((np.isnan(difference_N) & (first_N | second_N)).sum())
    columns = [np.where(first_N, difference_N, np.nan), np.where(second_N, difference_N, np.nan)]
    return percentile_interval(columns, source_N, lambda means: means[..., 0] - means[..., 1], bootstrap, n_null=n_null)


def ratio_of_means(
    value_N: np.ndarray, reference_N: np.ndarray, source_N: np.ndarray, bootstrap: Bootstrap = DEFAULT_BOOTSTRAP
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

    return percentile_interval(columns, source_N, divide, bootstrap, n_null=int(null_N.sum()))
