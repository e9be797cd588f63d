"""Writes the figures of published results into the pages: ``python -m tests.docs.tables``.

A page marks where they stand, in a line or on lines of their own:

    <!-- published: NAME key=value ... -->...<!-- end -->

NAME is one of BLOCKS. ``results=FOLDER`` takes the results published in docs/results/FOLDER; without it they are those
that reports compare with, the trainings of all sets together. A test checks that no page says anything else than the
results do.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from benchmark.report.claims.rows import ClaimRow, select_rows
from benchmark.report.claims.verdicts import Verdicts, judge
from benchmark.report.cohorts.grouping import grouped
from benchmark.report.cohorts.settings import differing, settings_of
from benchmark.report.cohorts.trainings import Trainings, pooled
from benchmark.report.compare.consistency import consistency, summary
from benchmark.report.compare.figures_of import Figure, cell_values, difference_values, kind_of
from benchmark.report.compare.reference import Reference, counterpart
from benchmark.report.compare.section import consistencies
from benchmark.report.labels import CLAIMS, interpreter_name, metric_name, percent, probe_name
from benchmark.report.published.location import SETS
from benchmark.report.published.pack import Pack, is_pack, read_pack
from benchmark.report.selection.aid_study import results
from benchmark.report.statistics.bootstrap import DEFAULT_BOOTSTRAP, Bootstrap, Estimate
from benchmark.report.statistics.sample_metrics import failed, mean_with_interval, succeeded
from benchmark.report.tables.all_tables import all_tables
from benchmark.report.tables.formats import EMPTY, Table, markdown
from benchmark.storage.records import Record
from tests.helpers import PROJECT

RESULTS = PROJECT / "docs" / "results"
PAGES = [PROJECT / "README.md", *sorted((PROJECT / "docs").glob("*.md"))]
BLOCK = re.compile(r"<!-- published: (\w+)((?: [\w-]+=\S+)*) -->(.*?)<!-- end -->", re.S)
NOT_YET = "*not published yet*"

POPULATIONS = {"all": None, "success": succeeded, "wrong": succeeded, "right": failed}
PACKAGES = ("python", "torch", "timm", "pytorch-lightning", "numpy")

# (words, probe, level, metric, population) of the rows of the table of means.
MEANS = (
    *(("benign", "clean", None, metric, "all") for metric in ("object_iou", "reference_l1", "deletion", "insertion")),
    *(("", "pgd", None, metric, "all") for metric in ("success", "map_l1")),
    *(("", "adv2", None, metric, "all") for metric in ("success", "map_l1", "looks_benign")),
    *(("", "adv2_auto", None, metric, "all") for metric in ("success", "map_l1", "looks_benign")),
    *(("", kind, level, "map_l1", "wrong") for kind in ("normal", "uniform") for level in (0.03, 0.3)),
    ("", "sign", None, "map_l1", "all"),
)


OBJECTS = ("control_class_l1", "map_mean_benign", "pointing_game", "energy_in_object", "box_iou")


@dataclass(frozen=True)
class Published:
    """Published results, of one folder or of several sets, and what the report makes of them."""

    packs: Sequence[Pack]
    bootstrap: Bootstrap = DEFAULT_BOOTSTRAP

    @cached_property
    def sets(self) -> list[Trainings]:
        """Of every folder those of the setting with the most cells."""
        return [max(grouped(pack.records), key=lambda group: len(group.records)) for pack in self.packs]

    @cached_property
    def trainings(self) -> Trainings:
        """All of them together."""
        return pooled(self.sets)

    @cached_property
    def records(self) -> Sequence[Record]:
        """Every cell; of several sets those of the trainings."""
        return self.packs[0].records if len(self.packs) == 1 else self.trainings.records

    def index(self, name: str) -> list[Any]:
        """The values that a field of the indexes has."""
        return list({str(value): value for pack in self.packs for value in pack.index[name]}.values())

    @cached_property
    def verdicts(self) -> Verdicts:
        return judge(self.trainings, self.bootstrap)

    @cached_property
    def tables(self) -> dict[str, Table]:
        return {table.name: table for table in all_tables(self.trainings, self.verdicts.rows, self.bootstrap)}

    @cached_property
    def by_training(self) -> dict[Figure, list[float]]:
        """Means and differences of every training alone."""
        found: dict[Figure, list[float]] = {}
        for kind in dict.fromkeys(map(kind_of, self.trainings.records)):
            found |= cell_values(self.trainings.cells(*kind))
        return found | difference_values(self.trainings)

    def mean(self, interpreter: str, probe: str, level: float | None, metric: str, population: str) -> Estimate:
        cells = self.trainings.cells(interpreter, probe, level)
        return mean_with_interval(cells, metric, self.bootstrap, POPULATIONS[population])


def interval(estimate: Estimate) -> str:
    """'0.021 [0.019, 0.023]'."""
    return f"{estimate.value:.3f} [{estimate.low:.3f}, {estimate.high:.3f}]" if estimate.n else EMPTY


def provenance(published: Published) -> str:
    """What the results were computed with, in a sentence."""
    versions = published.index("versions")
    of_packages = {name: dict.fromkeys(each[name] for each in versions if name in each) for name in PACKAGES}
    packages = ", ".join(f"{name} {' and '.join(found)}" for name, found in of_packages.items() if found)
    portable = [all(record.cell.get("portable") for record in pack.records) for pack in published.packs]
    mode = " in portable mode" if all(portable) else " (on the CPU in portable mode)" if any(portable) else ""
    threads, device, commit = (", ".join(map(str, published.index(name))) for name in ("threads", "device", "commit"))
    return (
        f"{published.trainings.seeds_in_words}, {len(published.records)} cells; {device}, "
        f"{threads} thread{'' if threads == '1' else 's'}{mode}; {packages}; commit {commit}"
    )


def sets(published: Published) -> str:
    """A row a claim and objective: the word of all trainings, and that of each set alone."""
    judged = [published.verdicts, *(judge(each, published.bootstrap) for each in published.sets)]
    found = [{(line.claim, line.interpreter): line.verdict for line in each.headlines} for each in judged]
    rows = [
        [f"{CLAIMS[claim].number}. {CLAIMS[claim].statement}", f"`{name}`", *(f"{each[claim, name]}" for each in found)]
        for name in dict.fromkeys(name for _, name in found[0])
        for claim in CLAIMS
    ]
    columns = ["claim", "objective", f"all {len(published.trainings.cohorts)}", *published.trainings.sets]
    return pipe_table(columns, rows)


def agreement(published: Published) -> str:
    """'9 of 18': how often a set alone says the word of all trainings."""
    judged = [judge(each, published.bootstrap).headlines for each in published.sets]
    said = {(line.claim, line.interpreter): line.verdict for line in published.verdicts.headlines}
    same = [said[line.claim, line.interpreter] == line.verdict for lines in judged for line in lines]
    return f"{sum(same)} of {len(same)}"


def words(published: Published) -> str:
    """A row a claim, a column an objective: the verdict and the numbers behind it."""
    lines = {(line.claim, line.interpreter): line for line in published.verdicts.headlines}
    interpreters = list(dict.fromkeys(interpreter for _, interpreter in lines))
    rows = [
        [
            f"{name.number}. {name.statement}",
            *(
                ": ".join(filter(None, [f"**{lines[claim, each].verdict}**", lines[claim, each].assessment.numbers]))
                if (claim, each) in lines
                else EMPTY
                for each in interpreters
            ),
        ]
        for claim, name in CLAIMS.items()
    ]
    return pipe_table(["claim", *(f"`{each}`" for each in interpreters)], rows)


def means(published: Published) -> str:
    """A row a probe and metric, a column an interpreter that has any of them."""
    known = published.trainings.interpreters
    found = {row: [published.mean(each, *row[1:]) for each in known] for row in MEANS}
    columns = [column for column in range(len(known)) if any(values[column].n for values in found.values())]
    rows = []
    for (words_before, probe, level, metric, population), values in found.items():
        if not any(each.n for each in values):
            continue
        of_whom = {"wrong": ", misclassified"}.get(population, "")
        title = f"{words_before or probe_name(probe, level)}: {metric_name(metric)}{of_whom}"
        size = next(each for each in values if each.n)
        rows.append([title, *(interval(values[column]) for column in columns), f"{size.n:,} / {size.n_sources}"])
    return pipe_table(["", *(interpreter_name(known[column]) for column in columns), "n"], rows)


def between(published: Published) -> str:
    """How far trainings lie apart: mean, standard deviation, least and greatest, and where one more would lie."""
    rows = []
    for figure, values in published.by_training.items():
        if len(values) < 2 or not is_telling(figure):
            continue
        another = consistency(values[:1], values, figure.tolerance)
        rows.append(
            [
                figure.interpreter,
                f"{probe_name(figure.probe, figure.level)}: {metric_name(figure.metric)}",
                f"{np.mean(values):.3f}",
                f"{np.std(values, ddof=1):.3f}",
                f"{min(values):.3f} to {max(values):.3f}",
                f"[{another.low:.3f}, {another.high:.3f}]",
            ]
        )
    return pipe_table(["interpreter", "figure", "mean", "SD", "least to greatest", "95 % of further trainings"], rows)


def is_telling(figure: Figure) -> bool:
    """Whether a figure is shown where trainings are compared: one a measure, of benign maps, noise and attacks."""
    population = "wrong" if figure.level is not None else "all"
    metrics = {"clean": ("object_iou",), "normal": ("map_l1",), "strongest": ("map_l1", "joint_success")}
    metrics |= dict.fromkeys(("adv2", "adv2_auto"), ("map_l1", "joint_success"))
    return figure.population == population and figure.metric in metrics.get(figure.probe, ())


def table(published: Published, name: str) -> str:
    """A table of the report, by its name there."""
    if name not in published.tables:
        raise ValueError(f"name={name} is no table of the report: there are {', '.join(published.tables)}")
    return markdown(published.tables[name]).rstrip("\n")


def mean(
    published: Published, interpreter: str, probe: str, metric: str, level: str = "", population: str = "all"
) -> str:
    """One mean with its interval."""
    return interval(published.mean(interpreter, probe, float(level) if level else None, metric, population))


def difference(
    published: Published, interpreter: str, probe: str, metric: str, level: str = "", population: str = "all"
) -> str:
    """One difference to the equal-budget RTS with its interval."""
    row = _row(published, interpreter, probe, metric, float(level) if level else None, population)
    return f"{row.difference:+.3f} [{row.low:.3f}, {row.high:.3f}]"


def ratio(
    published: Published, interpreter: str, probe: str, metric: str, level: str = "", population: str = "all"
) -> str:
    """The ratio to the equal-budget RTS."""
    row = _row(published, interpreter, probe, metric, float(level) if level else None, population)
    return f"{row.ratio:.2f}"


def spread(
    published: Published, interpreter: str, probe: str, metric: str, level: str = "", population: str = "all"
) -> str:
    """'0.24 to 0.47': the least and the greatest mean of a training."""
    rate = float(level) if level else None
    found = [
        values
        for figure, values in published.by_training.items()
        if (figure.interpreter, figure.probe, figure.level) == (interpreter, probe, rate)
        and (figure.metric, figure.population) == (metric, population)
    ]
    if not found:
        raise ValueError(f"no {metric} of {interpreter} under {probe}{percent(rate)} over {population}")
    return f"{min(found[0]):.2f} to {max(found[0]):.2f}"


def lowest(published: Published, interpreter: str, probe: str, metric: str) -> str:
    """The least mean of a training."""
    cells = published.trainings.cells(interpreter, probe)
    return f"{min(mean_with_interval([cell], metric, published.bootstrap).value for cell in cells):.3f}"


def word(published: Published, claim: str, interpreter: str) -> str:
    """The verdict on one claim."""
    (line,) = [each for each in published.verdicts.headlines if (each.claim, each.interpreter) == (claim, interpreter)]
    return line.verdict


def sentence(published: Published, claim: str, interpreter: str) -> str:
    """The report's own sentence on one claim."""
    (line,) = [each for each in published.verdicts.headlines if (each.claim, each.interpreter) == (claim, interpreter)]
    return line.sentence


def _row(
    published: Published, interpreter: str, probe: str, metric: str, level: float | None, population: str
) -> ClaimRow:
    wanted = {"interpreter": interpreter, "probe": probe, "metric": metric, "level": level, "population": population}
    found = [row for row in select_rows(published.verdicts.rows, **wanted) if row.role != "overall"]
    if not found:
        raise ValueError(f"no comparison of {interpreter} under {probe}{percent(level)} in {metric} over {population}")
    return found[0]


def beside(published: Published, other: str) -> str:
    """How these trainings agree with others that are published, and how many of their words are the same."""
    known = published_in(RESULTS / other)
    assert known is not None
    found = counterpart(published.trainings, Reference(other, [known.trainings]))
    assert found is not None
    counted = summary(list(consistencies(published.trainings, found).values()))
    apart = {interpreter for interpreter, *_ in found.unlike}
    theirs = {(line.claim, line.interpreter): line.verdict for line in known.verdicts.headlines}
    mine = [line for line in published.verdicts.headlines if line.interpreter not in apart]
    same = [theirs.get((line.claim, line.interpreter)) == line.verdict for line in mine]
    words_agree = f"{'the same' if all(same) else f'{sum(same)} of the'} {len(same)} words; " if theirs else ""
    left_out = "".join(f"; `{name}` is set otherwise there and left out" for name in sorted(apart))
    return (
        f"{known.trainings.seeds_in_words}, on {', '.join(known.index('device'))}: {words_agree}of "
        f"{counted.compared} figures {counted.outside} lie outside of the 95 % prediction interval, "
        f"{counted.expected:.0f} are expected by chance, {counted.after_holm} remain after Holm's correction{left_out}"
    )


def alike(published: Published, other: str) -> str:
    """The correlation of two sets over trainings, place by place, its mean over all figures; p by all the pairings."""
    known = published_in(RESULTS / other)
    assert known is not None
    pairs = [(v, known.by_training[name]) for name, v in published.by_training.items() if name in known.by_training]
    kept = [
        (v, w) for v, w in pairs if len(v) == len(w) == len(published.trainings.seeds) and np.std(v) * np.std(w) > 0
    ]
    left_FT, right_FT = (stats.zscore(np.array(side), axis=1) for side in zip(*kept, strict=True))
    found = [(left_FT * right_FT[:, order]).mean() for order in map(list, permutations(range(left_FT.shape[1])))]
    share = np.mean(np.array(found) >= found[0] - 1e-9)
    return f"{found[0]:.2f} (p {share:.2f})"


def by_seed(published: Published, interpreter: str, metric: str, probe: str = "strongest") -> str:
    """The mean difference to RTS where the trainings of one seed count as one, their mean, with a 95 % t interval."""
    wanted = Figure(f"{interpreter} − rts", probe, None, 1, metric, "all")
    sides: dict[int, list[float]] = defaultdict(list)
    for pack in published.packs:
        part = Published([pack], published.bootstrap)
        for seed, value in zip(part.trainings.seeds, part.by_training[wanted], strict=True):
            sides[seed].append(value)
    mean_S = np.array([np.mean(values) for values in sides.values()])
    reach = stats.t.ppf(0.975, len(mean_S) - 1) * stats.sem(mean_S)
    decimals = 4 if abs(mean_S.mean()) < 0.002 else 3
    low, high = mean_S.mean() - reach, mean_S.mean() + reach
    return f"{mean_S.mean():+.{decimals}f} [{low:.{decimals}f}, {high:.{decimals}f}]"


def variance(published: Published) -> str:
    """'65 to 100': percent of the variance between trainings, least and greatest of the figures behind the claims."""
    rows = select_rows(published.verdicts.rows, role="primary")
    shares = [100 * row.share_trainings for row in rows if row.share_trainings is not None]
    return f"{min(shares):.0f} to {max(shares):.0f}"


def study(published: Published) -> str:
    """The settings of the study of AID, numbered as in its figure: what differs from the defaults, and what it did."""
    rows = []
    for number, each in enumerate(results(published.records, bootstrap=published.bootstrap), 1):
        assert each.joint is not None and each.fall is not None
        said = [f"{key.split('.')[-1]} {value}" for key, value in each.setting.values.items() if value not in (None, 0)]
        own = next(record for record in each.setting.attacks).samples["success"].mean()
        numbers = [
            f"{own:.2f}",
            interval(each.joint),
            f"{each.fall.value:+.2f} [{each.fall.low:.2f}, {each.fall.high:.2f}]",
        ]
        iou = each.benign["object_iou"]
        numbers += [f"{iou.value:+.3f} [{iou.low:.3f}, {iou.high:.3f}]", f"{each.cost:.2f}", each.harmless]
        names = [str(number), each.setting.classifier, each.setting.interpreter, ", ".join(said)]
        rows.append([*names, *numbers, "chosen" if each.chosen else ""])
    columns = ["", "classifier", "interpreter", "setting", "success", "joint success", "difference to RTS"]
    return pipe_table([*columns, "object IoU, difference", "cost", "claim 3", ""], rows)


def accuracy(published: Published, classifier: str = "", probe: str = "", over: str = "each") -> str:
    """Percent of the images right, a training each, or their mean (``over=trainings``).

    With a probe, an untargeted attack on all images that are right, those that are right under it.
    """
    found: dict[int, float] = {}
    for record in published.records:
        if classifier in ("", record.cell["classifier"]) and probe in ("", record.cell["probe"]):
            withstood = 1 - record.samples["success"].mean() if probe else 1.0
            found[int(record.cell["seed"])] = 100 * record.cell["facts"]["accuracy"] * withstood
    if not found:
        raise ValueError(f"no cell of classifier={classifier or 'any'} with probe={probe or 'any'}")
    values = [found[seed] for seed in sorted(found)] if over == "each" else [float(np.mean(list(found.values())))]
    return ", ".join(f"{value:.1f}" for value in values)


def passes(published: Published) -> str:
    """A row a budget of adv2_auto: where it leaves the maps, and how often it deceives."""
    cells = [record for record in published.records if record.cell["probe"] == "adv2_auto"]
    rows = []
    for cell in sorted(cells, key=lambda record: record.cell["config"]["probe"]["passes"]):
        found = [interval(mean_with_interval([cell], name, published.bootstrap)) for name in ("map_l1", "looks_benign")]
        flags = ", ".join(f"`{flag}`" for flag in cell.cell["flags"]) or EMPTY
        success = f"{cell.samples['success'].mean():.2f}"
        rows.append([f"{cell.cell['config']['probe']['passes']:,}", success, *found, flags])
    return pipe_table(["passes an image", "success", "map L1", "looks benign", "caveats"], rows)


def objects(published: Published) -> str:
    """A row an interpreter: whether its benign maps tell classes apart, their size, what of the object they find."""
    cells = {
        str(record.cell["interpreter"]): record
        for pack in published.packs
        for record in pack.records
        if record.cell["probe"] == "clean"
    }
    rows = []
    for name, cell in cells.items():
        estimates = [mean_with_interval([cell], metric, published.bootstrap) for metric in OBJECTS]
        sizes = f"{estimates[1].n} / {estimates[2].n}"
        rows.append([interpreter_name(name), *map(interval, estimates), sizes])
    titles = ["the class's map against another's, L1", *(metric_name(name) for name in OBJECTS[1:])]
    return pipe_table(["", *titles, "images / with a box"], rows)


def confidences(published: Published) -> str:
    """A row a confidence of RTS's selector: what its benign maps are."""
    cells = {record.cell["config"]["interpreter"]["confidence"]: record for record in published.records}
    metrics = (*OBJECTS[:2], "deletion", "insertion")
    rows = []
    for confidence in sorted(cells):
        found = [mean_with_interval([cells[confidence]], name, published.bootstrap) for name in metrics]
        rows.append([f"{confidence:g}", *map(interval, found), f"{found[1].n} / {found[0].n}"])
    titles = ["the class's map against another's, L1", *map(metric_name, metrics[1:])]
    return pipe_table(["confidence", *titles, "images: mean map / the rest"], rows)


def tenfold(published: Published, interpreters: str) -> str:
    """A row an interpreter: where ADV2 with ten times its steps leaves the maps, and where adv2_auto does."""
    rows = []
    for name in interpreters.split(","):
        row = [interpreter_name(name)]
        for probe, factor in (("adv2", 10), ("adv2_auto", 1)):
            (cell,) = published.trainings.cells(name, probe, steps_factor=factor)
            l1, success = cell.samples["map_l1"], cell.samples["success"].mean()
            row.append(
                f"{l1.mean():.4f}, {l1.median():.4f}, {success:.2f}, {cell.samples['passes'].mean():,.0f}",
            )
        rows.append(row)
    numbers = "mean, median of map L1, success, passes"
    return pipe_table(["", f"ADV², ten times its steps: {numbers}", "adv2_auto: the same"], rows)


def families(published: Published) -> str:
    """A row an interpreter: how often PGD, ADV2 and adv2_auto succeed, and where they leave the map."""
    rows = []
    for name in published.trainings.interpreters:
        cells = [published.trainings.cells(name, probe)[0] for probe in ("pgd", "adv2", "adv2_auto")]
        success = " → ".join(f"{cell.samples['success'].mean():.2f}" for cell in cells)
        maps = [interval(mean_with_interval([cell], "map_l1", published.bootstrap)) for cell in cells]
        looks = [interval(mean_with_interval([cell], "looks_benign", published.bootstrap)) for cell in cells[1:]]
        error = cells[2].cell["facts"].get("surrogate_map_l1")
        passes = f"{cells[2].samples['passes'].mean():,.0f}"
        rows.append([f"`{name}`", success, *maps, *looks, EMPTY if error is None else f"{error:.3f}", passes])
    attacks = ("PGD", "ADV²", "adv2_auto")
    columns = ["interpreter", f"success {' → '.join(attacks)}", *(f"map L1 {name}" for name in attacks)]
    columns += [*(f"{name} looks benign" for name in attacks[1:]), "surrogate's map error", "passes of adv2_auto"]
    return pipe_table(columns, rows)


def settings(published: Published, interpreter: str) -> str:
    """A row a setting of an interpreter that was varied: its trainings, and the verdicts on claims 2 and 3."""
    rows = []
    groups = grouped(published.records)
    own = [settings_of(next(r for r in group.records if r.cell["interpreter"] == interpreter)) for group in groups]
    varied = [path for path in differing(own) if path.startswith("interpreter.")]
    for group, setting in zip(groups, own, strict=True):
        lines = {
            line.claim: line for line in judge(group, published.bootstrap).headlines if line.interpreter == interpreter
        }
        said = ", ".join(f"{path.split('.')[-1]} {setting[path]}" for path in varied if path in setting)
        found = [f"**{lines[claim].verdict}**: {lines[claim].assessment.numbers}" for claim in ("attack", "harmless")]
        rows.append([said, group.seeds_in_words, *found])
    titles = [f"claim {CLAIMS[claim].number}" for claim in ("attack", "harmless")]
    return pipe_table([f"`{interpreter}`", "trainings", *titles], rows)


def pipe_table(columns: list[str], rows: list[list[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


BLOCKS: dict[str, Callable[..., str]] = {
    each.__name__: each
    for each in (
        provenance,
        words,
        sets,
        agreement,
        alike,
        by_seed,
        variance,
        means,
        between,
        beside,
        table,
        mean,
        difference,
        ratio,
        spread,
        lowest,
        word,
        sentence,
        accuracy,
        study,
        settings,
        families,
        objects,
        confidences,
        tenfold,
        passes,
    )
}


@cache
def published_in(folder: Path) -> Published | None:
    """The results published there, or in several folders joined by "+"; None where there are none yet."""
    folders = [folder.with_name(name) for name in folder.name.split("+")]
    return Published([read_pack(each) for each in folders]) if all(map(is_pack, folders)) else None


def rewritten(text: str, folder: Path = RESULTS, load: Callable[[Path], Published | None] = published_in) -> str:
    """A page with every block made anew.

    Raises:
        ValueError: a block has no such name, or not its keys.
    """

    def made(found: re.Match[str]) -> str:
        name, keys, before = found.groups()
        options = dict(pair.split("=", 1) for pair in keys.split())
        published = load(folder / options.pop("results", "+".join(SETS)))
        if name not in BLOCKS:
            raise ValueError(f"<!-- published: {name} --> is no block: there are {', '.join(BLOCKS)}")
        try:
            content = NOT_YET if published is None else BLOCKS[name](published, **options)
        except TypeError as error:
            raise ValueError(f"<!-- published: {name}{keys} -->: {error}") from None
        around = "\n" if before.startswith("\n") else ""
        return f"<!-- published: {name}{keys} -->{around}{content}{around}<!-- end -->"

    return BLOCK.sub(made, text)


def pages_with_blocks() -> Iterator[Path]:
    """The pages that have published figures."""
    return (page for page in PAGES if BLOCK.search(page.read_text(encoding="utf-8")))


def main() -> None:
    for page in pages_with_blocks():
        page.write_text(rewritten(page.read_text(encoding="utf-8")), encoding="utf-8")
        print(page)


if __name__ == "__main__":
    main()
