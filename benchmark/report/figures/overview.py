"""The whole result at a glance: paired differences with their intervals, and map L1 under each probe."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from benchmark.report.claims.rows import ClaimRow
from benchmark.report.cohorts.flags import withholding
from benchmark.report.cohorts.strongest import AUTOMATIC, STRONGEST
from benchmark.report.cohorts.trainings import Trainings
from benchmark.report.figures.panels import interpreters_to_draw
from benchmark.report.figures.style import MUTED, WIDTH, colour_of, marker_of
from benchmark.report.labels import CLAIMS, POPULATIONS, interpreter_name, metric_name, probe_name, short_metric_name
from benchmark.report.statistics import decision_rules
from benchmark.report.statistics.bootstrap import DEFAULT_BOOTSTRAP, Bootstrap, Estimate
from benchmark.report.statistics.sample_metrics import mean_with_interval, succeeded

FOREST_CAPTION = (
    "Paired differences to the equal-budget RTS with 95 % intervals over trainings and sources; each claim on a scale "
    "of its own. Claim 1 holds, and claim 2's maps move further, where the whole interval is above zero; claim 3 holds "
    "where it is inside the grey margins. Random sign is claim 1's control of plain sensitivity. Hollow marks: no "
    "verdict (fewer than three trainings, too few samples, or a flagged cell)."
)
BARS_CAPTION = (
    "Mean L1 distance between the map of the input and of the probed input, with 95 % intervals over trainings and "
    "sources. Noise: misclassified samples. Sign and attacks: all samples probed. Flagged cells are left out."
)
FOREST_METRICS = (
    *("map_l1", "iou_distance", "spearman_distance", "class_excess"),
    *("reference_l1", "object_iou", "deletion", "insertion"),
)
_UNDECIDED = (
    decision_rules.TOO_FEW,
    decision_rules.WITHHELD,
    decision_rules.ONE_TRAINING,
    decision_rules.FEW_TRAININGS,
)
_ROW = 0.2  # inches a line of the forest


def _label(row: ClaimRow) -> str:
    if row.claim == "harmless":
        return metric_name(row.metric)
    steps = " ×10 steps" if row.steps_factor > 1 else ""
    population = f", {POPULATIONS[row.population]}" if row.population in POPULATIONS else ""
    control = " (control)" if row.probe == "sign" else ""
    alone = " alone" if row.claim == "attack" and row.probe != STRONGEST else ""
    return f"{probe_name(row.probe, row.level)}{steps}{alone}: {short_metric_name(row.metric)}{population}{control}"


def _is_drawn(row: ClaimRow) -> bool:
    """Rows that one figure has room for: the claims' own, the sharper form, and the controls in L1."""
    if row.metric not in FOREST_METRICS or row.difference is None or row.role in ("premise", "reference", "overall"):
        return False
    if row.claim == "noise":
        return row.metric == "map_l1" and row.population != "right"
    return row.claim == "harmless" or row.metric == "map_l1"


def forest(rows: list[ClaimRow]) -> Figure | None:
    """Intervals by claim, one mark an objective; None where nothing was compared."""
    shown = [row for row in rows if _is_drawn(row)]
    claims = [claim for claim in CLAIMS if any(row.claim == claim for row in shown)]
    if not claims:
        return None
    names = list(dict.fromkeys(row.interpreter for row in shown))
    labels = {c: list(dict.fromkeys(_label(row) for row in shown if row.claim == c)) for c in claims}
    counts = [len(labels[claim]) for claim in claims]
    height = 0.35 + sum(counts) * _ROW + len(claims) * 0.5
    figure, panels = plt.subplots(
        len(claims), 1, figsize=(WIDTH, height), squeeze=False, gridspec_kw={"height_ratios": [n + 0.4 for n in counts]}
    )
    for axes, claim in zip(panels[:, 0], claims, strict=True):
        _forest_panel(axes, [row for row in shown if row.claim == claim], labels[claim], names)
        axes.set_title(f"Claim {CLAIMS[claim].number}, {CLAIMS[claim].title}", loc="left", weight="bold")
    panels[-1, 0].set_xlabel("difference to RTS (equal budget), paired")
    figure.subplots_adjust(left=0.29, right=0.985, bottom=0.4 / height, top=1 - 0.5 / height, hspace=0.42)
    marks = [
        Line2D([], [], color=colour_of(name, i), marker=marker_of(name), ms=4, lw=1.2, label=interpreter_name(name))
        for i, name in enumerate(names)
    ]
    figure.legend(handles=marks, loc="upper right", ncols=len(names), frameon=False, bbox_to_anchor=(0.985, 1.0))
    return figure


def _forest_panel(axes: Axes, rows: list[ClaimRow], labels: list[str], names: list[str]) -> None:
    spacing = 0.6 / max(len(names), 1)
    for row in rows:
        assert row.difference is not None  # _is_drawn leaves the others out
        line, index = labels.index(_label(row)), names.index(row.interpreter)
        y = line + (index - (len(names) - 1) / 2) * spacing
        colour = colour_of(row.interpreter, index)
        undecided = row.verdict in _UNDECIDED
        face = "white" if undecided else colour
        if row.low is not None and row.high is not None:
            axes.plot([row.low, row.high], [y, y], color=colour, lw=1.2, solid_capstyle="butt")
        axes.plot([row.difference], [y], marker_of(row.interpreter), ms=4, mfc=face, mec=colour, mew=0.9)
    reach = max(abs(end) for end in axes.get_xlim())
    if rows[0].claim == "harmless":
        reach = max(reach, 0.075)
        for line, label in enumerate(labels):
            low, high = next(decision_rules.MARGINS[row.metric] for row in rows if _label(row) == label)
            ends = max(low, -10 * reach), min(high, 10 * reach)
            axes.fill_betweenx([line - 0.45, line + 0.45], *ends, color="#e4e4e4", lw=0, zorder=0)
        axes.set_xlim(-reach, reach)
    axes.axvline(0, color=MUTED, lw=0.7, zorder=0.5)
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)


def bars(trainings: Trainings, bootstrap: Bootstrap = DEFAULT_BOOTSTRAP) -> Figure | None:
    """Map L1 under each probe, one bar an interpreter; None where there is no probe."""
    names = interpreters_to_draw(trainings.records)
    probes = [*trainings.noises, *((probe, None) for probe in ("sign", "pgd", "adv2", AUTOMATIC))]
    probes = [p for p in probes if any(trainings.cells(name, *p) for name in names)]
    if not probes:
        return None
    figure, axes = plt.subplots(figsize=(WIDTH, 2.5))
    width = 0.8 / len(names)
    for index, name in enumerate(names):
        bars_at: list[tuple[float, Estimate]] = []
        for x, (probe, level) in enumerate(probes):
            cells = trainings.cells(name, probe, level)
            if any(map(withholding, cells)):
                continue
            estimate = mean_with_interval(cells, "map_l1", bootstrap, succeeded if level is not None else None)
            if estimate.n:
                bars_at.append((x + (index - (len(names) - 1) / 2) * width, estimate))
        heights = [e.value for _, e in bars_at]
        errors = np.maximum(0.0, [[e.value - e.low for _, e in bars_at], [e.high - e.value for _, e in bars_at]])
        axes.bar(
            [x for x, _ in bars_at], heights, width * 0.9, color=colour_of(name, index), label=interpreter_name(name)
        )
        axes.errorbar([x for x, _ in bars_at], heights, errors, fmt="none", ecolor="black", elinewidth=0.8, capsize=1.8)
    axes.set_xticks(range(len(probes)), [probe_name(probe, level) for probe, level in probes])
    axes.tick_params(axis="x", length=0)
    axes.set_ylabel("map L1, input to probed input")
    axes.margins(x=0.02)
    axes.set_ylim(0, axes.get_ylim()[1] * 1.12)
    axes.legend(frameon=False, ncols=len(names), loc="upper left")
    figure.subplots_adjust(left=0.075, right=0.99, bottom=0.11, top=0.97)
    return figure
