"""Which cells may stand beside each other: records are partitioned so that nothing unlike is ever pooled or paired.

A group shares data set, data seed, classifier, seed, split, budget, versions and the very artefacts of data and
classifier. Where a sweep varied a setting further (``interpreter.lambda_aid``, ``probe.epsilon``), each value is a
group of its own.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from benchmark.report.cohorts.settings import as_text, differing, settings_of

if TYPE_CHECKING:
    from benchmark.storage.records import Record

IDENTITY = ("data", "data_seed", "classifier", "seed", "split", "budget")
_LEADING = ("rts", "rtsa", "rtsa_anchored")
REFERENCE = "rts"


def objective_of(interpreter: str) -> str:
    """The training objective's name: rtsa is the paper's, rtsa_<name> is <name>."""
    return "paper" if interpreter == "rtsa" else interpreter.removeprefix("rtsa").lstrip("_")


def is_rtsa(interpreter: str) -> bool:
    return interpreter.startswith("rtsa")


def level_of(record: Record) -> float | None:
    level = record.cell.get("level")
    return None if level is None else float(level)


def steps_factor_of(record: Record) -> int:
    return int(record.cell.get("steps_factor") or 1)


@dataclass
class Group:
    """Finished cells that may be compared with one another."""

    key: dict[str, Any]
    settings: dict[str, Any]
    records: list[Record] = field(default_factory=list)

    @property
    def title(self) -> str:
        key = self.key
        parts = [f"{key['data']} (data seed {key['data_seed']})", str(key["classifier"]), f"seed {key['seed']}"]
        parts += [f"budget {key['budget']}"] + [f"{path} = {value}" for path, value in self.settings.items()]
        return ", ".join(parts + (["calibration split"] if key["split"] == "calibration" else []))

    @property
    def slug(self) -> str:
        key = self.key
        parts = [key["data"], f"d{key['data_seed']}", key["classifier"], f"s{key['seed']}", key["budget"], key["split"]]
        parts += [f"{path.split('.')[-1]}_{value}" for path, value in self.settings.items()]
        return re.sub(r"[^\w.]+", "_", "-".join(map(str, parts))).replace("_-_", "-").lower()

    @property
    def interpreters(self) -> list[str]:
        """Interpreters that occur, RTS and its relatives first."""
        names = {str(record.cell["interpreter"]) for record in self.records}
        return [n for n in _LEADING if n in names] + sorted(names - set(_LEADING), key=lambda n: (not is_rtsa(n), n))

    @property
    def noises(self) -> list[tuple[str, float]]:
        """(kind, level) of the noise cells that occur."""
        found = {(r.cell["probe"], level_of(r)) for r in self.records if r.cell["probe"] in ("normal", "uniform")}
        return sorted((probe, level) for probe, level in found if level is not None)

    def find(self, interpreter: str, probe: str, level: float | None = None, steps_factor: int = 1) -> Record | None:
        """The one cell of that kind, or None."""
        for record in self.records:
            if (record.cell["interpreter"], record.cell["probe"]) != (interpreter, probe):
                continue
            if level_of(record) == level and steps_factor_of(record) == steps_factor:
                return record
        return None


def _identity(record: Record) -> str:
    cell = record.cell
    artefacts = cell.get("artefacts") or {}
    parts = [cell.get(name) for name in IDENTITY]
    return json.dumps(
        [*parts, cell.get("versions"), artefacts.get("data"), artefacts.get("classifier")], sort_keys=True
    )


def _kind(record: Record) -> tuple[Any, ...]:
    return record.cell["interpreter"], record.cell["probe"], level_of(record), steps_factor_of(record)


def _scope(path: str, record: Record) -> tuple[Any, ...]:
    """The cells that a varied setting concerns: an interpreter's setting concerns that interpreter's, and so on."""
    section = path.split(".")[0]
    if section in ("interpreter", "probe"):
        return path, record.cell[section]
    return (path, *_kind(record)) if path == "cell" else (path,)


def _varied(records: Sequence[Record]) -> set[tuple[Any, ...]]:
    """Scopes of the settings in which two cells of one kind differ; the cell's hash where nothing else does."""
    kinds: dict[tuple[Any, ...], list[Record]] = defaultdict(list)
    for record in records:
        kinds[_kind(record)].append(record)
    return {
        _scope(path, record)
        for alike in kinds.values()
        if len(alike) > 1
        for path in differing([settings_of(record) for record in alike]) or ["cell"]
        for record in alike
    }


def _value(path: str, record: Record) -> Any:
    return record.cell.get("cell") if path == "cell" else settings_of(record).get(path)


def _by_settings(records: Sequence[Record]) -> Iterator[tuple[dict[str, Any], list[Record]]]:
    """One list of cells for each combination of varied settings; cells that a setting does not concern are in each."""
    varied = _varied(records)
    values: dict[str, dict[str, Any]] = {path: {} for path in sorted({scope[0] for scope in varied})}
    for path, record in itertools.product(values, records):
        if _scope(path, record) in varied:
            values[path].setdefault(as_text(_value(path, record)), _value(path, record))
    found: list[tuple[dict[str, Any], list[Record], set[str]]] = []
    for texts in itertools.product(*(sorted(those) for those in values.values())):
        wanted = dict(zip(values, texts, strict=True))
        chosen = [r for r in records if all(_fits(path, text, r, varied) for path, text in wanted.items())]
        names = {str(record.folder) for record in chosen}
        found.append(({path: values[path][text] for path, text in wanted.items()}, chosen, names))
    for place, (settings, chosen, names) in enumerate(found):
        repeated = any(names < other or (names == other and i < place) for i, (_, _, other) in enumerate(found))
        if chosen and not repeated:
            yield settings, chosen


def _fits(path: str, text: str, record: Record, varied: set[tuple[Any, ...]]) -> bool:
    return _scope(path, record) not in varied or as_text(_value(path, record)) == text


def identical_setups(records: Sequence[Record]) -> list[Group]:
    """Finished records by everything but varied settings, which still stand side by side."""
    parts: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        if record.cell.get("status") == "done":
            parts[_identity(record)].append(record)
    groups = []
    for _, alike in sorted(parts.items()):
        key = {name: alike[0].cell.get(name) for name in IDENTITY}
        key["versions"] = alike[0].cell.get("versions") or {}
        groups.append(Group(key=key, settings={}, records=alike))
    return groups


def group_records(records: Sequence[Record]) -> list[Group]:
    """Finished records in comparable groups, ordered by data set, classifier and seed."""
    return _told_apart(
        [
            Group(key=setup.key, settings=settings, records=chosen)
            for setup in identical_setups(records)
            for settings, chosen in _by_settings(setup.records)
        ]
    )


def _told_apart(groups: list[Group]) -> list[Group]:
    """Groups that differ only in versions or artefacts get a short mark of the cells they hold."""
    count = Counter(group.slug for group in groups)
    for group in groups:
        if count[group.slug] > 1:
            names = "/".join(sorted(str(record.cell.get("cell")) for record in group.records))
            group.settings = {**group.settings, "variant": hashlib.sha256(names.encode()).hexdigest()[:8]}
    return groups
