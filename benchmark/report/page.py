"""The page that a person reads: verdicts, figures, tables and provenance of every setting, as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from benchmark.report.claims.sentences import p_text
from benchmark.report.claims.verdicts import Verdicts
from benchmark.report.cohorts.cohort import level_of, steps_factor_of
from benchmark.report.cohorts.flags import flags_of
from benchmark.report.cohorts.trainings import Trainings
from benchmark.report.compare.section import Compared
from benchmark.report.figures.all_figures import FigureFile
from benchmark.report.labels import CLAIMS, class_name, probe_setting
from benchmark.report.statistics.bootstrap import Bootstrap
from benchmark.report.tables.formats import Entry, Table, escape_markdown, markdown

if TYPE_CHECKING:
    from benchmark.storage.records import Record


@dataclass(frozen=True)
class Section:
    """The results of one setting; ``folder`` is where they lie, relative to the page ("" for beside it)."""

    trainings: Trainings
    folder: str
    verdicts: Verdicts
    tables: list[Table]
    figures: list[FigureFile]
    compared: Compared = field(default_factory=Compared)


def page(sections: Sequence[Section], failed: Sequence[Record], notes: Sequence[str]) -> str:
    """The whole page."""
    parts = ["# Report", "", *(f"{note}\n" for note in notes)]
    for section in sections:
        parts += _section(section)
    return "\n".join([*parts, *_failures(failed)]).rstrip() + "\n"


def how_to_read(bootstrap: Bootstrap) -> str:
    """What every interval on the page is."""
    return (
        "Intervals are at 95 %. Of one training they are percentile bootstrap intervals over sources "
        f"({bootstrap.resamples} resamples, seed {bootstrap.seed}) and say what holds in this training alone; of "
        "several they also hold what another training would change (t-interval over trainings, joined with the sources "
        "that they share). A verdict takes at least three trainings. n is samples / sources. Differences between "
        "interpreters are paired on the same images, goals and draws, and taken to the RTS of equal training budget. "
        "Every number with its rule: `verdicts.json`; every metric of every cell: `results.parquet`."
    )


def _section(section: Section) -> list[str]:
    prefix = f"{section.folder}/" if section.folder else ""
    parts = [f"## {escape_markdown(section.trainings.title)}", ""]
    if section.verdicts.headlines:
        parts += ["### Observation 8", "", six_words(section.verdicts)]
        parts += [f"* {escape_markdown(line.sentence)}" for line in section.verdicts.headlines] + [""]
    parts += section.compared.lines
    for figure in section.figures:
        parts += [f"### {figure.title}", "", f"![{figure.title}]({prefix}figures/{figure.name}.png)", ""]
        parts += [f"*{escape_markdown(figure.caption)}* [PDF]({prefix}figures/{figure.name}.pdf)", ""]
    tables = [table for table in section.tables if table.name != "verdicts"]
    if tables:
        parts += ["### Tables", ""]
    for table in tables:
        links = ", ".join(f"[{kind}]({prefix}tables/{table.name}.{kind})" for kind in ("csv", "tex"))
        parts += [markdown(table), links, ""]
    for table in section.tables:
        if table.name == "verdicts":
            parts += _folded(f"All {len(table.rows)} comparisons behind the verdicts", markdown(table))
    for table in section.compared.tables:
        parts += _folded(f"All {len(table.rows)} figures compared", markdown(table))
    return [*parts, *_provenance(section.trainings)]


def six_words(verdicts: Verdicts) -> str:
    """The first table: a row a claim and objective, with the verdict, its trainings, p, passes, flags and numbers."""
    rows: list[list[Entry]] = []
    for line in verdicts.headlines:
        found = line.assessment
        before = f" ({line.uncorrected} before Holm)" if line.uncorrected != line.verdict else ""
        rows.append(
            [
                f"{CLAIMS[line.claim].number}. {line.claim}",
                f"{line.objective} ({line.interpreter})",
                f"{line.verdict}{before}",
                found.trainings,
                f"{p_text(line.p)} / {p_text(line.p_holm)}",
                found.numbers or None,
                None if found.passes is None else f"{found.passes:.0f}",
                ", ".join(found.flags) or "none",
            ]
        )
    columns = ["claim", "objective", "verdict", "trainings", "p / Holm", "numbers", "passes", "flags"]
    statements = "; ".join(f"{name.number}: {name.statement}" for name in CLAIMS.values())
    caption = f"Observation 8. Claims: {statements}. How a verdict is reached: docs/verdicts.md."
    return markdown(Table("words", caption, columns, rows))


def _folded(title: str, body: str) -> list[str]:
    return ["<details>", f"<summary>{title}</summary>", "", body, "</details>", ""]


def _values(records: Sequence[Record], *path: str) -> str:
    """The distinct values of one field over cells."""
    texts: list[str] = []
    for record in records:
        value: Any = record.cell
        for name in path:
            value = (value or {}).get(name)
        text = "unknown" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)
        if text not in texts:
            texts.append(text)
    return ", ".join(texts)


def provenance_rows(trainings: Trainings) -> list[tuple[str, str]]:
    """What the results were computed with: (what, value)."""
    records, key = trainings.records, trainings.key
    seconds = sum(sum((record.cell.get("seconds") or {}).values()) for record in records)
    versions = ", ".join(f"{name} {version}" for name, version in key.versions.items())
    return [
        ("data set, split, data seed", f"{key.data}, {key.split}, {key.data_seed}"),
        ("classifier", f"{key.classifier}, accuracy without a probe {_values(records, 'facts', 'accuracy')}"),
        *_by_class(records),
        ("seeds", trainings.seeds_in_words),
        ("budget", str(key.budget)),
        ("cells", f"{len(records)}, {seconds:.0f} s in all"),
        ("device, threads", f"{_values(records, 'device')}; {_values(records, 'threads')}"),
        ("versions", versions or "unknown"),
        ("commit", _values(records, "commit")),
    ]


def _by_class(records: Sequence[Record]) -> list[tuple[str, str]]:
    """The balanced accuracy, and the class that is right least often in the first training; of old records nothing."""
    known = [record for record in records if record.cell.get("by_class")]
    if not known:
        return []
    cell = known[0].cell
    label, of = min(cell["by_class"].items(), key=lambda item: (item[1]["right"] / item[1]["n"], int(item[0])))
    least = f"{class_name(cell, int(label))}, {of['right']} of {of['n']}"
    return [
        ("balanced accuracy", _values(known, "facts", "balanced_accuracy")),
        ("the class that is right least often", f"{least} (seed {cell['seed']})"),
    ]


def _provenance(trainings: Trainings) -> list[str]:
    records = trainings.records
    provenance: list[list[Entry]] = [list(row) for row in provenance_rows(trainings)]
    cells: list[list[Entry]] = []
    for record in records:
        cell, counts = record.cell, record.cell.get("counts") or {}
        probe = probe_setting(cell["probe"], level_of(record), steps_factor_of(record))
        spread = (cell.get("facts") or {}).get("benign_spread")
        size = f"{cell.get('n_samples')} / {cell.get('n_sources')}"
        time = round(sum((cell.get("seconds") or {}).values()), 1)
        passes = f"{counts.get('forward', 0)} / {counts.get('backward', 0)}"
        flags = ", ".join(flags_of(record))
        cells.append([cell["interpreter"], probe, size, spread, flags, f"{time:g}", passes, cell.get("name")])
    columns = ["interpreter", "probe", "n", "benign spread", "flags", "seconds", "forward / backward", "record"]
    table = Table("cells", "Cells of this section.", columns, cells)
    provenance_table = Table("provenance", "What these results were computed with.", ["", "value"], provenance)
    return ["### Provenance", "", markdown(provenance_table), *_folded(f"The {len(records)} cells", markdown(table))]


def _failures(failed: Sequence[Record]) -> list[str]:
    if not failed:
        return []
    rows: list[list[Entry]] = []
    for record in failed:
        reason = record.cell.get("reason") or {}
        rows.append([str(record.cell.get("name")), *(str(reason.get(k, "") or "") for k in ("stage", "error", "hint"))])
    table = Table("failed", "Cells that failed; nothing above rests on them.", ["cell", "stage", "error", "hint"], rows)
    return ["## Failed cells", "", markdown(table)]
