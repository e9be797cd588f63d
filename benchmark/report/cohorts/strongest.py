"""The strongest attack on an interpreter: of all attacks tried within one perturbation budget the best for each sample.

Croce & Hein 2020, "Reliable evaluation of adversarial robustness with an ensemble of diverse parameter-free attacks":
a defence is judged by the per-sample worst case over attacks.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from benchmark.report.cohorts.cohort import Cohort, steps_factor_of
from benchmark.report.cohorts.flags import withholding
from benchmark.storage.records import Record

STRONGEST = "strongest"
_PLAIN = "adv2"
AUTOMATIC = "adv2_auto"


def attacks_within_budget(cohort: Cohort, interpreter: str) -> dict[tuple[str, int], Record]:
    """{(probe, steps factor): cell} of the attacks that reach for a class within plain ADV2's perturbation budget."""
    attacks = {
        (str(record.cell["probe"]), steps_factor_of(record)): record
        for record in cohort.records
        if record.cell["interpreter"] == interpreter and _reaches_for_a_class(record)
    }
    plain = next((record for (probe, _), record in attacks.items() if probe.startswith(_PLAIN)), None)
    budget = None if plain is None else _budget(attacks.get((_PLAIN, 1), plain))
    return {name: record for name, record in attacks.items() if budget is not None and _budget(record) == budget}


def _probe(record: Record) -> dict[str, object]:
    return (record.cell.get("config") or {}).get("probe") or {}


def _budget(record: Record) -> object:
    return _probe(record).get("epsilon")


def _reaches_for_a_class(record: Record) -> bool:
    """Whether success is that a drawn class is reached (not that the prediction is kept, as with topk)."""
    module = _probe(record).get("module")
    keeps = isinstance(module, dict) and str(module.get("goal") or "").startswith("keep")
    samples = record.samples
    return not keeps and "goal" in samples and "success" in samples and bool((samples["goal"] >= 0).any())


def strongest(attacks: Sequence[Record]) -> Record:
    """One cell that holds for each sample the row of the attack that did best: of successes the one with the smallest
    map L1, else of failures.

    Its passes are those of all attacks together. An attack that is no evidence (``withholding``) weakens none that is:
    the flags are those of the soundest attack on the map (PGD, sound or not, aims at none), of several the automatic
    one, then the one with the most passes.
    """
    rows = pd.concat([record.samples.assign(attack=str(record.cell["probe"])) for record in attacks], ignore_index=True)
    order = rows.assign(failed=~rows["success"].astype(bool)).sort_values(
        ["sample_id", "failed", "map_l1"], kind="stable", na_position="last"
    )
    best = order.drop(columns="failed").drop_duplicates("sample_id").reset_index(drop=True)
    if "passes" in rows:
        total = rows.groupby("sample_id")["passes"].sum(min_count=1)
        best["passes"] = best["sample_id"].map(total)
    soundest = min(attacks, key=_soundness)
    cell = {**soundest.cell, "probe": STRONGEST, "steps_factor": 1, "cell": None, "name": STRONGEST}
    record = Record(attacks[0].folder, cell)
    vars(record).update(samples=best, curves=None, images={}, maps={})
    return record


def _soundness(record: Record) -> tuple[bool, int, bool, float]:
    aims_at_map = record.cell["probe"].startswith(_PLAIN) or bool(_probe(record).get("needs_map"))
    passes = record.samples["passes"].mean() if "passes" in record.samples else 0.0
    return not aims_at_map, len(withholding(record)), record.cell["probe"] != AUTOMATIC, -float(passes)


def strongest_of(cohort: Cohort, interpreter: str) -> Record | None:
    """The strongest attack on an interpreter in one training; None where nothing attacked it."""
    attacks = attacks_within_budget(cohort, interpreter)
    return strongest(list(attacks.values())) if attacks else None
