"""Tables of noise: how often it makes the classifier wrong, and how far it moves the maps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmark.report.cohorts.cohort import fact_of
from benchmark.report.cohorts.flags import flag_note, marked
from benchmark.report.cohorts.trainings import Trainings
from benchmark.report.labels import probe_name, short_metric_name
from benchmark.report.statistics.bootstrap import DEFAULT_BOOTSTRAP, Bootstrap
from benchmark.report.statistics.sample_metrics import failed, mean_with_interval, succeeded
from benchmark.report.tables.attack_tables import DISTANCES
from benchmark.report.tables.formats import ESTIMATE_NOTE, Entry, Table, names_of

if TYPE_CHECKING:
    from benchmark.storage.records import Record


def _noise_cells(trainings: Trainings) -> list[tuple[str, str, list[Record]]]:
    """(noise, interpreter, cells, one a training) by kind and level, random-sign noise last."""
    probes: list[tuple[str, float | None]] = [*trainings.noises, ("sign", None)]
    cells = [
        (probe_name(probe, level), interpreter, trainings.cells(interpreter, probe, level))
        for probe, level in probes
        for interpreter in trainings.interpreters
    ]
    return [(noise, interpreter, found) for noise, interpreter, found in cells if found]


def _mean_fact(cells: list[Record], name: str) -> float | None:
    """Mean over trainings of a number that each cell states."""
    known = [value for record in cells if (value := fact_of(record, name)) is not None]
    return sum(known) / len(known) if known else None


def noise_rates(trainings: Trainings, bootstrap: Bootstrap = DEFAULT_BOOTSTRAP) -> Table:
    """Scale of each noise and the misclassification it causes, on calibration and on this split."""
    rows: list[list[Entry]] = []
    records: list[list[Record]] = []
    for noise, _, cells in _noise_cells(trainings):
        if rows and rows[-1][0] == noise:
            continue  # the noisy images are shared: one row a noise
        records.append(cells)
        scale, rate = (_mean_fact(cells, name) for name in ("noise_scale", "rate_calibration"))
        rows.append([noise, scale, rate, mean_with_interval(cells, "success", bootstrap)])
    caption = (
        "Noise: scale σ, misclassification rate among samples right without noise, on the calibration split where "
        f"σ was chosen and on the {trainings.key.split} split. {ESTIMATE_NOTE}"
    )
    columns = ["noise", "σ", "calibration rate", f"{trainings.key.split} rate"]
    return Table("noise_rates", caption, columns, rows, names_of(records))


def noise_maps(trainings: Trainings, bootstrap: Bootstrap = DEFAULT_BOOTSTRAP) -> Table:
    """Map distances on misclassified samples, and on those still right as a control."""
    rows: list[list[Entry]] = []
    for noise, interpreter, cells in _noise_cells(trainings):
        wrong = [mean_with_interval(cells, metric, bootstrap, succeeded) for metric in DISTANCES]
        right = mean_with_interval(cells, "map_l1", bootstrap, failed)
        rows.append([noise, marked(interpreter, cells), *wrong, right])
    columns = [*(f"{short_metric_name(metric)}, wrong" for metric in DISTANCES), "L1, right"]
    caption = (
        "Noise: the noisy map against the clean one, on samples it makes wrong and on those still right. "
        f"{ESTIMATE_NOTE}{flag_note(record for *_, cells in _noise_cells(trainings) for record in cells)}"
    )
    records = names_of(cells for *_, cells in _noise_cells(trainings))
    return Table("noise_maps", caption, ["noise", "interpreter", *columns], rows, records)
