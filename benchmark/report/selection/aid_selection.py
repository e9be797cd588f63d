"""Which settings an interpreter gets, judged on the calibration split alone.

The rule: the largest paired ADV2 difference in map L1 to the equal-budget RTS, among settings whose claim 3 holds
there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmark.report.claims.attack import attack_rows
from benchmark.report.claims.harmless import harmless_rows
from benchmark.report.claims.rows import ClaimRow, select_rows
from benchmark.report.claims.sentences import UNMEASURED
from benchmark.report.claims.subject import Subject
from benchmark.report.cohorts.cohort import REFERENCE, Cohort, is_rtsa, level_of, steps_factor_of
from benchmark.report.cohorts.grouping import identical_setups
from benchmark.report.cohorts.settings import differing, flat, settings_of
from benchmark.report.cohorts.strongest import STRONGEST
from benchmark.report.cohorts.trainings import Trainings
from benchmark.report.labels import CLAIMS, metric_name, short_metric_name
from benchmark.report.statistics import decision_rules
from benchmark.report.statistics.bootstrap import DEFAULT_BOOTSTRAP, Bootstrap, Estimate
from benchmark.report.tables.formats import Entry, Table, markdown, write_csv
from benchmark.storage.records import Record, read_records

KEYS = ("interpreter.lambda_aid", "interpreter.kappa", "interpreter.lambda_anchor")
RULE = "the largest paired ADV2 difference among settings whose claim 3 holds, on the calibration split"


@dataclass(frozen=True)
class Candidate:
    """One setting of one interpreter: its rows of claims 2 and 3, None where they were not measured."""

    cohort: Cohort
    interpreter: str
    settings: dict[str, Any]
    attack: ClaimRow | None
    success: ClaimRow | None
    drift: ClaimRow | None
    harmless: str
    chosen: bool = False

    @property
    def title(self) -> str:
        return Trainings([self.cohort]).title


def _setting(record: Record, keys: Sequence[str]) -> dict[str, Any]:
    config = flat(record.cell.get("config") or {})
    return {key: config.get(key.removeprefix("config.")) for key in keys}


def _check_distinct(records: Sequence[Record], keys: Sequence[str]) -> None:
    """Raises ValueError where the keys do not distinguish two cells of one kind."""
    kinds: dict[tuple[Any, ...], list[Record]] = defaultdict(list)
    for record in records:
        cell = record.cell
        kinds[cell["interpreter"], cell["probe"], level_of(record), steps_factor_of(record)].append(record)
    for (interpreter, probe, *_), alike in kinds.items():
        if len(alike) > 1:
            differ = differing([settings_of(record) for record in alike]) or ["nothing but their hash"]
            raise ValueError(
                f"{len(alike)} cells of interpreter {interpreter} under {probe} cannot be told apart by the settings "
                f"{', '.join(keys)}: they differ in {', '.join(differ)}. Name one of these too, or filter the records."
            )


def _candidate(cohort: Cohort, interpreter: str, settings: dict[str, Any], bootstrap: Bootstrap) -> Candidate:
    subject = Subject(Trainings([cohort]), interpreter, bootstrap, needed=1)  # a choice, not a verdict
    rows = attack_rows(subject) + harmless_rows(subject)

    def first(**wanted: object) -> ClaimRow | None:
        return next(iter(select_rows(rows, **wanted)), None)

    overall = first(claim="harmless", role="overall")
    return Candidate(
        cohort,
        interpreter,
        settings,
        attack=first(claim="attack", role="primary", metric="map_l1"),
        success=first(claim="attack", probe=STRONGEST, metric="success"),
        drift=first(claim="harmless", metric="reference_l1"),
        harmless=overall.verdict if overall else UNMEASURED,
    )


def candidates(
    records: Sequence[Record], keys: Sequence[str] = KEYS, bootstrap: Bootstrap = DEFAULT_BOOTSTRAP
) -> list[Candidate]:
    """Every setting found among the calibration cells, the chosen one of each interpreter marked.

    ``keys`` are dotted paths into the cells' configuration. The reference RTS of a setting is the one cell that
    agrees with it in the keys where there are several, else the only one.
    """
    calibration = [r for r in records if r.cell.get("split") == "calibration" and r.cell.get("status") == "done"]
    found: list[Candidate] = []
    for cohort in identical_setups(calibration):
        reference = [record for record in cohort.records if record.cell["interpreter"] == REFERENCE]
        settings: dict[tuple[str, str], list[Record]] = defaultdict(list)
        for record in cohort.records:
            if is_rtsa(record.cell["interpreter"]):
                settings[record.cell["interpreter"], str(_setting(record, keys))].append(record)
        of_cohort = []
        for (interpreter, _), alike in sorted(settings.items(), key=lambda item: item[0]):
            setting = _setting(alike[0], keys)
            agreeing = [record for record in reference if _setting(record, keys) == setting]
            records_of_setting = [*alike, *(agreeing or reference)]
            _check_distinct(records_of_setting, keys)
            part = Cohort(cohort.key, {}, records_of_setting)
            of_cohort.append(_candidate(part, interpreter, setting, bootstrap))
        found += _with_choice(of_cohort)
    return found


def _with_choice(candidates: Sequence[Candidate]) -> list[Candidate]:
    """The candidates, of each interpreter the one that the rule chooses marked; the first of equals."""
    chosen = []
    for interpreter in {candidate.interpreter for candidate in candidates}:
        harmless = [
            (candidate.attack.difference, -index)
            for index, candidate in enumerate(candidates)
            if candidate.interpreter == interpreter
            and candidate.harmless == decision_rules.HOLDS
            and candidate.attack is not None
            and candidate.attack.difference is not None
            and candidate.attack.verdict != decision_rules.WITHHELD
        ]
        if harmless:
            chosen.append(-max(harmless)[1])
    return [replace(candidate, chosen=index in chosen) for index, candidate in enumerate(candidates)]


def _estimate(row: ClaimRow | None) -> Entry:
    if row is None or row.difference is None:
        return None
    low, high = (float("nan") if end is None else end for end in (row.low, row.high))
    return Estimate(row.difference, low, high, row.n, row.n_sources)


def selection_table(found: Sequence[Candidate]) -> Table:
    """One row a setting."""
    several = len({candidate.title for candidate in found}) > 1
    keys = list(found[0].settings) if found else []
    rows: list[list[Entry]] = []
    for candidate in found:
        attack = candidate.attack
        rows.append(
            [
                *([candidate.title] if several else []),
                candidate.interpreter,
                *("none" if value is None else str(value) for value in candidate.settings.values()),
                _estimate(attack),
                f"{attack.ratio:.2f}" if attack and attack.ratio is not None else None,
                attack.verdict if attack else UNMEASURED,
                _estimate(candidate.success),
                _estimate(candidate.drift),
                candidate.harmless,
                "chosen" if candidate.chosen else "",
            ]
        )
    names = [key.split(".")[-1] for key in keys]
    figures = [
        f"ADV2 {metric_name('map_l1')}, difference",
        "ratio",
        f"claim {CLAIMS['attack'].number}",
        f"{metric_name('success')}, difference",
        f"{short_metric_name('reference_l1')}, difference",
        f"claim {CLAIMS['harmless'].number}",
    ]
    none = sorted({c.interpreter for c in found} - {c.interpreter for c in found if c.chosen})
    caption = f"Chosen: {RULE}. Differences are paired, to the equal-budget RTS; 95 % bootstrap intervals over sources."
    caption += f" No setting of {', '.join(none)} qualifies." if none else ""
    return Table("selection", caption, [*(["group"] if several else []), "interpreter", *names, *figures, ""], rows)


def build_selection(
    results_root: Path | str,
    report_root: Path | str,
    keys: Sequence[str] = KEYS,
    filters: Mapping[str, Any] | None = None,
    bootstrap: Bootstrap = DEFAULT_BOOTSTRAP,
) -> Path:
    """Writes selection.md and selection.csv from the calibration records; returns the former.

    Raises:
        ValueError: there are no calibration cells of an RTSA, or the keys do not tell the cells apart.
    """
    wanted = {name: value for name, value in (filters or {}).items() if value is not None}
    wanted["split"] = "calibration"
    found = candidates(read_records(Path(results_root), **wanted), keys, bootstrap)
    if not found:
        raise ValueError(
            f"No selection to make: looked in {results_root} for finished cells with split=calibration and an "
            "interpreter rtsa*; compute some first, with `python -m benchmark run -m experiment=aid_selection`."
        )
    out = Path(report_root)
    out.mkdir(parents=True, exist_ok=True)
    table = selection_table(found)
    write_csv(out / "selection.csv", table)
    path = out / "selection.md"
    path.write_text(markdown(table), encoding="utf-8")
    return path
