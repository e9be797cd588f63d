"""The figures in which trainings are compared: means of every cell, and differences between interpreters."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from benchmark.report.claims.verdicts import judge
from benchmark.report.cohorts.cohort import Cohort, fact_of, level_of, steps_factor_of
from benchmark.report.cohorts.trainings import Trainings
from benchmark.report.compare.consistency import TOLERANCE
from benchmark.report.statistics.bootstrap import Bootstrap
from benchmark.report.statistics.decision_rules import MIN_SAMPLES
from benchmark.report.statistics.pair_alarm import FALSE_ALARMS, PairAlarm, alarm_rate, auc, pair_alarm
from benchmark.report.statistics.sample_metrics import column, failed, metric, succeeded

if TYPE_CHECKING:
    from benchmark.storage.records import Record

_RATES = ("success", "looks_benign", "joint_success")
_DISTANCES = ("map_l1", "map_iou", "map_spearman", "map_ssim", "control_class_l1")
_BENIGN = ("object_iou", "deletion", "insertion", "map_mean_benign", "reference_l1")
_OBJECT = ("pointing_game", "energy_in_object", "box_iou")
_ATTACK = ("l2_norm", "goal_map_l1")  # passes are what an attack costs, a setting
_HARMLESS = ("harmless_noise_l1", "harmless_shift_l1")
_FACTS = ("accuracy", "benign_spread")
_MAP_VALUES = ("_l1", "map_mean_benign", "benign_spread")
_POINTS_ONLY = Bootstrap(resamples=2)  # differences are wanted without their intervals

Kind = tuple[str, str, float | None, int]  # interpreter, probe, level, steps factor
Population = Callable[[pd.DataFrame], np.ndarray]


@dataclass(frozen=True)
class Figure:
    """What one number is of. interpreter: "rtsa - rts" for a difference to the equal-budget reference."""

    interpreter: str
    probe: str
    level: float | None
    steps_factor: int
    metric: str
    population: str

    @property
    def tolerance(self) -> float:
        """A distance that never counts as a difference: of map values 0.005, of shares, scores and L2 0.01."""
        return TOLERANCE["map" if self.metric.endswith(_MAP_VALUES) else "rate"]


Values = dict[Figure, list[float]]  # by figure the value of each training that has it, by seed


def kind_of(record: Record) -> Kind:
    """What sets a cell apart from the others of its training."""
    cell = record.cell
    return str(cell["interpreter"]), str(cell["probe"]), level_of(record), steps_factor_of(record)


def values_of(trainings: Trainings, kinds: Sequence[Kind]) -> Values:
    """Means of the cells of these kinds, their alarms, and the differences behind the verdicts made from no others."""
    found: Values = {}
    for kind in kinds:
        found |= cell_values([record for record in trainings.records if kind_of(record) == kind])
    alike = trainings.of_kinds(kinds)
    return found | alarm_values(alike) | difference_values(alike)


def cell_values(records: list[Record]) -> Values:
    """Means of the cells of one kind, one of each training.

    Where noise was calibrated to a level, distances of maps are of misclassified samples, and of those still right.
    Left out: a population that has fewer than ``MIN_SAMPLES`` values in any training.
    """
    found: Values = {}
    for name, population, choose in _wanted(records[0]):
        values = [_mean(record.samples, name, choose) for record in records]
        if all(n >= MIN_SAMPLES for _, n in values):
            found[Figure(*kind_of(records[0]), name, population)] = [value for value, _ in values]
    for name in _FACTS if records[0].cell["probe"] == "clean" else ():
        facts = [fact_of(record, name) for record in records]
        if all(fact is not None for fact in facts):
            found[Figure(*kind_of(records[0]), name, "all")] = [float(fact) for fact in facts if fact is not None]
    return found


def _wanted(record: Record) -> Iterator[tuple[str, str, Population | None]]:
    """(metric, name of the population, its choice) of a cell."""
    if record.cell["probe"] == "clean":
        yield from ((name, "all", None) for name in (*_BENIGN, *_OBJECT, *_HARMLESS))
        return
    yield from ((name, "all", None) for name in _RATES)
    attacked = _is_attack(record)
    yield from ((name, "all", None) for name in _ATTACK if attacked)
    if level_of(record) is not None:
        yield from ((name, "wrong", succeeded) for name in _DISTANCES)
        yield from ((name, "right", failed) for name in _DISTANCES)
    else:
        yield from ((name, "all", None) for name in _DISTANCES)
        yield from ((name, "success", succeeded) for name in _DISTANCES if attacked)


def _is_attack(record: Record) -> bool:
    return bool((column(record.samples, "goal") >= 0).any())


def _mean(samples: pd.DataFrame, name: str, choose: Population | None) -> tuple[float, int]:
    """The mean over values that are there, and their number."""
    values = metric(samples, name)
    values = values if choose is None else values[choose(samples)]
    there = values[~np.isnan(values)]
    return (float(there.mean()), len(there)) if len(there) else (np.nan, 0)


def alarm_values(trainings: Trainings) -> Values:
    """The pair alarm of every attack, by the clean cell of the same interpreter and training.

    AUC, and the shares of pairs that ring at thresholds from calibration: of adversarial pairs (``tpr``) by attack, of
    harmless ones (``fpr``) of the clean cell. Left out: what a training of the attack has no clean cell for, and
    attacks with fewer than ``MIN_SAMPLES`` adversarial pairs in any training.
    """
    found: Values = {}
    for kind in dict.fromkeys(map(kind_of, trainings.records)):
        cells = [(cohort.find(*kind), cohort.find(kind[0], "clean")) for cohort in trainings.cohorts]
        pairs = [(record, clean) for record, clean in cells if record is not None]
        alarms = [pair_alarm(record, clean) for record, clean in pairs if clean is not None]
        harmless, attack = kind[1] == "clean", _is_attack(pairs[0][0])
        if len(alarms) < len(pairs) or not (harmless or (attack and all(map(_can_ring, alarms)))):
            continue
        if attack:
            found[Figure(*kind, "pair_alarm_auc", "pairs")] = [auc([alarm], _POINTS_ONLY).value for alarm in alarms]
        for percent in FALSE_ALARMS:
            rates = [alarm_rate([alarm], percent, _POINTS_ONLY, harmless=harmless) for alarm in alarms]
            if all(rate.n for rate in rates):
                name = f"pair_alarm_{'fpr' if harmless else 'tpr'}_{percent}"
                found[Figure(*kind, name, "pairs")] = [rate.value for rate in rates]
    return found


def _can_ring(alarm: PairAlarm) -> bool:
    return alarm.is_measured and len(alarm.adversarial_A) >= MIN_SAMPLES


def difference_values(trainings: Trainings) -> Values:
    """The differences behind the verdicts, of every training alone."""
    by_training = [_differences(cohort) for cohort in trainings.cohorts]
    keys = list(dict.fromkeys(key for found in by_training for key in found))
    return {key: [found[key] for found in by_training if key in found] for key in keys}


def _differences(cohort: Cohort) -> dict[Figure, float]:
    rows = judge(Trainings([cohort]), _POINTS_ONLY).rows
    return {
        Figure(
            f"{row.interpreter} − rts", row.probe, row.level, row.steps_factor, row.metric, row.population
        ): row.difference
        for row in rows
        if row.difference is not None and row.role != "overall" and row.n >= MIN_SAMPLES
    }
