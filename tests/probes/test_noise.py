"""Noise and its calibration."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from benchmark.probes.noise import Noise
from benchmark.probes.noise_calibration import calibrate

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


def test_calibration_finds_the_smallest_scale_of_a_known_curve():
    """Each of 1000 samples turns wrong at its own threshold, so that the answer is a quantile."""
    thresholds = np.sort(np.random.default_rng(0).gamma(4, 0.05, 1000))
    found = calibrate(lambda scale: float((thresholds <= scale).mean()), 0.3, 1000)
    assert found.scale == pytest.approx(thresholds[299], abs=1e-3)
    assert 0.3 <= found.rate <= 0.3 + found.tolerance and found.tolerance == pytest.approx(0.03)


@pytest.mark.parametrize("level", [0.0, 1.0, -0.1, 3.0])
def test_a_level_that_is_no_rate_is_refused(level):
    with pytest.raises(ValueError, match="between 0 and 1"):
        calibrate(lambda scale: 0.5, level, 100)


def test_an_unreachable_level_names_the_range():
    with pytest.raises(ValueError, match=r"from 0 to 12\.0%"):
        calibrate(lambda scale: 0.03 * scale, 0.3, 100)


def test_a_level_that_is_stepped_over_is_refused():
    with pytest.raises(ValueError, match="stepped over"):
        calibrate(lambda scale: float(scale > 1), 0.3, 1000)


def test_bad_settings_are_refused():
    with pytest.raises(ValueError, match="kind"):
        Noise(kind="pink", scale=0.1, seed=0)
    with pytest.raises(ValueError, match="scale"):
        Noise(kind="normal", scale=-0.1, seed=0)
