"""Tables of noise: how often it makes the classifier wrong, and how far it moves the maps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmark.report.cohorts.cohort import Cohort, fact_of
from benchmark.report.cohorts.flags import flag_note, marked
from benchmark.report.labels import probe_name, short_metric_name
from benchmark.report.statistics.bootstrap import DEFAULT_BOOTSTRAP, Bootstrap
from benchmark.report.statistics.sample_metrics import column, mean_with_interval
from benchmark.report.tables.attack_tables import DISTANCES
from benchmark.report.tables.formats import ESTIMATE_NOTE, Entry, Table

if TYPE_CHECKING:
    from benchmark.storage.records import Record


def _noise_cells(cohort: Cohort) -> list[tuple[str, str, Record]]:
    """(noise, interpreter, cell) by kind and level, random-sign noise last."""
    probes: list[tuple[str, float | None]] = [*cohort.noises, ("sign", None)]
    cells = [
        (probe_name(probe, level), interpreter, cohort.find(interpreter, probe, level))
        for probe, level in probes
        for interpreter in cohort.interpreters
    ]
    return [(noise, interpreter, record) for noise, interpreter, record in cells if record is not None]


def noise_rates(cohort: Cohort, bootstrap: Bootstrap = DEFAULT_BOOTSTRAP) -> Table:
    """Scale of each noise and the misclassification it causes, on calibration and on this split."""
    rows: list[list[Entry]] = []
    for noise, _, record in _noise_cells(cohort):
        if rows and rows[-1][0] == noise:
            continue  # the noisy images are shared: one row a noise
        scale, rate = fact_of(record, "noise_scale"), fact_of(record, "rate_calibration")
        rows.append([noise, scale, rate, mean_with_interval(record, "success", bootstrap)])
    caption = (
        "Noise: scale σ, misclassification rate among samples right without noise, on the calibration split where "
        f"σ was chosen and on the {cohort.key.split} split. {ESTIMATE_NOTE}"
    )
    return Table("noise_rates", caption, ["noise", "σ", "calibration rate", f"{cohort.key.split} rate"], rows)


def noise_maps(cohort: Cohort, bootstrap: Bootstrap = DEFAULT_BOOTSTRAP) -> Table:
    """Map distances on misclassified samples, and on those still right as a control."""
    rows: list[list[Entry]] = []
    for noise, interpreter, record in _noise_cells(cohort):
        success = column(record.samples, "success")
        wrong = [mean_with_interval(record, metric, bootstrap, success == 1) for metric in DISTANCES]
        right = mean_with_interval(record, "map_l1", bootstrap, success == 0)
        rows.append([noise, marked(interpreter, record), *wrong, right])
    columns = [*(f"{short_metric_name(metric)}, wrong" for metric in DISTANCES), "L1, right"]
    caption = (
        "Noise: the noisy map against the clean one, on samples it makes wrong and on those still right. "
        f"{ESTIMATE_NOTE}{flag_note(record for *_, record in _noise_cells(cohort))}"
    )
    return Table("noise_maps", caption, ["noise", "interpreter", *columns], rows)
