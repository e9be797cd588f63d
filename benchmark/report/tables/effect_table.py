"""Table of effects: does the map give the attack away? Joint success and the pair alarm."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from benchmark.report.cohorts.cohort import Cohort
from benchmark.report.cohorts.flags import flag_note, marked
from benchmark.report.cohorts.strongest import STRONGEST, attacks_within_budget, strongest_of
from benchmark.report.cohorts.trainings import Trainings
from benchmark.report.labels import short_metric_name
from benchmark.report.statistics.bootstrap import DEFAULT_BOOTSTRAP, NOTHING, Bootstrap, Estimate
from benchmark.report.statistics.pair_alarm import FALSE_ALARMS, PairAlarm, alarm_rate, auc, pair_alarm
from benchmark.report.statistics.sample_metrics import mean_with_interval, whole_passes
from benchmark.report.tables.formats import ESTIMATE_NOTE, Entry, Table, names_of

if TYPE_CHECKING:
    from benchmark.storage.records import Record

ATTACKS = (STRONGEST, "adv2")
RATES = tuple(
    (f"pair_alarm_{'fpr' if harmless else 'tpr'}_{percent}", percent, harmless)
    for percent in FALSE_ALARMS
    for harmless in (False, True)
)


def _attack(cohort: Cohort, interpreter: str, probe: str) -> Record | None:
    return strongest_of(cohort, interpreter) if probe == STRONGEST else cohort.find(interpreter, probe)


def attacked_cells(trainings: Trainings, interpreter: str, probe: str) -> list[tuple[Record, Record | None]]:
    """(the attack's cell, the interpreter's clean cell) of every training that has the attack."""
    found = [(_attack(cohort, interpreter, probe), cohort.find(interpreter, "clean")) for cohort in trainings.cohorts]
    return [(attack, clean) for attack, clean in found if attack is not None]


def effects(cells: list[tuple[Record, Record | None]], bootstrap: Bootstrap) -> Iterator[tuple[str, Estimate]]:
    """(metric, estimate) of the attack on one interpreter, one pair of cells a training."""
    yield "joint_success", mean_with_interval([attack for attack, _ in cells], "joint_success", bootstrap)
    alarms = [pair_alarm(attack, clean) for attack, clean in cells if clean is not None]
    measured: list[PairAlarm] = [alarm for alarm in alarms if alarm.is_measured]
    yield "pair_alarm_auc", auc(measured, bootstrap) if measured else NOTHING
    for name, percent, harmless in RATES:
        yield name, alarm_rate(measured, percent, bootstrap, harmless=harmless) if measured else NOTHING


def effect_table(trainings: Trainings, bootstrap: Bootstrap = DEFAULT_BOOTSTRAP) -> Table:
    """One row an interpreter, under the strongest attack and under plain ADV2."""
    rows: list[list[Entry]] = []
    seen: list[Record] = []
    records: list[list[Record]] = []
    names = ["joint_success", "pair_alarm_auc", *(name for name, *_ in RATES)]
    for probe in ATTACKS:
        for interpreter in trainings.interpreters:
            cells = attacked_cells(trainings, interpreter, probe)
            if not cells:
                continue
            attacks = [attack for attack, _ in cells]
            seen += attacks
            records.append(_behind(trainings, interpreter, probe))
            numbers = dict(effects(cells, bootstrap))
            rows.append(
                [probe, marked(interpreter, attacks), whole_passes(attacks), *(numbers[name] for name in names)]
            )
    columns = ["attack", "interpreter", "passes", *map(short_metric_name, names)]
    caption = (
        "Effects: does the map give the attack away? Strongest: for each sample the best of all attacks tried within "
        "the budget; passes of the network for an image, forward and backward. Joint success: class reached and map "
        "within the interpreter's own benign spread. Pair alarm: L1 between the maps of x and x', adversarial against "
        "harmless pairs (noise that keeps the prediction, shifts by a pixel); thresholds from calibration, so that the "
        f"false positive rate is what they give here. {ESTIMATE_NOTE}{flag_note(seen)}"
    )
    return Table("effects", caption, columns, rows, names_of(records))


def _behind(trainings: Trainings, interpreter: str, probe: str) -> list[Record]:
    """The cells on disk that a row rests on: every attack within the budget, for the strongest."""
    found: list[Record] = []
    for cohort in trainings.cohorts:
        within = attacks_within_budget(cohort, interpreter).values()
        alone = cohort.find(interpreter, probe)
        found += within if probe == STRONGEST else [alone] if alone is not None else []
        clean = cohort.find(interpreter, "clean")
        found += [clean] if clean is not None else []
    return found
