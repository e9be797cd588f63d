"""Intervals over trainings: coverage on a planted population, cases solved by hand, and what must not change them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from benchmark.report.statistics import bootstrap
from benchmark.report.statistics.bootstrap import Bootstrap, resampling_weights
from benchmark.report.statistics.hierarchical import holm, over_trainings, p_value

SOURCES = 100
# Standard deviations of trainings, sources and their interaction. Between: one training lies some half-widths of its
# own interval over sources away from another, as a noise distance does. Within: the sources that all trainings share
# decide (a difference that hardly depends on the training).
POPULATIONS = {
    "between": (1.0, 1.0, 1.0),
    "mixed": (0.1, 1.0, 0.5),
    "within": (0.0, 1.0, 0.1),
    "interaction": (0.05, 0.3, 1.0),
    # Shares of variance as they are in the published fifteen trainings: 0.97, 0.005 and 0.025 of a noise distance or of
    # a benign map's drift, 0.70, 0.01 and 0.29 of the map L1 under the strongest attack.
    "measured, noise": (0.985, 0.71, 1.58),
    "measured, attack": (0.84, 1.0, 5.39),
}


def draw(population: str, trainings: int, repeats: int, seed: int, skewed: bool = False) -> np.ndarray:
    """(sources, repeats, trainings), true mean 0."""
    rng = np.random.default_rng(seed)
    by_training, by_source, rest = POPULATIONS[population]
    unit = (lambda size: rng.exponential(1.0, size) - 1.0) if skewed else rng.standard_normal
    training = rng.standard_normal((1, repeats, trainings))
    return by_training * training + by_source * unit((SOURCES, repeats, 1)) + rest * unit((SOURCES, repeats, trainings))


def coverage(population: str, trainings: int, repeats: int = 2000, skewed: bool = False) -> tuple[float, float]:
    """(of the interval, of a plain t-interval of the means of the trainings) at 95 %.

    The figures in docs/verdicts.md, in half a minute: python -m tests.report.test_hierarchical
    """
    value_SMT = draw(population, trainings, repeats, seed=trainings, skewed=skewed)
    weights = resampling_weights(SOURCES, Bootstrap(400)).astype(float) / SOURCES
    replicates = (weights @ value_SMT.reshape(SOURCES, -1)).reshape(-1, repeats, trainings)
    mean_MT = value_SMT.mean(axis=0)
    levels = over_trainings(mean_MT, replicates)
    covered = ((levels.low <= 0) & (levels.high >= 0)).mean()
    reach = stats.t.ppf(0.975, trainings - 1) * stats.sem(mean_MT, axis=1)
    return float(covered), float((np.abs(mean_MT.mean(axis=1)) <= reach).mean())


@pytest.mark.parametrize("population", POPULATIONS)
@pytest.mark.parametrize("trainings", [3, 5, 10])
def test_the_interval_covers(population, trainings):
    """At least 93 % of intervals hold the truth (and the width is no excuse: at most 98.5 %)."""
    covered, _ = coverage(population, trainings)
    assert 0.93 <= covered <= 0.985


@pytest.mark.parametrize("trainings", [3, 5, 10])
def test_the_interval_covers_where_sources_are_skewed(trainings):
    assert 0.93 <= coverage("measured, attack", trainings, skewed=True)[0] <= 0.985


def rate_coverage(mean: float, deviation: float, trainings: int, repeats: int = 2000) -> float:
    """Of the interval of a rate: outcomes of 0 and 1 on 100 sources, the rate of each training drawn from a beta
    distribution of this mean and standard deviation.
    """
    rng, size = np.random.default_rng(trainings), mean * (1 - mean) / deviation**2 - 1
    rate_MT = rng.beta(mean * size, (1 - mean) * size, (repeats, trainings))
    value_SMT = (rng.random((SOURCES, repeats, trainings)) < rate_MT).astype(float)
    weights = resampling_weights(SOURCES, Bootstrap(400)).astype(float) / SOURCES
    replicates = (weights @ value_SMT.reshape(SOURCES, -1)).reshape(-1, repeats, trainings)
    levels = over_trainings(value_SMT.mean(axis=0), replicates)
    return float(((levels.low <= mean) & (levels.high >= mean)).mean())


@pytest.mark.parametrize("trainings", [3, 5, 10])
def test_the_interval_of_a_rate_covers_less_near_one(trainings):
    """Rates near 1 are skewed, and intervals of a few skewed numbers too short: docs/verdicts.md says by how much."""
    assert rate_coverage(0.8, 0.1, trainings, 4000) >= 0.93
    assert 0.91 <= rate_coverage(0.97, 0.02, trainings, 4000) <= 0.95


def test_trainings_alone_do_not_cover_where_sources_decide():
    """All trainings see the same sources: their means agree, and are wrong together."""
    assert coverage("within", 5, 1000)[1] < 0.5


def test_sources_alone_do_not_cover_where_trainings_decide():
    value = draw("between", 1, 1000, seed=1)[..., 0]
    weights = resampling_weights(SOURCES, Bootstrap(400)).astype(float) / SOURCES
    levels = over_trainings(value.mean(axis=0)[:, None], (weights @ value)[..., None])
    assert ((levels.low <= 0) & (levels.high >= 0)).mean() < 0.5


def stacked(value_TS: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    trainings, sources = value_TS.shape
    return value_TS.reshape(-1), np.tile(np.arange(sources), trainings), np.repeat(np.arange(trainings), sources)


def test_without_spread_over_sources_it_is_the_t_interval():
    values, source, training = stacked(np.array([[1.0], [2.0], [6.0]]) * np.ones((1, 40)))
    estimate = bootstrap.mean(values, source, training_N=training)
    expected = stats.t.interval(0.95, 2, 3.0, stats.sem([1.0, 2.0, 6.0]))
    assert (estimate.low, estimate.high) == pytest.approx(expected)
    assert (estimate.n, estimate.n_sources, estimate.trainings) == (120, 40, 3)
    assert estimate.shares.trainings == pytest.approx(1.0)


def test_equal_trainings_are_one_training():
    one = np.random.default_rng(2).normal(1.0, 1.0, 60)
    values, source, training = stacked(np.tile(one, (4, 1)))
    several, single = bootstrap.mean(values, source, training_N=training), bootstrap.mean(one, np.arange(60))
    assert (several.value, several.low, several.high) == pytest.approx((single.value, single.low, single.high))
    assert several.shares.sources == pytest.approx(1.0)


def test_shares_are_those_planted():
    """Variance of a mean of 400 sources: trainings 0.02^2, sources 0.4^2 / 400, rest 0.2^2 / 400."""
    rng = np.random.default_rng(4)
    value = 0.02 * rng.standard_normal((60, 1)) + 0.4 * rng.standard_normal(400) + 0.2 * rng.standard_normal((60, 400))
    values, source, training = stacked(value)
    shares = bootstrap.mean(values, source, training_N=training).shares
    expected = np.array([0.02**2, 0.4**2 / 400, 0.2**2 / 400])
    assert (shares.trainings, shares.sources, shares.rest) == pytest.approx(tuple(expected / expected.sum()), abs=0.09)


def test_every_training_weighs_the_same():
    values = np.array([0.0, 0.0, 0.0, 0.0, 1.0, 1.0])
    estimate = bootstrap.mean(values, np.array([0, 1, 2, 3, 0, 1]), training_N=np.array([0, 0, 0, 0, 1, 1]))
    assert estimate.value == 0.5


def test_a_training_without_values_is_left_out():
    values, source, training = stacked(np.array([[1.0, 2.0], [3.0, 4.0], [np.nan, np.nan]]))
    estimate = bootstrap.mean(values, source, training_N=training)
    assert (estimate.value, estimate.trainings, estimate.n_null) == (2.5, 2, 2)


@pytest.mark.parametrize("trainings", [1, 2, 3, 5, 10])
def test_p_is_where_the_interval_ends(trainings):
    value = np.random.default_rng(trainings).normal(0.3, 1.0, (trainings, 50))
    estimate = bootstrap.mean(*stacked(value)[:2], training_N=stacked(value)[2])
    for end in (estimate.low, estimate.high):
        assert estimate.p(end) == pytest.approx(0.05, rel=1e-6)
    assert estimate.p(estimate.low - 1e-3) < 0.05 < estimate.p(estimate.low + 1e-3)
    assert estimate.p(estimate.value) == 1.0


def test_p_at_the_ends_is_that_of_t_and_of_z():
    assert p_value(3.0, 1.0, 0.0, 4) == pytest.approx(2 * stats.t.sf(3.0, 3))
    assert p_value(3.0, 0.0, stats.norm.ppf(0.975), 4) == pytest.approx(2 * stats.norm.sf(3.0))
    assert p_value(3.0, 1.0, 1e-9, 4) == pytest.approx(2 * stats.t.sf(3.0, 3))
    assert p_value(0.0, 1.0, 1.0, 4) == 1.0
    assert p_value(1.0, 0.0, 0.0, 4) == 0.0


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


if __name__ == "__main__":
    for name in POPULATIONS:
        for skew in (False, True):
            found = [coverage(name, count, 4000, skew) for count in (3, 5, 10)]
            print(name, "skewed" if skew else "normal", *(f"{ours:.3f} ({plain:.3f})" for ours, plain in found))
    for rate, spread in ((0.8, 0.1), (0.97, 0.02), (0.99, 0.006)):
        print("rate", rate, spread, *(f"{rate_coverage(rate, spread, count, 4000):.3f}" for count in (3, 5, 10)))
