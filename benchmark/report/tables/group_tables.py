"""What is tabulated: attacks, noise, benign quality and verdicts. Every mean carries its interval and n.

All samples and successes stand in separate columns, each with its own n, so that the two populations never share a
row's figure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from benchmark.report.claims.rows import ClaimRow
from benchmark.report.claims.sentences import percent
from benchmark.report.cohorts.cohort import Cohort, level_of, steps_factor_of
from benchmark.report.statistics.bootstrap import DEFAULT_BOOTSTRAP, Bootstrap, Estimate
from benchmark.report.statistics.paired import column, mean_with_interval, pair
from benchmark.report.tables.formats import EMPTY, Cell, Table, number

if TYPE_CHECKING:
    from benchmark.storage.records import Record

LEADING = ("pgd", "adv2")
_DISTANCES = {"map_l1": "L1", "map_iou": "IoU", "map_ssim": "SSIM", "map_spearman": "Spearman"}
_NOTE = "Each figure: mean, 95 % bootstrap interval over sources, samples / sources."


@dataclass(frozen=True)
class Tabulator:
    """Makes the tables of one cohort."""

    cohort: Cohort
    bootstrap: Bootstrap = DEFAULT_BOOTSTRAP

    def all(self, rows: list[ClaimRow]) -> list[Table]:
        """The tables that have at least one row."""
        attacks = [self.attack_rates(), self.attack_maps(), self.attack_goals(), self.attack_gaps()]
        tables = [*attacks, self.noise_rates(), self.noise_maps(), self.benign()]
        return [table for table in [claim_table(rows), *tables, verdict_table(rows)] if table.rows]

    def _mean(self, record: Record, name: str, population: np.ndarray | None = None) -> Estimate:
        return mean_with_interval(record, name, self.bootstrap, population)

    def _distances(self, record: Record) -> list[Cell]:
        success = column(record.samples, "success") == 1
        return [self._mean(record, name, rows) for name in _DISTANCES for rows in (None, success)]

    def _attacks(self) -> list[tuple[list[Cell], Record]]:
        records = [r for r in self.cohort.records if r.cell["probe"] not in ("clean", "sign") and level_of(r) is None]
        names = {str(record.cell["probe"]) for record in records}
        probes = [*LEADING, *sorted(names - set(LEADING))]
        order = self.cohort.interpreters
        records.sort(
            key=lambda r: (steps_factor_of(r), probes.index(r.cell["probe"]), order.index(r.cell["interpreter"]))
        )
        return [([_attack_name(record), str(record.cell["interpreter"])], record) for record in records]

    def attack_rates(self) -> Table:
        """Success, maps that look benign, and both at once."""
        metrics = ("success", "looks_benign", "joint_success", "linf", "l2_norm")
        rows = [[*name, *(self._mean(record, metric) for metric in metrics)] for name, record in self._attacks()]
        caption = (
            "Attacks: how often the class is reached (topk, fixed_label: kept), the map looks benign (L1 within the "
            "interpreter's own benign spread), and both; the size of the perturbation, image units. All attacked "
            f"samples. {_NOTE}"
        )
        columns = ["attack", "interpreter", "success", "looks benign", "success and looks benign", "L∞", "L2"]
        return Table("attack_rates", caption, columns, rows)

    def attack_maps(self) -> Table:
        """Distances between benign and probed map, for all attacked samples and for successes."""
        rows = [[*name, *self._distances(record)] for name, record in self._attacks()]
        columns = [f"{name}, {who}" for name in _DISTANCES.values() for who in ("all", "successes")]
        caption = f"Attacks: the adversarial map against the benign one, white box each. {_NOTE}"
        return Table("attack_maps", caption, ["attack", "interpreter", *columns], rows)

    def attack_goals(self) -> Table:
        """How near the adversarial map comes to the one that the attack was to show."""
        metrics = ("success", "goal_map_l1_benign", "goal_map_l1")
        rows = [
            [*name, *(self._mean(record, metric) for metric in metrics)]
            for name, record in self._attacks()
            if "goal_map_l1" in record.samples
        ]
        caption = (
            "Attacks with a goal map: L1 of the benign and of the adversarial map to it. Where the prediction is to be "
            "kept (topk, fixed_label) success is that it was; the goal map of adv2 and of topk is the benign map, "
            f"which adv2 is to keep and topk to leave. {_NOTE}"
        )
        columns = ["attack", "interpreter", "success", "benign map to the goal", "adversarial map to the goal"]
        return Table("attack_goals", caption, columns, rows)

    def attack_gaps(self) -> Table:
        """What hiding costs and what it gains: every attack against PGD on the same images."""
        rows: list[list[Cell]] = []
        for name, record in self._attacks():
            reference = self.cohort.find(str(record.cell["interpreter"]), "pgd")
            if reference is None or record.cell["probe"] == "pgd" or steps_factor_of(record) > 1:
                continue
            pairs = pair(record, reference, self.bootstrap)
            if not len(pairs.reference):
                continue
            success, distance = (pairs.compare(metric, pairs.everyone()) for metric in ("success", "map_l1"))
            error = _number((record.cell.get("facts") or {}).get("surrogate_map_l1"))
            rows.append([*name, success.difference, distance.difference, distance.ratio, error])
        caption = (
            "Attacks against PGD, paired on the same images and goals: success minus PGD's, map L1 minus PGD's and "
            "over PGD's; and how far the maps of the smooth stand-in that was attacked lie from the true ones (L1, "
            f"benign images), where there is one. {_NOTE}"
        )
        columns = ["attack", "interpreter", "success - PGD", "map L1 - PGD", "map L1 / PGD", "stand-in's map error"]
        return Table("attack_gaps", caption, columns, rows)

    def _noises(self) -> list[tuple[list[Cell], Record]]:
        found = [
            ([f"{probe}{percent(level)}", name], self.cohort.find(name, probe, level))
            for probe, level in self.cohort.noises
            for name in self.cohort.interpreters
        ]
        sign = [(["random sign", name], self.cohort.find(name, "sign")) for name in self.cohort.interpreters]
        return [(list(name), record) for name, record in [*found, *sign] if record is not None]

    def noise_rates(self) -> Table:
        """Scale of each noise and the misclassification it causes, on calibration and on this split."""
        rows: list[list[Cell]] = []
        for (name, _), record in self._noises():
            if rows and rows[-1][0] == name:
                continue  # the noisy images are shared: one row a noise
            facts = record.cell.get("facts") or {}
            scale, rate = (_number(facts.get(key)) for key in ("noise_scale", "rate_calibration"))
            rows.append([name, scale, rate, self._mean(record, "success")])
        caption = (
            "Noise: scale σ, misclassification rate among samples right without noise, on the calibration split where "
            f"σ was chosen and on the {self.cohort.key.split} split. {_NOTE}"
        )
        return Table("noise_rates", caption, ["noise", "σ", "calibration rate", f"{self.cohort.key.split} rate"], rows)

    def noise_maps(self) -> Table:
        """Map distances on misclassified samples, and on those still right as a control."""
        rows: list[list[Cell]] = []
        for name, record in self._noises():
            success = column(record.samples, "success")
            wrong = [self._mean(record, metric, success == 1) for metric in _DISTANCES]
            rows.append([*name, *wrong, self._mean(record, "map_l1", success == 0)])
        columns = ["noise", "interpreter", *(f"{name}, wrong" for name in _DISTANCES.values()), "L1, right"]
        caption = (
            f"Noise: the noisy map against the clean one, on samples it makes wrong and on those still right. {_NOTE}"
        )
        return Table("noise_maps", caption, columns, rows)

    def benign(self) -> Table:
        """Quality of the maps of benign inputs."""
        metrics = {
            "object_iou": "object IoU",
            "deletion": "deletion AUC",
            "insertion": "insertion AUC",
            "map_mean_benign": "mean map",
            "reference_l1": "L1 to RTS0",
        }
        records = [(name, self.cohort.find(name, "clean")) for name in self.cohort.interpreters]
        rows: list[list[Cell]] = [
            [name, *(self._mean(record, metric) for metric in metrics)]
            for name, record in records
            if record is not None
        ]
        caption = f"Benign inputs: deletion lower is better, insertion and object IoU higher. {_NOTE}"
        return Table("benign", caption, ["interpreter", *metrics.values()], rows)


def _attack_name(record: Record) -> str:
    factor = steps_factor_of(record)
    return str(record.cell["probe"]) + (f", steps x{factor}" if factor > 1 else "")


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _interval(value: float | None, low: float | None, high: float | None) -> str:
    return EMPTY if value is None else f"{number(value)} [{number(low)}, {number(high)}]"


def _compared(row: ClaimRow) -> list[Cell]:
    """The columns that every table of verdicts starts with."""
    steps = f", x{row.steps_factor}" if row.steps_factor > 1 else ""
    return [
        row.claim,
        row.objective,
        f"{row.probe}{percent(row.level)}{steps}",
        row.metric,
        row.population,
    ]


def _outcome(row: ClaimRow) -> list[Cell]:
    difference = _interval(row.difference, row.low, row.high)
    return [difference, _interval(row.ratio, row.ratio_low, row.ratio_high), f"{row.n} / {row.n_sources}"]


_COMPARED = ["claim", "objective", "probe", "metric", "population"]
_OUTCOME = ["difference", "ratio", "n"]
_CAPTION = "interpreter minus equal-budget RTS, paired; 95 % bootstrap intervals over sources, n as samples / sources."


def claim_table(rows: list[ClaimRow]) -> Table:
    """The rows that decide: each claim's own, its sharper form and the stronger attack."""
    chosen = [
        row
        for row in rows
        if row.role == "primary"
        or row.population == "wrong - right"
        or (row.role == "convergence" and (row.metric, row.population) == ("map_l1", "all"))
    ]
    cells: list[list[Cell]] = [[*_compared(row), *_outcome(row), row.verdict] for row in chosen]
    return Table("claims", f"Observation 8: {_CAPTION}", [*_COMPARED, *_OUTCOME, "verdict"], cells)


def verdict_table(rows: list[ClaimRow]) -> Table:
    """Every comparison made. Whether a control's answer speaks for or against the claim is in its note."""
    cells: list[list[Cell]] = []
    for row in rows:
        note = "" if row.role == "overall" and row.claim != "harmless" else row.note
        means = [row.reference, row.value]
        cells.append([*_compared(row), row.role, *means, *_outcome(row), row.question, row.verdict, note])
    columns = [*_COMPARED, "role", "RTS", "value", *_OUTCOME, "question", "verdict", "note"]
    return Table("verdicts", f"All comparisons: {_CAPTION}", columns, cells)
