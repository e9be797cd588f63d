"""All tables of the trainings of one setting. Every mean carries its interval and n.

All samples and successes stand in separate columns, each with its own n, so that the two populations never share a
row's figure.
"""

from __future__ import annotations

from collections.abc import Sequence

from benchmark.report.claims.rows import ClaimRow
from benchmark.report.cohorts.trainings import Trainings
from benchmark.report.statistics.bootstrap import DEFAULT_BOOTSTRAP, Bootstrap
from benchmark.report.tables.attack_tables import attack_gaps, attack_goals, attack_maps, attack_rates
from benchmark.report.tables.benign_table import benign_table
from benchmark.report.tables.claim_tables import claim_table, verdict_table
from benchmark.report.tables.effect_table import effect_table
from benchmark.report.tables.formats import Table
from benchmark.report.tables.noise_tables import noise_maps, noise_rates

_TABLES = (effect_table, attack_rates, attack_maps, attack_goals, attack_gaps, noise_rates, noise_maps, benign_table)


def all_tables(trainings: Trainings, rows: Sequence[ClaimRow], bootstrap: Bootstrap = DEFAULT_BOOTSTRAP) -> list[Table]:
    """The tables that have at least one row, in the order of the page."""
    own = [tabulate(trainings, bootstrap) for tabulate in _TABLES]
    tables = [claim_table(rows, trainings), *own, verdict_table(rows, trainings)]
    return [table for table in tables if table.rows]
