"""Noise and its calibration."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from benchmark.probes.noise import Noise
from benchmark.probes.noise_calibration import calibrate, calibrate_coarse_to_fine

IDS = torch.arange(200)
GREY = torch.full((200, 3, 8, 8), 0.5)


@pytest.mark.parametrize(
    ("kind", "distribution"),
    [("normal", stats.norm(0, 0.1)), ("uniform", stats.uniform(-0.1, 0.2))],
)
def test_noise_has_its_distribution(kind, distribution):
    change = (Noise(kind=kind, scale=0.1, seed=0).perturb(GREY, IDS) - GREY).numpy().ravel()
    assert stats.kstest(change, distribution.cdf).pvalue > 1e-3


def test_sign_noise_has_one_size_and_both_signs():
    change = Noise(kind="sign", scale=0.1, seed=0).perturb(GREY, IDS) - GREY
    torch.testing.assert_close(change.abs(), torch.full_like(change, 0.1))
    assert abs((change > 0).float().mean() - 0.5) < 0.02


def test_noise_stays_in_range_and_belongs_to_the_sample():
    noise = Noise(kind="normal", scale=2.0, seed=0)
    noisy = noise.perturb(GREY, IDS)
    assert noisy.min() == 0 and noisy.max() == 1
    assert torch.equal(noise.perturb(GREY[:1], IDS[57:58])[0], noisy[57])
    assert noise(None, GREY, IDS, IDS).goal_B.eq(-1).all()


class Known:
    """Each sample turns wrong at its own threshold, so that the answer is a quantile; counts what is looked at."""

    def __init__(self, threshold_N):
        self.threshold_N, self.count, self.seen = np.asarray(threshold_N), len(threshold_N), {}

    def wrong(self, scale, among):
        self.seen[scale] = max(among, self.seen.get(scale, 0))
        return int((self.threshold_N[:among] <= scale).sum())

    @property
    def looks(self):
        return sum(self.seen.values()) / self.count


def bisected(threshold_N, level):
    """Seventeen rates of all samples."""
    low, high = 0.0, 4.0
    while high - low >= 1e-4:
        middle = (low + high) / 2
        low, high = (low, middle) if np.mean(threshold_N <= middle) >= level else (middle, high)
    return high


DRAWN = [np.random.default_rng(seed).gamma(4, 0.01 * 3**seed, 1000) for seed in range(4)]


def test_calibration_finds_the_smallest_scale_of_a_known_curve():
    thresholds = np.sort(DRAWN[1])
    found = calibrate(Known(DRAWN[1]), 0.3)
    assert found.scale == pytest.approx(thresholds[299], abs=1e-3)
    assert 0.3 <= found.rate <= 0.3 + found.tolerance and found.tolerance == pytest.approx(0.03)


@pytest.mark.parametrize("level", [0.03, 0.3, 0.95])
@pytest.mark.parametrize("threshold_N", DRAWN, ids=range(4))
def test_looking_no_further_than_decides_a_step_changes_no_scale(threshold_N, level):
    looks = Known(threshold_N)
    assert calibrate(looks, level).scale == bisected(threshold_N, level)
    assert looks.looks < 17, "not all scales are decided by all samples"


@pytest.mark.parametrize("level", [0.03, 0.3, 0.95])
@pytest.mark.parametrize("threshold_N", DRAWN, ids=range(4))
def test_coarse_to_fine_reaches_the_level_within_its_tolerance_in_few_looks(threshold_N, level):
    looks = Known(threshold_N)
    found = calibrate_coarse_to_fine(looks, level)
    assert found.rate == np.mean(threshold_N <= found.scale), "the rate is that of all samples"
    assert level <= found.rate <= level + found.tolerance
    assert (
        bisected(threshold_N, level) <= found.scale <= np.quantile(threshold_N, min(level + found.tolerance, 1)) + 1e-4
    )
    assert looks.looks < 6


BOTH = pytest.mark.parametrize("calibration", [calibrate, calibrate_coarse_to_fine])


@BOTH
@pytest.mark.parametrize("level", [0.0, 1.0, -0.1, 3.0])
def test_a_level_that_is_no_rate_is_refused(calibration, level):
    with pytest.raises(ValueError, match="between 0 and 1"):
        calibration(Known([0.1]), level)


@BOTH
def test_without_samples_there_is_no_scale(calibration):
    with pytest.raises(ValueError, match="train a better classifier"):
        calibration(Known([]), 0.3)


@BOTH
@pytest.mark.parametrize("small", [0.0, 0.12])
def test_an_unreachable_level_names_the_range(calibration, small):
    with pytest.raises(ValueError, match=rf"from 0 to {100 * small:.1f}%"):
        calibration(Known(np.where(np.arange(500) % 25 < 25 * small, 0.1, 9.0)), 0.3)


@BOTH
@pytest.mark.parametrize("threshold", [0.01, 1.0, 3.99])
def test_a_level_that_is_stepped_over_is_refused(calibration, threshold):
    with pytest.raises(ValueError, match=rf"stepped over: the smallest scale that reaches it, {threshold:.3g}"):
        calibration(Known(np.full(500, threshold)), 0.3)


def test_bad_settings_are_refused():
    with pytest.raises(ValueError, match="kind"):
        Noise(kind="pink", scale=0.1, seed=0)
    with pytest.raises(ValueError, match="scale"):
        Noise(kind="normal", scale=-0.1, seed=0)
