"""Mean map L1 under each probe, on a logarithmic scale: noise, its control and attacks each in a panel of its own."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from benchmark.report.cohorts.cohort import fact_of
from benchmark.report.cohorts.flags import withholding
from benchmark.report.cohorts.strongest import AUTOMATIC
from benchmark.report.cohorts.trainings import Trainings
from benchmark.report.figures.panels import interpreters_to_draw
from benchmark.report.figures.style import WIDTH, colour_of, marker_of
from benchmark.report.labels import interpreter_name, probe_name
from benchmark.report.statistics.bootstrap import DEFAULT_BOOTSTRAP, Bootstrap, Estimate
from benchmark.report.statistics.sample_metrics import mean_with_interval, succeeded

CAPTION = (
    "Mean L1 distance between the map of the input and of the probed input, with 95 % intervals over trainings and "
    "sources; the scale is logarithmic. Each panel has a population of its own, named above it. Dashed: the "
    "interpreter's benign spread, by which its maps move when nothing that matters changes; what lies below looks "
    "benign. Flagged cells are left out."
)
_Probe = tuple[str, float | None]


def distances(trainings: Trainings, bootstrap: Bootstrap = DEFAULT_BOOTSTRAP) -> Figure | None:
    """The figure; None where no probe moved a map."""
    names = interpreters_to_draw(trainings.records)
    panels: list[tuple[str, list[_Probe]]] = [
        ("Noise: misclassified samples", list(trainings.noises)),
        ("Control: all", [("sign", None)]),
        ("Attacks: all attacked samples", [(probe, None) for probe in ("pgd", "adv2", AUTOMATIC)]),
    ]
    found = [(title, _estimates(trainings, names, probes, bootstrap)) for title, probes in panels]
    found = [(title, by_probe) for title, by_probe in found if by_probe]
    if not found:
        return None
    widths = [len(by_probe) + 0.6 for _, by_probe in found]
    figure, all_axes = plt.subplots(
        1, len(found), figsize=(WIDTH, 2.7), squeeze=False, sharey=True, gridspec_kw={"width_ratios": widths}
    )
    for axes, (title, by_probe) in zip(all_axes[0], found, strict=True):
        _draw_panel(axes, by_probe, names)
        axes.set_title(title, fontsize=7.5)
    _draw_spreads(all_axes[0], trainings, names)
    first = all_axes[0][0]
    first.set_yscale("log")
    first.set_ylabel("map L1")
    first.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    first.yaxis.set_minor_formatter(NullFormatter())
    handles, labels = first.get_legend_handles_labels()
    figure.legend(handles, labels, frameon=False, ncols=len(names), loc="lower center", bbox_to_anchor=(0.5, 0.0))
    figure.subplots_adjust(left=0.075, right=0.99, bottom=0.2, top=0.92, wspace=0.06)
    return figure


def _estimates(
    trainings: Trainings, names: list[str], probes: list[_Probe], bootstrap: Bootstrap
) -> dict[_Probe, dict[str, Estimate]]:
    """Of each probe that was measured the estimate of each interpreter; those above zero alone, for the scale."""
    found: dict[_Probe, dict[str, Estimate]] = {}
    for probe, level in probes:
        for name in names:
            cells = trainings.cells(name, probe, level)
            if not cells or any(map(withholding, cells)):
                continue
            estimate = mean_with_interval(cells, "map_l1", bootstrap, succeeded if level is not None else None)
            if estimate.n and estimate.value > 0:
                found.setdefault((probe, level), {})[name] = estimate
    return found


def _draw_panel(axes: Axes, by_probe: dict[_Probe, dict[str, Estimate]], names: list[str]) -> None:
    for index, name in enumerate(names):
        shift = (index - (len(names) - 1) / 2) * 0.62 / max(len(names), 1)
        points = [(x + shift, by[name]) for x, by in enumerate(by_probe.values()) if name in by]
        values = [each.value for _, each in points]
        lows = [each.value - max(each.low, each.value / 20) if np.isfinite(each.low) else 0.0 for _, each in points]
        highs = [each.high - each.value if np.isfinite(each.high) else 0.0 for _, each in points]
        axes.errorbar(
            [x for x, _ in points],
            values,
            np.maximum(0.0, [lows, highs]),
            fmt=marker_of(name),
            color=colour_of(name, index),
            ms=4.2,
            elinewidth=1.2,
            label=interpreter_name(name),
        )
    axes.set_xlim(-0.55, len(by_probe) - 0.45)
    axes.set_xticks(range(len(by_probe)), [probe_name(*probe).replace(" ", "\n", 1) for probe in by_probe])
    axes.tick_params(axis="x", length=0)
    axes.grid(axis="y", color="#e4e4e4", lw=0.5)
    axes.set_axisbelow(True)


def _draw_spreads(all_axes: np.ndarray, trainings: Trainings, names: list[str]) -> None:
    """The mean benign spread of each interpreter over its trainings, across all panels."""
    for index, name in enumerate(names):
        cells = [record for record in trainings.records if record.cell["interpreter"] == name]
        known = {record.cell["seed"]: fact_of(record, "benign_spread") for record in cells}
        spreads = [spread for spread in known.values() if spread]
        for axes in all_axes if spreads else []:
            axes.axhline(float(np.mean(spreads)), color=colour_of(name, index), lw=0.7, ls=(0, (4, 3)), zorder=0.6)
