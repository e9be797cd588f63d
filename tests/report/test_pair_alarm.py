"""The pair alarm against scikit-learn, a case solved by hand, and a bootstrap that draws sources one by one."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from benchmark.report.statistics.bootstrap import Bootstrap
from benchmark.report.statistics.pair_alarm import PairAlarm, alarm_rate, auc, pair_alarm
from tests.report.planted import World, record


def alarm(adversarial, adversarial_source, harmless, harmless_source, seed=0, threshold=0.5) -> PairAlarm:
    arrays = map(np.asarray, (adversarial, adversarial_source, harmless, harmless_source))
    return PairAlarm(seed, *arrays, {1: threshold, 5: threshold})


@pytest.fixture
def drawn() -> PairAlarm:
    rng = np.random.default_rng(3)
    values = np.round(rng.normal(1.0, 1.0, 300), 1), np.round(rng.normal(0.0, 1.0, 500), 1)  # rounded: with ties
    return alarm(values[0], rng.integers(0, 40, 300), values[1], rng.integers(10, 60, 500))


def sklearn_auc(adversarial: np.ndarray, harmless: np.ndarray) -> float:
    labels = np.r_[np.ones(len(adversarial)), np.zeros(len(harmless))]
    return float(roc_auc_score(labels, np.r_[adversarial, harmless]))


def test_solved_by_hand():
    """3 of the 4 pairs of pairs are won, one is a tie: (2 + 1 + 1/2) / 4."""
    estimate = auc([alarm([0.9, 0.5], [0, 1], [0.5, 0.1], [0, 1])], Bootstrap(50))
    assert estimate.value == 0.875
    assert (estimate.n, estimate.n_sources) == (2, 2)


def test_it_is_the_auc_of_sklearn(drawn):
    estimate = auc([drawn], Bootstrap(200))
    assert estimate.value == pytest.approx(sklearn_auc(drawn.adversarial_A, drawn.harmless_H))
    assert estimate.low < estimate.value < estimate.high


def test_the_interval_is_that_of_a_loop(drawn):
    draw, sources, found = (
        np.random.default_rng(0),
        np.unique(np.r_[drawn.adversarial_source_A, drawn.harmless_source_H]),
        [],
    )
    for _ in range(200):
        chosen = sources[draw.integers(0, len(sources), len(sources))]
        pairs = [
            np.concatenate([values[of == source] for source in chosen])
            for values, of in (
                (drawn.adversarial_A, drawn.adversarial_source_A),
                (drawn.harmless_H, drawn.harmless_source_H),
            )
        ]
        found.append(sklearn_auc(*pairs))
    estimate = auc([drawn], Bootstrap(200))
    assert (estimate.low, estimate.high) == pytest.approx(tuple(np.percentile(found, [2.5, 97.5])))


def test_trainings_and_differences(drawn):
    far = alarm(drawn.adversarial_A + 9, drawn.adversarial_source_A, drawn.harmless_H, drawn.harmless_source_H, seed=1)
    both = auc([drawn, far], Bootstrap(100))
    assert both.trainings == 2
    assert both.value == pytest.approx((1 + auc([drawn], Bootstrap(100)).value) / 2)
    assert both.high == 1.0
    difference = auc([far], Bootstrap(100), against=[drawn])
    assert difference.value == pytest.approx(1 - auc([drawn], Bootstrap(100)).value)
    assert auc([drawn], Bootstrap(100), against=[drawn]).high == 0.0


def test_rates_use_the_threshold_given():
    one = alarm([0.9, 0.5, 0.6, 0.1], [0, 1, 2, 3], [0.5, 0.7, 0.1, 0.1, 0.2], [0, 1, 2, 3, 4])
    assert alarm_rate([one], 1, Bootstrap(50), harmless=False).value == 0.5
    assert alarm_rate([one], 5, Bootstrap(50), harmless=True).value == 0.2


def test_only_successes_are_adversarial_pairs_and_nulls_are_left_out():
    world = World(n=200)
    attack, clean = record(world, "rts", "adv2"), record(world, "rts", "clean")
    clean.samples.loc[:9, "harmless_noise_l1"] = np.nan
    found = pair_alarm(attack, clean)
    assert len(found.adversarial_A) == attack.samples["success"].sum()
    assert len(found.harmless_H) == 2 * 200 - 10
    assert found.thresholds == {
        1: clean.cell["facts"]["alarm_threshold_1"],
        5: clean.cell["facts"]["alarm_threshold_5"],
    }


def test_nothing_measured_is_no_number():
    nothing = alarm([], [], [0.1], [0])
    assert auc([nothing], Bootstrap(10)).n == 0
    assert np.isnan(auc([nothing], Bootstrap(10)).value)
