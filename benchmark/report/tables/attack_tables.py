"""Tables of attacks: how often they succeed, how far they move the maps, how near to a goal map, and against PGD."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmark.report.cohorts.cohort import fact_of, level_of, steps_factor_of
from benchmark.report.cohorts.flags import flag_note, marked
from benchmark.report.cohorts.trainings import Trainings
from benchmark.report.labels import metric_name, probe_setting, short_metric_name
from benchmark.report.statistics.bootstrap import DEFAULT_BOOTSTRAP, Bootstrap
from benchmark.report.statistics.paired import pair
from benchmark.report.statistics.sample_metrics import mean_with_interval, succeeded, whole_passes
from benchmark.report.tables.formats import ESTIMATE_NOTE, Entry, Table, names_of

if TYPE_CHECKING:
    from benchmark.storage.records import Record

_LEADING = ("pgd", "adv2")
_FIRST = ("attack", "interpreter", "passes")
_RATES = ("success", "looks_benign", "joint_success", "linf", "l2_norm")
DISTANCES = ("map_l1", "map_iou", "map_ssim", "map_spearman")
_GOALS = ("success", "goal_map_l1_benign", "goal_map_l1")


def _attack_cells(trainings: Trainings) -> list[tuple[list[Entry], list[Record]]]:
    """([attack, interpreter, passes an image], cells, one a training) of every attack: PGD and ADV2 first, the stated
    steps before multiples of them."""
    records = [r for r in trainings.records if r.cell["probe"] not in ("clean", "sign") and level_of(r) is None]
    probes = [*_LEADING, *sorted({str(record.cell["probe"]) for record in records} - set(_LEADING))]
    kinds = {(steps_factor_of(r), str(r.cell["probe"]), str(r.cell["interpreter"])) for r in records}
    order = trainings.interpreters
    found: list[tuple[list[Entry], list[Record]]] = []
    for factor, probe, name in sorted(kinds, key=lambda kind: (kind[0], probes.index(kind[1]), order.index(kind[2]))):
        cells = trainings.cells(name, probe, steps_factor=factor)
        found.append(([probe_setting(probe, None, factor), marked(name, cells), whole_passes(cells)], cells))
    return found


def _note(trainings: Trainings) -> str:
    """What the captions say of flagged cells."""
    return flag_note(record for _, cells in _attack_cells(trainings) for record in cells)


def attack_rates(trainings: Trainings, bootstrap: Bootstrap = DEFAULT_BOOTSTRAP) -> Table:
    """Success, maps that look benign, and both at once."""
    rows = [
        [*names, *(mean_with_interval(cells, metric, bootstrap) for metric in _RATES)]
        for names, cells in _attack_cells(trainings)
    ]
    caption = (
        "Attacks: how often the class is reached (topk, fixed_label: kept), the map looks benign (L1 within the "
        "interpreter's own benign spread), and both; the size of the perturbation, image units. All attacked "
        f"samples. {ESTIMATE_NOTE}{_note(trainings)}"
    )
    columns = [*_FIRST, *map(short_metric_name, _RATES)]
    return Table("attack_rates", caption, columns, rows, names_of(cells for _, cells in _attack_cells(trainings)))


def attack_maps(trainings: Trainings, bootstrap: Bootstrap = DEFAULT_BOOTSTRAP) -> Table:
    """Distances between benign and adversarial map, for all attacked samples and for successes."""
    rows: list[list[Entry]] = []
    for names, cells in _attack_cells(trainings):
        populations = [(metric, population) for metric in DISTANCES for population in (None, succeeded)]
        rows.append([*names, *(mean_with_interval(cells, metric, bootstrap, which) for metric, which in populations)])
    columns = [f"{short_metric_name(metric)}, {which}" for metric in DISTANCES for which in ("all", "successes")]
    caption = f"Attacks: the adversarial map against the benign one, white box each. {ESTIMATE_NOTE}{_note(trainings)}"
    records = names_of(cells for _, cells in _attack_cells(trainings))
    return Table("attack_maps", caption, [*_FIRST, *columns], rows, records)


def attack_goals(trainings: Trainings, bootstrap: Bootstrap = DEFAULT_BOOTSTRAP) -> Table:
    """How near the adversarial map comes to the one that the attack was to show."""
    found = [(names, cells) for names, cells in _attack_cells(trainings) if "goal_map_l1" in cells[0].samples]
    rows = [[*names, *(mean_with_interval(cells, metric, bootstrap) for metric in _GOALS)] for names, cells in found]
    caption = (
        "Attacks with a goal map: L1 of the benign and of the adversarial map to it. Where the prediction is to be "
        "kept (topk, fixed_label) success is that it was; the goal map of adv2 and of topk is the benign map, "
        f"which adv2 is to keep and topk to leave. {ESTIMATE_NOTE}{_note(trainings)}"
    )
    columns = [*_FIRST, *map(short_metric_name, _GOALS)]
    return Table("attack_goals", caption, columns, rows, names_of(cells for _, cells in found))


def attack_gaps(trainings: Trainings, bootstrap: Bootstrap = DEFAULT_BOOTSTRAP) -> Table:
    """What hiding costs and what it gains: every attack against PGD on the same images."""
    rows: list[list[Entry]] = []
    records: list[list[Record]] = []
    for names, cells in _attack_cells(trainings):
        first = cells[0]
        if first.cell["probe"] == "pgd" or steps_factor_of(first) > 1:
            continue
        pgd = {record.cell["seed"]: record for record in trainings.cells(str(first.cell["interpreter"]), "pgd")}
        both = [(record, pgd[record.cell["seed"]]) for record in cells if record.cell["seed"] in pgd]
        pairs = pair(both, bootstrap) if both else None
        if pairs is None or not len(pairs.reference):
            continue
        success, distance = (pairs.compare(metric, pairs.all_samples()) for metric in ("success", "map_l1"))
        errors = [error for record in cells if (error := fact_of(record, "surrogate_map_l1")) is not None]
        error = sum(errors) / len(errors) if errors else None
        rows.append([*names, success.difference, distance.difference, distance.ratio, error])
        records.append([record for two in both for record in two])
    caption = (
        "Attacks against PGD, paired on the same images and goals: success minus PGD's, map L1 minus PGD's and "
        "over PGD's; and how far the maps of the smooth surrogate that was attacked lie from the true ones (L1, "
        f"benign images), where there is one. {ESTIMATE_NOTE}{_note(trainings)}"
    )
    success_name, map_name = metric_name("success"), metric_name("map_l1")
    columns = [f"{success_name} - PGD", f"{map_name} - PGD", f"{map_name} / PGD", "surrogate's map error"]
    return Table("attack_gaps", caption, [*_FIRST, *columns], rows, names_of(records))
