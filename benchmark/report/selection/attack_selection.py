"""Which weight c of the map loss each interpreter is attacked with, judged on the calibration split alone.

The rule: the smallest map L1 over all attacked samples, among settings whose success is within 0.05 of the best.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmark.report.cohorts.flags import flag_note, marked, withholding
from benchmark.report.labels import metric_name
from benchmark.report.statistics.bootstrap import DEFAULT_BOOTSTRAP, Bootstrap, mean
from benchmark.report.tables.formats import Entry, Table, markdown, write_csv
from benchmark.storage.records import Record, read_records

SLACK = 0.05
_METRICS = ("success", "map_l1")
RULE = f"the smallest map L1 over all samples, among settings whose success is within {SLACK} of the best"


def candidates(records: list[Record]) -> list[Record]:
    """The sound ones that have a map to measure: an attack that could not attack is no choice."""
    return [record for record in records if not withholding(record) and record.samples["map_l1"].notna().any()]


def chosen(records: list[Record]) -> Record | None:
    """The setting of one interpreter by the rule; without the selector's presence logit in the loss, for one attack.

    None where no cell is sound.
    """
    plain = [record for record in candidates(records) if not record.cell["config"]["probe"]["presence_weight"]]
    if not plain:
        return None
    best = max(record.samples["success"].mean() for record in plain)
    successful = [record for record in plain if record.samples["success"].mean() >= best - SLACK]
    return min(successful, key=lambda record: record.samples["map_l1"].mean())


def attack_table(records: list[Record], bootstrap: Bootstrap = DEFAULT_BOOTSTRAP) -> Table:
    """One row an interpreter, weight and presence_weight."""
    by_interpreter: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        by_interpreter[record.cell["interpreter"]].append(record)
    rows: list[list[Entry]] = []
    for interpreter, candidates in sorted(by_interpreter.items()):
        choice = chosen(candidates)
        for record in sorted(candidates, key=_setting):
            samples = record.samples
            source = samples["source_id"].to_numpy()
            weight, presence = _setting(record)
            rows.append(
                [
                    marked(interpreter, [record]),
                    str(weight),
                    str(presence),
                    *(mean(samples[metric].to_numpy(float), source, bootstrap) for metric in _METRICS),
                    "chosen" if record is choice else "",
                ]
            )
    caption = f"Chosen: {RULE}. 95 % bootstrap intervals over sources, n as samples / sources."
    if note := flag_note(records):
        caption += f"{note} Flagged cells are not chosen."
    columns = ["interpreter", "c", "presence_weight", *(f"ADV2 {metric_name(metric)}" for metric in _METRICS), ""]
    return Table("attack_selection", caption, columns, rows)


def _setting(record: Record) -> tuple[float, float]:
    probe = record.cell["config"]["probe"]
    return probe["weight"], probe["presence_weight"]


def build_attack_selection(
    results_root: Path | str,
    report_root: Path | str,
    filters: Mapping[str, Any] | None = None,
    bootstrap: Bootstrap = DEFAULT_BOOTSTRAP,
) -> Path:
    """Writes attack_selection.md and .csv from the calibration records; returns the former.

    Raises:
        ValueError: there are no finished ADV2 cells on the calibration split.
    """
    wanted = {name: value for name, value in (filters or {}).items() if value is not None}
    wanted |= {"split": "calibration", "probe": "adv2", "status": "done"}
    records = read_records(Path(results_root), **wanted)
    if not records:
        raise ValueError(
            f"No selection to make: looked in {results_root} for finished ADV2 cells with split=calibration; compute "
            "some first, with `python -m benchmark run experiment=attack_selection`."
        )
    out = Path(report_root)
    out.mkdir(parents=True, exist_ok=True)
    table = attack_table(records, bootstrap)
    write_csv(out / "attack_selection.csv", table)
    path = out / "attack_selection.md"
    path.write_text(markdown(table), encoding="utf-8")
    return path
