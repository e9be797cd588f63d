"""The ensemble as a defence: how few interpreters are needed so that no attack on one of them fools all."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd

from benchmark.report.statistics.bootstrap import DEFAULT_BOOTSTRAP, Bootstrap, mean
from benchmark.report.tables.formats import Cell, Table
from benchmark.storage.records import Record

# An attack fools a set where more than this share of its images succeeds and looks benign to every member.
TOLERANCE = 0.05

Cells = dict[tuple[str, str], Record]


def fooled(cells: Cells, source: str, readers: list[str]) -> pd.DataFrame:
    """A column per reader: the class is reached and its map looks benign, by sample; ``source_id`` is the index."""
    columns = {}
    for reader in readers:
        samples = cells[source, reader].samples.set_index(["sample_id", "source_id"])
        columns[reader] = (samples["success"].astype(bool)) & (samples["looks_benign"].astype(bool))
    return pd.DataFrame(columns).dropna().astype(bool).droplevel("sample_id")


def rates(by_source: dict[str, pd.DataFrame], members: tuple[str, ...]) -> dict[str, float]:
    """The share of each source's images that fools every member."""
    return {source: float(frame[list(members)].all(axis=1).mean()) for source, frame in by_source.items()}


def defence_table(name: str, cells: Cells, bootstrap: Bootstrap = DEFAULT_BOOTSTRAP) -> Table:
    """For each size the set of readers whose worst attack fools it least; the smallest that holds is marked.

    A set holds where the upper end of the interval of its worst rate is at most TOLERANCE. A reader that has not read
    every source's images, or was never attacked itself, is no candidate: an attack that was not tried would count as
    one that failed.
    """
    sources, everybody = (sorted({place[axis] for place in cells}) for axis in (0, 1))
    readers = [name for name in everybody if name in sources and all((source, name) in cells for source in sources)]
    missing = [reader for reader in everybody if reader not in readers]
    by_source = {source: fooled(cells, source, readers) for source in sources} if readers else {}
    rows: list[list[Cell]] = []
    held = False
    for size in range(1, len(readers) + 1 if by_source else 1):
        worst = {members: max(rates(by_source, members).values()) for members in itertools.combinations(readers, size)}
        best = min(worst, key=lambda members: (worst[members], members))
        by = rates(by_source, best)
        attack = max(by, key=lambda source: (by[source], source))
        frame = by_source[attack]
        together = frame[list(best)].all(axis=1).to_numpy(float)
        estimate = mean(together, np.asarray(frame.index), bootstrap)
        holds = estimate.high <= TOLERANCE
        verdict = "smallest that holds" if holds and not held else "holds" if holds else "is fooled"
        held |= holds
        rows.append([str(size), ", ".join(best), attack, estimate, verdict])
    caption = (
        "For each size the set of interpreters that its worst attack, among those on one interpreter, fools least: the "
        "share of images that reach their class and look benign to every member. A set holds where the upper end of "
        f"the 95 % bootstrap interval over sources is at most {TOLERANCE:g}. The set is chosen on the images "
        "that it is measured on."
    )
    if missing:
        caption += (
            f" No candidates, for they were not attacked or have not read every source's images: {', '.join(missing)}."
        )
    return Table(name, caption, ["size", "set", "worst attack on", "fooled", ""], rows)
