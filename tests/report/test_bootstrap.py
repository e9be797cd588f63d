"""The vectorised cluster bootstrap against a loop, against known coverage and against cases solved by hand."""

from __future__ import annotations

import numpy as np
import pytest

from benchmark.report.statistics import bootstrap
from benchmark.report.statistics.bootstrap import Bootstrap


def loop_interval(statistic, rows: list[np.ndarray], source: np.ndarray, resamples: int, seed: int) -> tuple:
    """Draws sources one resample at a time, piles up their samples and computes the statistic on the pile."""
    draw = np.random.default_rng(seed)
    sources = np.unique(source)
    values = []
    for _ in range(resamples):
        drawn = draw.integers(0, len(sources), len(sources))
        pile = np.concatenate([np.flatnonzero(source == sources[i]) for i in drawn])
        values.append(statistic(*(row[pile] for row in rows)))
    return tuple(np.percentile([v for v in values if np.isfinite(v)], [2.5, 97.5]))


@pytest.fixture
def sample():
    draw = np.random.default_rng(5)
    source = draw.integers(100, 125, 160)  # unequal sizes, ids that are no indices
    a, b = draw.normal(1.0, 1.0, 160), draw.normal(0.7, 1.0, 160)
    return a + source % 3, b, source, draw.random(160) < 0.3


def close(estimate: bootstrap.Estimate, expected: tuple) -> None:
    assert (estimate.low, estimate.high) == pytest.approx(expected, abs=1e-12)


def test_mean_equals_the_loop(sample):
    a, _, source, _ = sample
    close(bootstrap.mean(a, source, Bootstrap(300, 3)), loop_interval(lambda x: x.mean(), [a], source, 300, 3))


def test_paired_difference_equals_the_loop(sample):
    a, b, source, _ = sample
    expected = loop_interval(lambda x, y: (x - y).mean(), [a, b], source, 300, 0)
    estimate = bootstrap.paired_difference(a, b, source, Bootstrap(300))
    close(estimate, expected)
    assert estimate.value == pytest.approx(np.mean(a) - np.mean(b))


def test_ratio_equals_the_loop(sample):
    a, b, source, _ = sample
    b = np.abs(b)
    close(
        bootstrap.ratio_of_means(a, b, source, Bootstrap(300)),
        loop_interval(lambda x, y: x.mean() / y.mean(), [a, b], source, 300, 0),
    )


def test_difference_in_differences_equals_the_loop(sample):
    a, b, source, wrong = sample
    expected = loop_interval(lambda d, w: d[w].mean() - d[~w].mean(), [a - b, wrong], source, 300, 0)
    estimate = bootstrap.difference_in_differences(a - b, wrong, ~wrong, source, Bootstrap(300))
    close(estimate, expected)
    assert estimate.n == wrong.sum()
    assert estimate.n_sources == len(np.unique(source[wrong]))


def test_solved_by_hand():
    """Two sources with means 0 and 1: resampled means are 0, 1/2 or 1, each often enough to be the ends."""
    estimate = bootstrap.mean(np.array([0.0, 0.0, 1.0, 1.0]), np.array([7, 7, 9, 9]))
    assert (estimate.value, estimate.low, estimate.high, estimate.n, estimate.n_sources) == (0.5, 0.0, 1.0, 4, 2)
    wrong = np.array([True, True, False, False])
    did = bootstrap.difference_in_differences(np.array([3.0, 5.0, 1.0, 1.0]), wrong, ~wrong, np.array([1, 2, 1, 2]))
    assert did.value == 3.0
    assert (did.low, did.high) == (2.0, 4.0)


def test_sources_weigh_by_their_samples():
    """The mean is over samples, not over source means."""
    assert bootstrap.mean(np.array([0.0, 0.0, 0.0, 1.0]), np.array([0, 0, 0, 1])).value == 0.25


def test_constant_has_a_point_interval():
    estimate = bootstrap.mean(np.full(50, 0.3), np.arange(50))
    assert (estimate.low, estimate.high) == pytest.approx((0.3, 0.3))


def test_nulls_are_left_out_and_counted():
    values, source = np.array([1.0, np.nan, 3.0, np.nan]), np.array([0, 0, 1, 2])
    estimate = bootstrap.mean(values, source)
    assert (estimate.value, estimate.n, estimate.n_sources, estimate.n_null) == (2.0, 2, 2, 2)
    pair = bootstrap.paired_difference(values, np.array([0.0, 0.0, np.nan, 0.0]), source)
    assert (pair.value, pair.n, pair.n_null) == (1.0, 1, 3)
    nothing = bootstrap.mean(np.array([np.nan]), np.array([0]))
    assert np.isnan(nothing.value)
    assert (nothing.n, nothing.n_sources, nothing.n_null) == (0, 0, 1)


def test_one_source_has_no_interval():
    estimate = bootstrap.mean(np.arange(40.0), np.zeros(40))
    assert estimate.value == 19.5
    assert np.isnan(estimate.low)
    assert np.isnan(estimate.high)


def test_zero_reference_has_no_ratio():
    assert np.isnan(bootstrap.ratio_of_means(np.ones(4), np.zeros(4), np.arange(4)).value)


def test_weights_are_exact_resamples():
    weights = bootstrap.resampling_weights(17, Bootstrap(50, 1))
    assert (weights.sum(axis=1) == 17).all()
    assert not np.array_equal(weights, bootstrap.resampling_weights(17, Bootstrap(50, 2)))


def test_coverage_needs_sources():
    """Composites of one source are alike: resampling sources covers the truth, resampling samples does not."""
    draw = np.random.default_rng(11)
    by_source = by_sample = 0
    for _ in range(200):
        source = np.repeat(np.arange(40), 5)
        values = draw.normal(0.0, 1.0, 40)[source] + draw.normal(0.0, 0.3, 200)
        first = bootstrap.mean(values, source, Bootstrap(400))
        second = bootstrap.mean(values, np.arange(200), Bootstrap(400))
        by_source += first.low <= 0 <= first.high
        by_sample += second.low <= 0 <= second.high
    assert 0.89 <= by_source / 200 <= 0.985
    assert by_sample / 200 < 0.75


def test_columns_together_are_as_each_alone(sample):
    """Columns that lack no sample, the same ones, others, all but one source, and all."""
    a, b, source, draw = sample
    few = source == source[0]
    columns = [a, b, np.where(draw < 0.3, np.nan, a), np.where(draw < 0.3, np.nan, b), np.where(draw < 0.7, b, np.nan)]
    columns += [np.where(few, a, np.nan), np.full(len(a), np.nan), (a > 1).astype(float)]
    together = bootstrap.means(np.stack(columns, axis=1), source, Bootstrap(200))
    for column, found in zip(columns, together, strict=True):
        alone = bootstrap.mean(column, source, Bootstrap(200))
        assert (found.n, found.n_sources, found.n_null) == (alone.n, alone.n_sources, alone.n_null)
        assert found.trainings == alone.trainings
        for name in ("value", "low", "high", "error", "sources"):
            assert getattr(found, name) == pytest.approx(getattr(alone, name), rel=1e-12, nan_ok=True), name
