"""The ensemble as a defence: how few interpreters are needed so that no attack on one of them fools all."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pandas as pd

from benchmark.report.cohorts.flags import flag_note, withholding
from benchmark.report.statistics.bootstrap import DEFAULT_BOOTSTRAP, Bootstrap, Estimate, mean
from benchmark.report.tables.formats import Entry, Table
from benchmark.report.transfer.matrix import sources_and_readers
from benchmark.report.transfer.transfer_cells import TransferCells, TransferKey
from benchmark.storage.records import Record

# An attack fools a set where more than this share of its images succeeds and looks benign to every member.
TOLERANCE = 0.05


def fooled(cells: TransferCells, source: str, readers: Sequence[str]) -> pd.DataFrame:
    """A column per reader: the class is reached and its map looks benign, by sample; ``source_id`` is the index.

    Samples without a benign map in one of the readers are left out.
    """
    columns = {}
    for reader in readers:
        samples = cells[TransferKey(source, reader)].samples.set_index(["sample_id", "source_id"])
        looks_benign = samples["looks_benign"].astype("float64")  # null where the benign map is no map
        columns[reader] = (samples["success"].astype("float64") * looks_benign).where(looks_benign.notna())
    return pd.DataFrame(columns).dropna().astype(bool).droplevel("sample_id")


def rates(by_source: dict[str, pd.DataFrame], members: tuple[str, ...]) -> dict[str, float]:
    """The share of each source's images that fools every member."""
    return {source: float(frame[list(members)].all(axis=1).mean()) for source, frame in by_source.items()}


def defence_table(name: str, cells: TransferCells, bootstrap: Bootstrap = DEFAULT_BOOTSTRAP) -> Table:
    """For each size the set of readers whose worst attack fools it least; the smallest that holds is marked.

    A set holds where the upper end of the interval of its worst rate is at most TOLERANCE. A reader that has not read
    every source's images, or was never attacked itself, is no candidate: an attack that was not tried would count as
    one that failed. An interpreter whose own attack is flagged, or that has no maps, is neither source nor candidate.
    """
    all_sources, readers = sources_and_readers(cells)
    unsound = [source for source in all_sources if not _is_sound(cells.get(TransferKey(source, source)))]
    sources = [source for source in all_sources if source not in unsound]
    candidates = [
        reader
        for reader in readers
        if reader in sources and all(TransferKey(source, reader) in cells for source in sources)
    ]
    incomplete = [reader for reader in readers if reader not in candidates and reader not in unsound]
    by_source = {source: fooled(cells, source, candidates) for source in sources} if candidates else {}
    rows: list[list[Entry]] = []
    smaller_holds = False
    for size in range(1, len(candidates) + 1):
        members, attacked, estimate = _best_set(by_source, candidates, size, bootstrap)
        holds = estimate.high <= TOLERANCE
        verdict = "smallest that holds" if holds and not smaller_holds else "holds" if holds else "is fooled"
        smaller_holds |= holds
        rows.append([str(size), ", ".join(members), attacked, estimate, verdict])
    caption = (
        "For each size the set of interpreters that its worst attack, among those on one interpreter, fools least: the "
        "share of images that reach their class and look benign to every member. A set holds where the upper end of "
        f"the 95 % bootstrap interval over sources is at most {TOLERANCE:g}. The set is chosen on the images "
        "that it is measured on."
    )
    if incomplete:
        caption += " No candidates, for they were not attacked or have not read every source's images: "
        caption += f"{', '.join(incomplete)}."
    if unsound:
        caption += f" Left out, for the attack on them is flagged, or they have no maps: {', '.join(unsound)}."
        caption += flag_note(cells.values())
    return Table(name, caption, ["size", "set", "worst attack on", "fooled", ""], rows)


def _is_sound(attacked_itself: Record | None) -> bool:
    """Whether the cell in which an interpreter reads the images made against it is unflagged, and has maps."""
    if attacked_itself is None:
        return True
    return not withholding(attacked_itself) and bool(attacked_itself.samples["looks_benign"].notna().any())


def _best_set(
    by_source: dict[str, pd.DataFrame], candidates: Sequence[str], size: int, bootstrap: Bootstrap
) -> tuple[tuple[str, ...], str, Estimate]:
    """The set of that size which its worst attack fools least, the source of that attack, and the rate."""
    worst = {members: max(rates(by_source, members).values()) for members in itertools.combinations(candidates, size)}
    best = min(worst, key=lambda members: (worst[members], members))
    rate = rates(by_source, best)
    attacked = max(rate, key=lambda source: (rate[source], source))
    frame = by_source[attacked]
    fools_all = frame[list(best)].all(axis=1).to_numpy(float)
    return best, attacked, mean(fools_all, np.asarray(frame.index), bootstrap)
