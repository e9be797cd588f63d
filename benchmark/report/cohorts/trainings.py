"""Trainings: cohorts of one setting that differ in their seed alone, and so in the weights that were trained.

They are pooled only where nothing else differs: data set, data seed, classifier, split, budget, versions, and every
setting of the parts that both have, without the seeds in it.
"""

from __future__ import annotations

import copy
import hashlib
import json
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from benchmark.report.cohorts.cohort import IDENTITY, Cohort, CohortKey, interpreters_of, level_of, steps_factor_of
from benchmark.report.cohorts.settings import as_text, settings_of, without_seeds

if TYPE_CHECKING:
    from benchmark.storage.records import Record

_APART = 1000  # what a seed is raised by that occurs twice among pooled trainings
_ALWAYS = ("data", "classifier", "budget")  # of every cell; the other sections are of an interpreter or a probe


@dataclass(frozen=True)
class Trainings:
    """``cohorts``: one a training, in the order of their seeds. ``sets``: of pooled ones, what was pooled, in words."""

    cohorts: Sequence[Cohort]
    sets: tuple[str, ...] = ()

    @property
    def key(self) -> CohortKey:
        """What the trainings have in common; its seed is the first one's."""
        return self.cohorts[0].key

    @property
    def settings(self) -> Mapping[str, Any]:
        """Settings that a sweep varied, with their value here; a training may lack the other values."""
        return max((cohort.settings for cohort in self.cohorts), key=len)

    @property
    def seeds(self) -> list[int]:
        return [cohort.key.seed for cohort in self.cohorts]

    @cached_property
    def records(self) -> list[Record]:
        return [record for cohort in self.cohorts for record in cohort.records]

    @property
    def title(self) -> str:
        """Heading of their part of the report."""
        key = self.key
        parts = [f"{key.data} (data seed {key.data_seed})", str(key.classifier), self.seeds_in_words]
        parts += [f"budget {key.budget}"] + [f"{path} = {value}" for path, value in self.settings.items()]
        return ", ".join(parts + (["calibration split"] if key.split == "calibration" else []))

    @property
    def seeds_in_words(self) -> str:
        """'seed 0', '5 trainings (seeds 0 to 4)' or '3 trainings (seeds 0, 2, 5)'."""
        seeds = self.seeds
        if self.sets:
            return f"{len(seeds)} trainings ({'; '.join(self.sets)})"
        if len(seeds) == 1:
            return f"seed {seeds[0]}"
        run = len(seeds) > 2 and seeds == list(range(seeds[0], seeds[-1] + 1))
        return f"{len(seeds)} trainings (seeds {f'{seeds[0]} to {seeds[-1]}' if run else ', '.join(map(str, seeds))})"

    @property
    def slug(self) -> str:
        """Name of their folder."""
        key = self.key
        seeds = "_".join(map(str, self.seeds))
        parts = [key.data, f"d{key.data_seed}", key.classifier, f"s{seeds}", key.budget, key.split]
        parts += [f"{path.split('.')[-1]}_{value}" for path, value in self.settings.items()]
        return re.sub(r"[^\w.]+", "_", "-".join(map(str, parts))).replace("_-_", "-").lower()

    @property
    def interpreters(self) -> list[str]:
        """Interpreters that occur, RTS and its relatives first."""
        return interpreters_of(self.records)

    @property
    def noises(self) -> list[tuple[str, float]]:
        """(kind, level) of the noise cells that occur."""
        return sorted({noise for cohort in self.cohorts for noise in cohort.noises})

    def cells(self, interpreter: str, probe: str, level: float | None = None, steps_factor: int = 1) -> list[Record]:
        """The cell of that kind of every training that has one."""
        found = [cohort.find(interpreter, probe, level, steps_factor) for cohort in self.cohorts]
        return [record for record in found if record is not None]

    def of_kinds(self, kinds: Collection[tuple[str, str, float | None, int]]) -> Trainings:
        """The same trainings with none but cells of these (interpreter, probe, level, steps factor)."""
        kept = [
            replace(cohort, records=[record for record in cohort.records if _kind(record) in kinds])
            for cohort in self.cohorts
        ]
        return Trainings([cohort for cohort in kept if cohort.records], self.sets)

    @property
    def classifiers(self) -> int:
        """How many classifiers were trained; fewer than trainings where seeds share one."""
        return len({(record.cell.get("artefacts") or {}).get("classifier") for record in self.records})


def pooled(groups: Sequence[Trainings]) -> Trainings:
    """Trainings of one setting on several devices, or with several versions, as so many of one method.

    Where two have a seed in common the later one gets another number: they were trained apart.
    """
    cohorts: dict[int, Cohort] = {}
    for group in groups:
        for cohort in group.cohorts:
            seed = cohort.key.seed
            while seed in cohorts:
                seed += _APART
            cohorts[seed] = cohort if seed == cohort.key.seed else _with_seed(cohort, seed)
    sets = [each for group in groups for each in group.sets or (_in_words(group),)]
    return Trainings(list(cohorts.values()), tuple(sets) if len(groups) > 1 else groups[0].sets)


def _with_seed(cohort: Cohort, seed: int) -> Cohort:
    records = []
    for record in cohort.records:
        other = copy.copy(record)
        vars(other)["cell"] = {**record.cell, "seed": seed}
        records.append(other)
    return replace(cohort, key=replace(cohort.key, seed=seed), records=records)


def _in_words(group: Trainings) -> str:
    """'seeds 0 to 4 on NVIDIA H200'."""
    seeds = group.seeds_in_words.partition("(")[2].rstrip(")") or group.seeds_in_words
    return f"{seeds} on {', '.join(dict.fromkeys(str(record.cell['device']) for record in group.records))}"


def trainings_of(cohorts: Sequence[Cohort]) -> list[Trainings]:
    """The cohorts, those of one setting together; of one seed each is in a group of its own."""
    groups: list[tuple[str, dict[str, str], list[Cohort]]] = []
    for cohort in sorted(cohorts, key=lambda cohort: cohort.key.seed):
        identity, parts = _identity(cohort), _parts(cohort.records)
        for known, known_parts, members in groups:
            if known == identity and cohort.key.seed != members[-1].key.seed and _agree(parts, known_parts):
                members.append(cohort)
                known_parts.update(parts)
                break
        else:
            groups.append((identity, parts, [cohort]))
    order = {id(cohort): place for place, cohort in enumerate(cohorts)}
    groups.sort(key=lambda group: order[id(group[2][0])])
    return _with_distinct_slugs([Trainings(members) for *_, members in groups])


def _identity(cohort: Cohort) -> str:
    """All that the cells of a cohort have in common but the seed; of artefacts only the data, which no seed changes."""
    cell = cohort.records[0].cell
    fields = {name: cell.get(name) for name in IDENTITY if name != "seed"}
    data = (cell.get("artefacts") or {}).get("data")
    return as_text([fields, cell.get("versions") or {}, data])


def _parts(records: Iterable[Record]) -> dict[str, str]:
    """The settings of each part of the cells, without seeds, as text: two trainings agree in the parts both have."""
    parts: dict[str, str] = {}
    for record in records:
        cell = record.cell
        by_section: dict[str, dict[str, Any]] = {section: {} for section in _ALWAYS}
        for path, value in without_seeds(settings_of(record)).items():
            by_section.setdefault(path.split(".")[0], {})[path] = value
        kind = _kind(record)
        for section, values in by_section.items():
            scope = {"interpreter": cell["interpreter"], "probe": kind, "measure": kind}.get(section, "")
            parts[json.dumps([section, scope])] = as_text(values)
    return parts


def _kind(record: Record) -> tuple[str, str, float | None, int]:
    return record.cell["interpreter"], record.cell["probe"], level_of(record), steps_factor_of(record)


def _agree(parts: Mapping[str, str], others: Mapping[str, str]) -> bool:
    return all(parts[name] == others[name] for name in parts.keys() & others.keys())


def _with_distinct_slugs(groups: list[Trainings]) -> list[Trainings]:
    """Groups that differ only in versions or artefacts get a short hash of the cells they hold as a setting."""
    count = Counter(group.slug for group in groups)
    return [_with_variant(group) if count[group.slug] > 1 else group for group in groups]


def _with_variant(group: Trainings) -> Trainings:
    names = "/".join(sorted(str(record.cell.get("cell")) for record in group.records))
    variant = hashlib.sha256(names.encode()).hexdigest()[:8]
    first, *others = group.cohorts
    return Trainings([replace(first, settings={**group.settings, "variant": variant}), *others])
