"""A cohort: finished cells that may be compared, and the fields of their records that tell which cell is which."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from benchmark.storage.records import Record

_LEADING = ("rts", "rtsa", "rtsa_anchored")
REFERENCE = "rts"


def objective_of(interpreter: str) -> str:
    """The training objective's name: rtsa is the paper's, rtsa_<name> is <name>."""
    return "paper" if interpreter == "rtsa" else interpreter.removeprefix("rtsa").lstrip("_")


def is_rtsa(interpreter: str) -> bool:
    """Whether the interpreter is an RTSA, of whatever objective."""
    return interpreter.startswith("rtsa")


def level_of(record: Record) -> float | None:
    """Misclassification rate that the cell's noise was calibrated to, in [0, 1]; None for other probes."""
    level = record.cell.get("level")
    return None if level is None else float(level)


def steps_factor_of(record: Record) -> int:
    """Steps of the cell's attack, in multiples of the stated number."""
    return int(record.cell.get("steps_factor") or 1)


def fact_of(record: Record, name: str) -> float | None:
    """A number that the cell's record states of the whole cell; None where it states none."""
    value = (record.cell.get("facts") or {}).get(name)
    return float(value) if isinstance(value, int | float) else None


def interpreters_of(records: Iterable[Record]) -> list[str]:
    """Interpreters that occur, RTS and its relatives first."""
    names = {str(record.cell["interpreter"]) for record in records}
    return [n for n in _LEADING if n in names] + sorted(names - set(_LEADING), key=lambda n: (not is_rtsa(n), n))


@dataclass(frozen=True)
class CohortKey:
    """What the cells of a cohort have in common, as their cell.json says it."""

    data: str
    data_seed: int
    classifier: str
    seed: int
    split: str
    budget: str
    versions: Mapping[str, str]
    """Package to version."""

    @classmethod
    def of(cls, record: Record) -> CohortKey:
        """The key of one cell."""
        identity: dict[str, Any] = {name: record.cell.get(name) for name in IDENTITY}
        return cls(**identity, versions=record.cell.get("versions") or {})


IDENTITY = tuple(field.name for field in fields(CohortKey) if field.name != "versions")


@dataclass(frozen=True)
class Cohort:
    """Finished cells that may be compared with one another."""

    key: CohortKey
    settings: Mapping[str, Any]
    """Settings that a sweep varied, by dotted path, with their value in this cohort."""
    records: Sequence[Record]

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
