"""Other results to compare with: those that ship with the suite, or anybody's folder; what of them is comparable."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.report.cohorts.cohort import IDENTITY
from benchmark.report.cohorts.grouping import grouped
from benchmark.report.cohorts.settings import settings_of
from benchmark.report.cohorts.trainings import Trainings, pooled
from benchmark.report.compare.figures_of import Kind, kind_of
from benchmark.report.published.location import published_sets
from benchmark.report.published.pack import is_pack, read_pack
from benchmark.report.transfer.transfer_cells import source_of
from benchmark.storage.records import scan_records

if TYPE_CHECKING:
    from benchmark.storage.records import Record

log = logging.getLogger("underfire")

PUBLISHED = "published"


@dataclass(frozen=True)
class Reference:
    """Results of others, the trainings of one setting together. name: as in "the published results v1"."""

    name: str
    groups: Sequence[Trainings]


@dataclass(frozen=True)
class Counterpart:
    """The trainings of a reference that some trainings may be compared with.

    kinds: the kinds of cells that both have, set alike. unlike: of the others that both have, the settings in which
    they differ.
    """

    trainings: Trainings
    kinds: list[Kind]
    unlike: dict[Kind, list[str]] = field(default_factory=dict)


def reference(compare: str | None, results: Path) -> Reference | None:
    """What ``compare`` names: "published", a folder of results or of published results, or None.

    Raises:
        ValueError: the folder holds no finished record, or is the very one that is reported.
    """
    if compare is None:
        return None
    if compare == PUBLISHED:
        folders = [each for each in published_sets() if is_pack(each) and each.resolve() != results.resolve()]
        packs = [read_pack(folder) for folder in folders]
        name = f"the published results {', '.join(pack.version for pack in packs)}"
        return Reference(name, [pooled([_largest(pack.records) for pack in packs])]) if packs else None
    folder = Path(compare)
    if not folder.is_dir():
        raise ValueError(f"compare={compare}: there is no such folder; name one of results, or {PUBLISHED}")
    if results.resolve() == folder.resolve():
        raise ValueError(f"compare={compare}: this is the folder of paths.results itself; name another one")
    if is_pack(folder):
        pack = read_pack(folder)
        return Reference(f"the published results {pack.version} in {compare}", _groups(pack.records))
    scan = scan_records(folder)
    scan.warn()
    done = scan.matching(status="done")
    if not done:
        raise ValueError(f"compare={compare} holds no finished record: name a folder of results, as paths.results is")
    return Reference(f"the results in {compare}", _groups(done))


def _groups(records: Sequence[Record]) -> list[Trainings]:
    return grouped([record for record in records if not source_of(record)])


def _largest(records: Sequence[Record]) -> Trainings:
    """The trainings of the setting with the most cells."""
    return max(_groups(records), key=lambda group: len(group.records))


def counterpart(own: Trainings, others: Reference) -> Counterpart | None:
    """The trainings of a reference with the most cells set like ``own``; None where there is no such cell.

    Data set, data seed, classifier, split and budget are the same; versions, devices and seeds may differ.
    """
    found = [_compared(own, group) for group in others.groups if _identity(group) == _identity(own)]
    best = max(found, key=lambda each: (len(each.kinds), len(each.trainings.cohorts)), default=None)
    return best if best is not None and (best.kinds or best.unlike) else None


def _identity(group: Trainings) -> list[object]:
    return [getattr(group.key, name) for name in IDENTITY if name != "seed"]


def _compared(own: Trainings, group: Trainings) -> Counterpart:
    mine, theirs = _first_of_kinds(own), _first_of_kinds(group)
    unlike = {kind: differing_settings(mine[kind], theirs[kind]) for kind in mine if kind in theirs}
    kinds = [kind for kind, differences in unlike.items() if not differences]
    return Counterpart(group, kinds, {kind: each for kind, each in unlike.items() if each})


def _first_of_kinds(group: Trainings) -> dict[Kind, Record]:
    found: dict[Kind, Record] = {}
    for record in group.records:
        found.setdefault(kind_of(record), record)
    return found


def differing_settings(record: Record, other: Record) -> list[str]:
    """'probe.samples 400 against 200', for each setting but seeds; a budget counts by what it sets."""
    mine, theirs = settings_of(record), settings_of(other)
    names = sorted(name for name in mine.keys() | theirs.keys() if mine.get(name) != theirs.get(name))
    counted = [name for name in names if not name.startswith("budget.") and name.rpartition(".")[2] != "seed"]
    return [f"{name} {mine.get(name)} against {theirs.get(name)}" for name in counted]
