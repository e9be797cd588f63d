"""An interpreter beside RTS as one run: joint success under the strongest attack, and what it costs on benign images.

The two are measured in different cells, and a plot of W&B takes both of its axes from one run.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from benchmark.report.cohorts.cohort import REFERENCE, Cohort, interpreters_of
from benchmark.report.cohorts.flags import withholding
from benchmark.report.cohorts.grouping import cohorts_of
from benchmark.report.cohorts.strongest import STRONGEST, strongest_of
from benchmark.report.selection.aid_study import margin_share
from benchmark.report.statistics import decision_rules
from benchmark.report.statistics.paired import pair
from benchmark.report.statistics.sample_metrics import mean_with_interval
from benchmark.report.transfer.beaten import with_beaten_flags
from benchmark.report.transfer.transfer_cells import source_of
from benchmark.storage.hashing import content_hash
from benchmark.storage.records import Record
from benchmark.tracking.record_runs import send
from benchmark.tracking.run_config import cell_config
from benchmark.tracking.run_summary import BOOTSTRAP, named
from benchmark.tracking.wandb_run import RunInfo

UNDER_ATTACK = ("joint_success", "success", "map_l1")


@dataclass(frozen=True)
class Comparison:
    """The cells of one interpreter in one training: without a probe, and its strongest attack. reference: RTS's."""

    cohort: Cohort
    interpreter: str
    clean: Record
    attack: Record
    reference: Record

    @property
    def key(self) -> str:
        """A hash of the cells that it is made from."""
        own = [each.cell for each in self.cohort.records if each.cell["interpreter"] == self.interpreter]
        members = sorted(cell["cell"] for cell in own)
        return content_hash({"reference": self.reference.cell["cell"], "cells": members})

    @property
    def name(self) -> str:
        """The interpreter, the settings that the sweep varied, and the seed."""
        settings = [f"{path.split('.')[-1]}={value}" for path, value in self.cohort.settings.items()]
        return " ".join([self.interpreter, *settings, f"s{self.cohort.key.seed}"])

    def config(self) -> dict[str, Any]:
        """The keys of every run; ``setting`` is that of the cell without a probe."""
        return cell_config(self.clean) | {
            "probe": STRONGEST,
            "condition": STRONGEST,
            "kind": "comparison",
            "flags": list(self.attack.cell.get("flags") or ()),
            "withheld": bool(withholding(self.attack)),
            "artefacts": {},
        }

    def summary(self) -> dict[str, float]:
        """``frontier/<metric>`` under attack, ``frontier/cost``, and ``difference/<metric>`` to RTS, with intervals.

        Cost is the largest share of a margin of claim 3 that a paired difference takes up; 1 is the margin.
        """
        found: dict[str, float] = {}
        for metric in UNDER_ATTACK:
            found |= named(f"frontier/{metric}", mean_with_interval([self.attack], metric, BOOTSTRAP))
        pairs = pair([(self.clean, self.reference)], BOOTSTRAP)
        differences = {
            metric: pairs.compare(metric, pairs.all_samples()).difference for metric in decision_rules.MARGINS
        }
        measured = {metric: each for metric, each in differences.items() if each.n}
        for metric, each in measured.items():
            found |= named(f"difference/{metric}", each)
        if measured:
            found["frontier/cost"] = max(margin_share(each, metric) for metric, each in measured.items())
        return found


def comparisons(records: Sequence[Record]) -> Iterator[Comparison]:
    """One for every interpreter and training that has a cell without a probe, an attack, and RTS's beside it."""
    known = set()
    direct = [record for record in records if not source_of(record)]
    for cohort in cohorts_of(with_beaten_flags(direct, records, BOOTSTRAP)):
        reference = cohort.find(REFERENCE, "clean")
        if reference is None:
            continue
        for interpreter in interpreters_of(cohort.records):
            clean, attack = cohort.find(interpreter, "clean"), strongest_of(cohort, interpreter)
            if clean is None or attack is None:
                continue
            found = Comparison(cohort, interpreter, clean, attack, reference)
            if found.key not in known:
                known.add(found.key)
                yield found


def log_comparison(settings: dict[str, Any], found: Comparison) -> bool:
    """Sends one comparison to W&B and returns whether it was taken."""
    info = RunInfo("comparison", found.name, found.key, found.config())
    config = {**found.clean.cell["config"], **settings}
    return send(config, info, lambda run: run.summary.update(found.summary()))
