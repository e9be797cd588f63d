"""The part of the report that sets trainings beside others: bytes, consistency, and the others' verdicts."""

from __future__ import annotations

from dataclasses import dataclass, field

from benchmark.report.claims.sentences import Headline
from benchmark.report.claims.verdicts import Verdicts, judge
from benchmark.report.cohorts.trainings import Trainings, pooled
from benchmark.report.compare.consistency import Consistency, consistency, summary
from benchmark.report.compare.figures_of import Figure, values_of
from benchmark.report.compare.reference import Counterpart, Reference, counterpart
from benchmark.report.compare.same_bytes import bytes_sentence, checksum_of
from benchmark.report.labels import CLAIMS, percent
from benchmark.report.statistics.bootstrap import Bootstrap
from benchmark.report.tables.formats import EMPTY, Entry, Table, escape_markdown, markdown, number

_RULE = (
    "A figure is consistent if it lies in the 95 % prediction interval for another training: with S trainings there of "
    "mean m and standard deviation s, m ± t(S − 1) s √(1 + 1/S); for the mean of T trainings here m ± t(S + T − 2) s "
    "√(1/T + 1/S) with s over both sides. Map values within 0.005, shares, scores and L2 within 0.01 always are: the "
    "same weights may differ by as much on another CPU."
)


@dataclass(frozen=True)
class Compared:
    """Lines of the page, the table of every figure, and in ``sentences`` what was found, the name of the others first;
    all empty where there is nothing to compare."""

    lines: list[str] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    sentences: list[str] = field(default_factory=list)


def compare(own: Trainings, verdicts: Verdicts, others: Reference | None, bootstrap: Bootstrap) -> Compared:
    """These trainings beside those of a reference that are set alike."""
    if others is None:
        return Compared()
    found = counterpart(own, others)
    title = f"### Beside {others.name}"
    if found is None:
        return Compared([title, "", "Nothing there has this data set, classifier, budget and probes.", ""])
    figures = consistencies(own, found)
    sentences = _sentences(own, found, figures, others)
    lines = [title, "", f"There: {found.trainings.title}.", ""]
    lines += [f"* {sentence}" for sentence in sentences] + [""]
    outside = {figure: each for figure, each in figures.items() if each.consistent is False}
    if outside:
        lines += [markdown(_table("outside", "Figures outside of the interval.", outside))]
    if theirs := judge(found.trainings, bootstrap).headlines:
        together = _together(own, found, figures)
        joint = judge(together, bootstrap).headlines if together is not None else []
        lines += [markdown(_verdict_table(verdicts.headlines, theirs, joint, others.name))]
    plain = [sentence.replace("**", "").replace("\\", "") for sentence in sentences]
    tables = [_table("compared", _RULE, figures)] if figures else []
    return Compared(lines, tables, [f"Beside {others.name}: {found.trainings.title}.", *plain])


def consistencies(own: Trainings, found: Counterpart) -> dict[Figure, Consistency]:
    """Of every figure of the kinds of cells that are set alike: whether these trainings are consistent with those."""
    mine, theirs = values_of(own, found.kinds), values_of(found.trainings, found.kinds)
    return {
        figure: consistency(values, theirs[figure], figure.tolerance)
        for figure, values in mine.items()
        if figure in theirs
    }


def _sentences(own: Trainings, found: Counterpart, figures: dict[Figure, Consistency], others: Reference) -> list[str]:
    counted = summary(list(figures.values()))
    subject = "This training is" if len(own.cohorts) == 1 else f"These {len(own.cohorts)} trainings are"
    there = len(found.trainings.cohorts)
    if not figures:
        consistent = "There is no figure that both have."
    elif not counted.compared:
        consistent = "With one training on both sides there is no telling whether they are consistent."
    else:
        word = "consistent" if counted.consistent else "**not consistent**"
        consistent = (
            f"{subject} {word} with the {there} trainings there: of {counted.compared} figures {counted.outside} lie "
            f"outside of the 95 % prediction interval, {counted.expected:.0f} are expected by chance (figures of one "
            f"training move together: many or none may), and {counted.after_holm} remain after Holm's correction for "
            "their number, which decides."
        )
    sentences = [consistent, escape_markdown(bytes_sentence(own.records, found.trainings.records, others.name))]
    for kind, differences in found.unlike.items():
        cell = f"{kind[0]} under {kind[1]}{percent(kind[2])}"
        sentences.append(escape_markdown(f"Left out, set otherwise: {cell} ({', '.join(differences[:3])})"))
    return sentences


def _table(name: str, caption: str, figures: dict[Figure, Consistency]) -> Table:
    columns = ["interpreter", "probe", "metric", "population", "here", "there", "interval", "p", "consistent"]
    rows: list[list[Entry]] = []
    for figure, each in figures.items():
        steps = f", x{figure.steps_factor}" if figure.steps_factor > 1 else ""
        probe = f"{figure.probe}{percent(figure.level)}{steps}"
        interval = EMPTY if each.consistent is None else f"[{number(each.low)}, {number(each.high)}]"
        word = {True: "yes", False: "no", None: EMPTY}[each.consistent]
        rows.append(
            [
                figure.interpreter,
                probe,
                figure.metric,
                figure.population,
                each.value,
                each.known,
                interval,
                each.p,
                word,
            ]
        )
    return Table(name, caption, columns, rows)


def _together(own: Trainings, found: Counterpart, figures: dict[Figure, Consistency]) -> Trainings | None:
    """Both sides as trainings of one method; None where they are not, or where all of these are there already.

    A training is there if one of its cells is, to the byte.
    """
    if found.unlike or not summary(list(figures.values())).consistent:
        return None
    known = {(record.cell["cell"], checksum_of(record)) for record in found.trainings.records}
    new = [
        cohort
        for cohort in own.cohorts
        if not any((record.cell["cell"], checksum_of(record)) in known for record in cohort.records)
    ]
    return pooled([Trainings(new), found.trainings]) if new else None


def _verdict_table(here: list[Headline], there: list[Headline], joint: list[Headline], name: str) -> Table:
    """The verdicts of the reference beside these trainings' own, and those of all of them together."""
    own, both = ({(line.claim, line.interpreter): line for line in each} for each in (here, joint))
    rows: list[list[Entry]] = []
    for line in there:
        mine, together = (each.get((line.claim, line.interpreter)) for each in (own, both))
        rows.append(
            [
                f"{CLAIMS[line.claim].number}. {line.claim}",
                f"{line.objective} ({line.interpreter})",
                line.verdict,
                line.assessment.numbers or None,
                mine.verdict if mine else None,
                (mine.assessment.numbers or None) if mine else None,
                *([together.verdict if together else None] if joint else []),
            ]
        )
    columns = ["claim", "objective", "verdict there", "numbers there", "here", "numbers here"]
    caption = f"Verdicts of {name}, and what these trainings say"
    caption += "; together: of all of these trainings and those." if joint else "."
    return Table("verdicts_there", caption, columns + (["together"] if joint else []), rows)
