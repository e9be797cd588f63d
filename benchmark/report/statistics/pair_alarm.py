"""The pair alarm: does the distance d = ||g(x) - g(x')||_1 tell an attack from a harmless change of the input?

Adversarial pairs are those of an attack that reached its class. Harmless pairs are those of the interpreter's clean
cell: noise that keeps the prediction, and shifts by a pixel. AUC = P(d adversarial > d harmless) + P(equal) / 2, the
Mann-Whitney statistic. Thresholds come from the calibration split, so that rates on this split are honest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from benchmark.report.cohorts.cohort import fact_of
from benchmark.report.statistics.bootstrap import (
    NOTHING,
    Bootstrap,
    Estimate,
    estimate_of,
    mean,
    resampling_weights,
    within_unit,
)
from benchmark.report.statistics.hierarchical import over_trainings
from benchmark.report.statistics.sample_metrics import column, succeeded

if TYPE_CHECKING:
    from benchmark.storage.records import Record

HARMLESS = ("harmless_noise_l1", "harmless_shift_l1")
FALSE_ALARMS = (1, 5)  # percent: thresholds are the 99 % and the 95 % quantile of harmless pairs on calibration
_AT_ONCE = 256  # adversarial pairs compared with all harmless pairs at a time


@dataclass(frozen=True)
class PairAlarm:
    """Distances of one training, with the source of each pair. thresholds: by percent of false alarms."""

    seed: int
    adversarial_A: np.ndarray
    adversarial_source_A: np.ndarray
    harmless_H: np.ndarray
    harmless_source_H: np.ndarray
    thresholds: dict[int, float | None]

    @property
    def is_measured(self) -> bool:
        return bool(len(self.adversarial_A) and len(self.harmless_H))


def pair_alarm(attack: Record, clean: Record) -> PairAlarm:
    """The alarm for the attack's cell, by the clean cell of the same interpreter and training."""
    rows = attack.samples[succeeded(attack.samples)]
    adversarial, source = column(rows, "map_l1"), rows["source_id"].to_numpy()
    harmless = np.concatenate([column(clean.samples, name) for name in HARMLESS])
    harmless_source = np.tile(clean.samples["source_id"].to_numpy(), len(HARMLESS))
    thresholds = {
        percent: next((x for r in (attack, clean) if (x := fact_of(r, f"alarm_threshold_{percent}")) is not None), None)
        for percent in FALSE_ALARMS
    }
    known, harmless_known = ~np.isnan(adversarial), ~np.isnan(harmless)
    return PairAlarm(
        int(clean.cell["seed"]),
        adversarial[known],
        source[known],
        harmless[harmless_known],
        harmless_source[harmless_known],
        thresholds,
    )


def _wins(alarm: PairAlarm, sources_S: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(wins (S, S), adversarial pairs (S,), harmless pairs (S,)) by source.

    Entry (i, j) of wins sums, over the adversarial pairs of source i and the harmless pairs of source j, 1 where the
    former is further apart and 1/2 where they are equal.
    """
    at_A, at_H = (np.searchsorted(sources_S, s) for s in (alarm.adversarial_source_A, alarm.harmless_source_H))
    by_source = np.argsort(at_H, kind="stable")
    harmless_H, at_H = alarm.harmless_H[by_source], at_H[by_source]
    present, starts = np.unique(at_H, return_index=True)
    wins_SS = np.zeros((len(sources_S), len(sources_S)))
    for start in range(0, len(at_A), _AT_ONCE):
        own = slice(start, start + _AT_ONCE)
        d = alarm.adversarial_A[own, None]
        won = np.add.reduceat(np.where(d > harmless_H, 1.0, np.where(d == harmless_H, 0.5, 0.0)), starts, axis=1)
        np.add.at(wins_SS, (at_A[own, None], present[None]), won)
    size = len(sources_S)
    return wins_SS, np.bincount(at_A, minlength=size).astype(float), np.bincount(at_H, minlength=size).astype(float)


def _auc_replicates(alarm: PairAlarm, sources_S: np.ndarray, weights_RS: np.ndarray) -> np.ndarray:
    wins_SS, adversarial_S, harmless_S = _wins(alarm, sources_S)
    pairs_R = (weights_RS @ adversarial_S) * (weights_RS @ harmless_S)
    won_R = ((weights_RS @ wins_SS) * weights_RS).sum(axis=1)
    auc_R: np.ndarray = np.divide(won_R, pairs_R, out=np.full(len(weights_RS), np.nan), where=pairs_R > 0)
    return auc_R


def auc(alarms: Sequence[PairAlarm], bootstrap: Bootstrap, against: Sequence[PairAlarm] = ()) -> Estimate:
    """Mean AUC over trainings, with its interval; minus that of the alarms ``against`` of the same trainings, if given.

    n: adversarial pairs.
    """
    others: list[PairAlarm | None] = [*against] or [None] * len(alarms)
    sides = list(zip(alarms, others, strict=True))
    sides = [both for both in sides if all(alarm is None or alarm.is_measured for alarm in both)]
    if not sides:
        return NOTHING
    every = [alarm for both in sides for alarm in both if alarm is not None]
    sources_S = np.unique(np.concatenate([s for a in every for s in (a.adversarial_source_A, a.harmless_source_H)]))
    drawn = resampling_weights(len(sources_S), bootstrap).astype(np.float64)
    weights_RS = np.concatenate([np.ones((1, len(sources_S))), drawn])  # the first replicate is the sample itself
    replicate_RT = np.stack(
        [
            _auc_replicates(one, sources_S, weights_RS)
            - (0.0 if other is None else _auc_replicates(other, sources_S, weights_RS))
            for one, other in sides
        ],
        axis=1,
    )
    n = sum(len(one.adversarial_A) for one, _ in sides)
    n_sources = len(np.unique(np.concatenate([one.adversarial_source_A for one, _ in sides])))
    if len(sources_S) < 2:
        value = float(replicate_RT[0].mean())
        return Estimate(value, np.nan, np.nan, n, n_sources, trainings=len(sides))
    found = estimate_of(over_trainings(replicate_RT[0], replicate_RT[1:]), n, n_sources, 0, len(sides))
    return found if against else within_unit(found)


def alarm_rate(alarms: Sequence[PairAlarm], percent: int, bootstrap: Bootstrap, *, harmless: bool) -> Estimate:
    """Share of the pairs beyond the threshold for ``percent`` of false alarms: of adversarial pairs the true positive
    rate, of harmless ones the false positive rate on this split."""
    values, sources, seeds = [np.zeros(0)], [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int64)]
    for alarm in alarms:
        threshold = alarm.thresholds[percent]
        distance = alarm.harmless_H if harmless else alarm.adversarial_A
        if threshold is not None:
            values.append((distance > threshold).astype(float))
            sources.append(alarm.harmless_source_H if harmless else alarm.adversarial_source_A)
            seeds.append(np.full(len(distance), alarm.seed))
    stacked = np.concatenate(values), np.concatenate(sources)
    return within_unit(mean(*stacked, bootstrap, np.concatenate(seeds)))
