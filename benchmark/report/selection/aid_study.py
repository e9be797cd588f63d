"""What makes AID work: each setting's joint success under the strongest attack against what it costs on benign images.

On the calibration split. The rule, of each interpreter on each classifier: among settings whose claim 3 holds there and
whose network is that of their RTS, the one that is trained with the fewest passes of all whose joint success is not
distinguishably above the lowest; of several the one of the lowest joint success, then of the least cost.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmark.report.cohorts.cohort import REFERENCE, is_rtsa
from benchmark.report.cohorts.settings import flat
from benchmark.report.figures.frontier import CAPTION, Point, draw
from benchmark.report.figures.style import save, styled
from benchmark.report.labels import CLAIMS, metric_name, short_metric_name
from benchmark.report.statistics import decision_rules
from benchmark.report.statistics.bootstrap import DEFAULT_BOOTSTRAP, Bootstrap, Estimate, mean, paired_difference
from benchmark.report.statistics.sample_metrics import column
from benchmark.report.tables.formats import Entry, Table, markdown, write_csv
from benchmark.storage.records import Record, read_records

KEYS = (
    "interpreter.lambda_aid",
    "interpreter.kappa",
    "interpreter.lambda_anchor",
    "interpreter.inner.steps",
    "interpreter.inner.perturbation.momentum",
    "interpreter.finish_steps",
    "interpreter.finish_after",
    "interpreter.own_trunk",
)
RULE = (
    "among settings whose claim 3 holds and whose network is that of their RTS, the one trained with the fewest passes "
    "of all whose joint success is not distinguishably above the lowest; then the lowest; on the calibration split"
)
# Passes of the classifier, forward and backward, that a step of AID takes for an image beside those of its attack.
_OF_A_STEP = 6


@dataclass(frozen=True)
class Setting:
    """The cells of one interpreter on one classifier at one value of the keys: without a probe, and attacked."""

    classifier: str
    interpreter: str
    values: dict[str, Any]
    clean: Record | None
    attacks: list[Record]

    @cached_property
    def joint_success(self) -> pd.DataFrame:
        """``joint`` and ``map_l1`` under the strongest attack, and ``source_id``, by sample id.

        Joint success: some attack reaches the class with a map within the benign spread. The map's distance is the
        smallest of the attacks that reach the class, else the smallest of all.
        """
        rows = pd.concat([record.samples for record in self.attacks], ignore_index=True)
        success_N = column(rows, "success")
        rows = rows.assign(joint=success_N * column(rows, "looks_benign"), failed=success_N == 0)
        best = rows.sort_values(["failed", "map_l1"], kind="stable", na_position="last").drop_duplicates("sample_id")
        joint = rows.groupby("sample_id")["joint"].max()
        return best.set_index("sample_id")[["source_id", "map_l1"]].assign(joint=joint).sort_index()

    @property
    def decoder_steps(self) -> int:
        """Of the whole training: the common start, where it goes on from there, and the further steps."""
        start = self._steps("start") if self.values_of("finish_after") != "selector" else 0
        return start + self._steps("finish")

    @property
    def own_trunk(self) -> bool:
        """Whether it trains a copy of the trunk too: another network than the decoder alone."""
        return bool(self.values_of("own_trunk"))

    @property
    def passes(self) -> int:
        """Of the further steps, for an image: of the attack inside, and of the losses."""
        inner = self.values_of("inner") or {}
        return self._steps("finish") * (int(inner.get("steps") or 0) + _OF_A_STEP)

    def _steps(self, stage: str) -> int:
        return int(self.values_of("stages", {}).get(stage, {}).get("steps") or 0)

    def values_of(self, key: str, default: Any = None) -> Any:
        """A key of the interpreter's configuration."""
        cells = [*self.attacks, *([] if self.clean is None else [self.clean])]
        return (cells[0].cell["config"].get("interpreter") or {}).get(key, default)


@dataclass(frozen=True)
class Result:
    """A setting against its reference: differences are setting minus reference, None where a cell is missing."""

    setting: Setting
    reference: Setting
    joint: Estimate | None
    fall: Estimate | None
    distance: Estimate | None
    benign: dict[str, Estimate]
    harmless: str
    frontier: bool = False
    chosen: bool = False

    @property
    def cost(self) -> float:
        """The largest share of a margin of claim 3 that a difference takes up; 1 is the margin. NaN: not measured."""
        shares = [margin_share(self.benign[name], name) for name in self.benign]
        return max(shares, default=float("nan"))


def margin_share(difference: Estimate, name: str) -> float:
    """The share of a margin of claim 3 that a difference takes up: 1 is the margin."""
    low, high = decision_rules.MARGINS[name]
    return max(difference.value / margin for margin in (low, high) if np.isfinite(margin))


def settings(records: Sequence[Record], keys: Sequence[str]) -> list[Setting]:
    """The settings among the finished cells of RTS and its relatives, in the order of their names and values.

    Raises:
        ValueError: two cells of one setting under one probe: the keys do not tell them apart.
    """
    found: dict[tuple[str, str, str], list[Record]] = defaultdict(list)
    for record in records:
        name = record.cell["interpreter"]
        if record.cell.get("status") == "done" and (name == REFERENCE or is_rtsa(name)):
            found[record.cell["classifier"], name, str(_values(record, keys))].append(record)
    made = []
    for (classifier, interpreter, _), alike in sorted(found.items(), key=lambda item: item[0]):
        probes = [record.cell["probe"] for record in alike]
        if repeated := {probe for probe in probes if probes.count(probe) > 1}:
            raise ValueError(
                f"cells of interpreter {interpreter} under {', '.join(sorted(repeated))} cannot be told apart by the "
                f"settings {', '.join(keys)}: name what they differ in too (keys=[...]), or filter the records"
            )
        clean = next((record for record in alike if record.cell["probe"] == "clean"), None)
        attacks = [record for record in alike if (column(record.samples, "goal") >= 0).any()]
        made.append(Setting(classifier, interpreter, _values(alike[0], keys), clean, attacks))
    return made


def _values(record: Record, keys: Sequence[str]) -> dict[str, Any]:
    config = flat(record.cell.get("config") or {})
    return {key: config.get(key.removeprefix("config.")) for key in keys}


def results(
    records: Sequence[Record], keys: Sequence[str] = KEYS, bootstrap: Bootstrap = DEFAULT_BOOTSTRAP
) -> list[Result]:
    """Every setting of an RTSA against the RTS of the same classifier, trained as long or nearest to it.

    Of a setting with a trunk of its own it is an RTS with such a trunk, if there is one.

    Only cells of the calibration split are looked at.
    """
    calibration = [record for record in records if record.cell.get("split") == "calibration"]
    found = settings(calibration, keys)
    made = []
    for each in found:
        own = [other for other in found if other.classifier == each.classifier and other.interpreter == REFERENCE]
        if each.interpreter != REFERENCE and own:
            reference = min(own, key=lambda other: _distance(other, each))
            made.append(_result(each, reference, bootstrap))
    return _judged(made, bootstrap)


def _distance(reference: Setting, setting: Setting) -> tuple[bool, int]:
    return reference.own_trunk != setting.own_trunk, abs(reference.decoder_steps - setting.decoder_steps)


def _result(setting: Setting, reference: Setting, bootstrap: Bootstrap) -> Result:
    joint = fall = distance = None
    if setting.attacks:
        rows = setting.joint_success
        joint = mean(rows["joint"].to_numpy(float), rows["source_id"].to_numpy(), bootstrap)
        if reference.attacks:
            fall = _difference(rows, reference.joint_success, "joint", bootstrap)
            distance = _difference(rows, reference.joint_success, "map_l1", bootstrap)
    benign = {}
    if setting.clean is not None and reference.clean is not None:
        ours, theirs = (each.samples.set_index("sample_id") for each in (setting.clean, reference.clean))
        differences = {name: _difference(ours, theirs, name, bootstrap) for name in decision_rules.MARGINS}
        benign = {name: each for name, each in differences.items() if each.n > 0}
    verdicts = [decision_rules.inside(each, decision_rules.MARGINS[name]) for name, each in benign.items()]
    return Result(setting, reference, joint, fall, distance, benign, decision_rules.conjunction(verdicts))


def _difference(ours: pd.DataFrame, theirs: pd.DataFrame, name: str, bootstrap: Bootstrap) -> Estimate:
    """The paired difference of a column over the samples that both have; both are indexed by sample id."""
    common = ours.index.intersection(theirs.index).sort_values()
    value_N, reference_N = (column(side.loc[common], name) for side in (ours, theirs))
    return paired_difference(value_N, reference_N, ours.loc[common, "source_id"].to_numpy(), bootstrap)


def _judged(found: Sequence[Result], bootstrap: Bootstrap) -> list[Result]:
    """The results, marked: on the frontier of their classifier, and chosen by the rule."""
    groups: dict[tuple[str, str], list[Result]] = defaultdict(list)
    for each in found:
        alike = each.setting.own_trunk == each.reference.own_trunk
        if alike and each.fall is not None and each.harmless == decision_rules.HOLDS:
            groups[each.setting.classifier, each.setting.interpreter].append(each)
    chosen = [_choice(group, bootstrap) for group in groups.values()]
    return [
        replace(each, frontier=_on_frontier(each, found), chosen=any(each is other for other in chosen))
        for each in found
    ]


def _choice(group: list[Result], bootstrap: Bootstrap) -> Result:
    """The one with the fewest training passes of those that are not distinguishably worse than the best."""
    ordered = sorted(group, key=lambda each: (each.joint.value, each.cost))  # type: ignore[union-attr]
    best = ordered[0].setting.joint_success
    near = [
        each
        for each in ordered
        if each is ordered[0] or _difference(each.setting.joint_success, best, "joint", bootstrap).low <= 0
    ]
    return min(near, key=lambda each: each.setting.passes)  # of several the first, which is the best of them


def _on_frontier(result: Result, found: Sequence[Result]) -> bool:
    """Whether no setting on the same classifier has both less joint success and less cost."""
    if result.joint is None or np.isnan(result.cost):
        return False
    return not any(
        other.joint is not None
        and other.setting.classifier == result.setting.classifier
        and (other.joint.value, other.cost) != (result.joint.value, result.cost)
        and other.joint.value <= result.joint.value
        and other.cost <= result.cost
        for other in found
    )


def study_table(found: Sequence[Result]) -> Table:
    """One row a setting, numbered as in the figure."""
    keys = list(found[0].setting.values) if found else []
    rows: list[list[Entry]] = [
        [
            number,
            each.setting.classifier,
            each.setting.interpreter,
            *("none" if value is None else str(value) for value in each.setting.values.values()),
            each.joint,
            each.fall,
            each.distance,
            *(each.benign.get(name) for name in decision_rules.MARGINS),
            each.cost,
            each.harmless,
            "yes" if each.frontier else "",
            "chosen" if each.chosen else "",
        ]
        for number, each in enumerate(found, 1)
    ]
    columns = [
        *("", "classifier", "interpreter"),
        *(key.removeprefix("interpreter.") for key in keys),
        "joint success",
        "joint success, difference",
        f"{metric_name('map_l1')}, difference",
        *(f"{short_metric_name(name)}, difference" for name in decision_rules.MARGINS),
        "cost",
        f"claim {CLAIMS['harmless'].number}",
        "frontier",
        " ",
    ]
    caption = (
        f"Chosen: {RULE}. Joint success: the class is reached with a map within the interpreter's benign spread, under "
        "the strongest attack tried on it. Differences are paired, to the RTS on the same classifier that was trained "
        "as long, with a trunk of its own where the setting has one and such an RTS is there; 95 % bootstrap intervals "
        "over sources. Cost: the largest share of a margin of claim 3 that a difference takes up. Frontier: no setting "
        "on this classifier has less of both."
    )
    groups = {(each.setting.classifier, each.setting.interpreter) for each in found}
    none = groups - {(each.setting.classifier, each.setting.interpreter) for each in found if each.chosen}
    caption += f" No setting qualifies of {', '.join(map(' '.join, sorted(none)))}." if none else ""
    return Table("aid_study", caption, columns, rows)


def points(found: Sequence[Result]) -> list[Point]:
    """What the figure draws of the settings, and of the references."""
    made = [
        Point(str(number), each.setting.classifier, each.setting.interpreter, each.cost, each.joint, each.frontier)
        for number, each in enumerate(found, 1)
        if each.joint is not None and not np.isnan(each.cost)
    ]
    for each in {id(result.reference): result.reference for result in found}.values():
        if each.attacks:
            rows = each.joint_success
            joint = mean(rows["joint"].to_numpy(float), rows["source_id"].to_numpy())
            made.append(Point("", each.classifier, each.interpreter, 0.0, joint, False))
    return made


def build_study(
    results_root: Path | str,
    report_root: Path | str,
    keys: Sequence[str] | None = None,
    filters: Mapping[str, Any] | None = None,
    bootstrap: Bootstrap = DEFAULT_BOOTSTRAP,
) -> Path:
    """Writes aid_study.md and .csv, and the figure aid_study.png and .pdf; returns the first.

    Raises:
        ValueError: there are no calibration cells of an RTSA and its RTS, or the keys do not tell the cells apart.
    """
    wanted = {name: value for name, value in (filters or {}).items() if value is not None}
    wanted["split"] = "calibration"
    found = results(read_records(Path(results_root), **wanted), keys or KEYS, bootstrap)
    if not found:
        raise ValueError(
            f"No study to judge: looked in {results_root} for finished cells with split=calibration of rts and an "
            "interpreter rtsa* on one classifier; compute some first, with `python -m benchmark run "
            "experiment=aid_study`."
        )
    out = Path(report_root)
    out.mkdir(parents=True, exist_ok=True)
    table = study_table(found)
    write_csv(out / "aid_study.csv", table)
    text = markdown(table)
    if drawn := points(found):
        with styled():
            save(draw(drawn), out, "aid_study")
        text += f"\n![The frontier](aid_study.png)\n\n*{CAPTION}*\n"
    path = out / "aid_study.md"
    path.write_text(text, encoding="utf-8")
    return path
