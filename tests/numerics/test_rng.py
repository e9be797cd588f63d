"""Draws depend on (seed, purpose, sample id, epoch) alone, and have the distribution they claim."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from benchmark.numerics import rng

MASK = (1 << 64) - 1


def splitmix(word: int) -> int:
    """SplitMix64's finaliser in plain Python integers."""
    word = ((word ^ (word >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    word = ((word ^ (word >> 27)) * 0x94D049BB133111EB) & MASK
    return word ^ (word >> 31)


def test_words_equal_splitmix64_in_integers():
    key = 0x1234567890ABCDEF
    expected = [splitmix((key + i * 0x9E3779B97F4A7C15) & MASK) >> 40 for i in range(1, 6)]
    drawn = rng.uniform(torch.tensor([key]), 5)[0] * 2**24
    assert drawn.long().tolist() == expected


def test_a_sample_draws_the_same_in_any_batch():
    ids = torch.tensor([5, 900, 2_000_000_001])
    together = rng.normal(rng.sample_keys(3, "noise", ids, 2), 3, 7, 5)
    for row, sample in enumerate(ids):
        alone = rng.normal(rng.sample_keys(3, "noise", sample[None], 2), 3, 7, 5)
        assert torch.equal(together[row], alone[0])


@pytest.mark.parametrize("other", [(4, "noise", 2), (3, "goal", 2), (3, "noise", 3)])
def test_seed_purpose_and_epoch_each_change_the_draw(other):
    ids = torch.arange(100)
    seed, purpose, epoch = other
    first = rng.uniform(rng.sample_keys(3, "noise", ids, 2), 10)
    second = rng.uniform(rng.sample_keys(seed, purpose, ids, epoch), 10)
    assert abs(np.corrcoef(first.flatten(), second.flatten())[0, 1]) < 0.15


@pytest.mark.parametrize(
    ("draw", "distribution"),
    [(rng.uniform, stats.uniform()), (rng.normal, stats.norm())],
    ids=["uniform", "normal"],
)
def test_distribution(draw, distribution):
    values = draw(rng.sample_keys(0, "test", torch.arange(500)), 401).double().numpy()
    assert stats.kstest(values.ravel(), distribution.cdf).pvalue > 1e-3
    neighbours = np.corrcoef(values[:, :-1].ravel(), values[:, 1:].ravel())[0, 1]
    samples = np.corrcoef(values[:-1].ravel(), values[1:].ravel())[0, 1]
    assert abs(neighbours) < 0.01 and abs(samples) < 0.01


def test_integers_are_uniform_over_their_range():
    values = rng.integers(rng.sample_keys(0, "test", torch.arange(9000)), 9, 1).flatten()
    counts = torch.bincount(values, minlength=9)
    assert len(counts) == 9 and stats.chisquare(counts).pvalue > 1e-3
    with pytest.raises(ValueError, match="high >= 1"):
        rng.integers(torch.tensor([1]), 0, 1)


def test_permutations_hold_every_row_once_and_differ_by_epoch():
    first, second = rng.permutation(0, "order", 50, 0), rng.permutation(0, "order", 50, 1)
    assert sorted(first.tolist()) == list(range(50))
    assert first.tolist() != second.tolist()
