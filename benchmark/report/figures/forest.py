"""Paired differences with their intervals: a row of panels a claim, a column an objective."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmark.report.claims.rows import ClaimRow
from benchmark.report.cohorts.strongest import STRONGEST
from benchmark.report.figures.style import MUTED, WIDTH, colour_of, marker_of
from benchmark.report.labels import CLAIMS, POPULATIONS, interpreter_name, metric_name, probe_name, short_metric_name
from benchmark.report.statistics import decision_rules

CAPTION = (
    "Paired differences to the equal-budget RTS with 95 % intervals over trainings and sources. Claim 1 holds, and "
    "claim 2's maps move further, where the whole interval is above zero; claim 3 holds where it is inside the grey "
    "margins. Claim 3 has one scale for all objectives, the others one for each. Random sign is the control of plain "
    "sensitivity: noise of the attack's size. Hollow marks: no verdict (fewer than three trainings, too few samples, "
    "or a flagged cell)."
)
METRICS = (
    *("map_l1", "iou_distance", "spearman_distance", "class_excess"),
    *("reference_l1", "object_iou", "deletion", "insertion"),
)
_UNDECIDED = (
    decision_rules.TOO_FEW,
    decision_rules.WITHHELD,
    decision_rules.ONE_TRAINING,
    decision_rules.FEW_TRAININGS,
)
CONTROL = "control"
_PANELS = ("noise", CONTROL, "attack", "harmless")
_SMALL = (CONTROL, "attack")  # panels whose differences take a fourth decimal
_ROW, _HEAD, _FOOT = 0.19, 0.26, 0.28  # inches: a line, and above and below the lines of a panel
_LABELS, _NUMBERS, _GAP = 1.62, 1.36, 0.1  # inches, across
_TOP = 0.3  # inches above all panels


class _Layout:
    """Places of panels in inches, from the top of the figure down; a column an objective."""

    def __init__(self, names: Sequence[str], heights: Sequence[float]) -> None:
        self.height = _TOP + sum(heights) + 0.2
        self.figure = plt.figure(figsize=(WIDTH, self.height))
        self.numbers = _NUMBERS if len(names) <= 2 else 0.0  # room for the numbers beside a panel
        self._column = (WIDTH - _LABELS - 0.05) / len(names)
        self.top = self.height - _TOP

    @property
    def width(self) -> float:
        """Of a panel."""
        return self._column - _GAP - self.numbers

    def left(self, place: int) -> float:
        return _LABELS + place * self._column + _GAP

    def panel(self, place: int, tall: float) -> Axes:
        """Axes of one claim, ``tall`` with what stands above and below its lines."""
        bottom, lines = self.top - tall + _FOOT, tall - _HEAD - _FOOT
        inches = self.left(place) / WIDTH, bottom / self.height, self.width / WIDTH, lines / self.height
        return self.figure.add_axes(inches)

    def text(self, x: float, y: float, text: str, **options: Any) -> None:
        """Text at (x, y) inches from the lower left corner, y its middle."""
        self.figure.text(x / WIDTH, y / self.height, text, va="center", **options)


def forest(rows: Sequence[ClaimRow]) -> Figure | None:
    """The figure; None where nothing was compared."""
    shown = [row for row in rows if _is_drawn(row)]
    panels = [panel for panel in _PANELS if any(_panel_of(row) == panel for row in shown)]
    if not panels:
        return None
    names = list(dict.fromkeys(row.interpreter for row in shown))
    labels = {p: list(dict.fromkeys(_label(row) for row in shown if _panel_of(row) == p)) for p in panels}
    heights = [_HEAD + _ROW * len(labels[panel]) + _FOOT for panel in panels]
    layout = _Layout(names, heights)
    for panel, tall in zip(panels, heights, strict=True):
        own = [row for row in shown if _panel_of(row) == panel]
        layout.text(0.06, layout.top - 0.1, _title(panel), weight="bold")
        for place, name in enumerate(names):
            mine = [row for row in own if row.interpreter == name]
            axes = layout.panel(place, tall)
            limits = _limits(own if panel == "harmless" else mine, panel)
            _draw_panel(axes, mine, labels[panel], limits, place, with_numbers=layout.numbers > 0)
            if place == 0:
                axes.set_yticks(range(len(labels[panel])), labels[panel])
        layout.top -= tall
    for place, name in enumerate(names):
        middle = layout.left(place) + layout.width / 2
        look = {"color": colour_of(name, place), "weight": "bold", "ha": "center"}
        layout.text(middle, layout.height - 0.14, interpreter_name(name), **look)
    layout.text(layout.left(0), 0.1, "difference to the RTS of equal budget, paired", color=MUTED)
    return layout.figure


def _title(panel: str) -> str:
    return "Control" if panel == CONTROL else f"Claim {CLAIMS[panel].number}: {CLAIMS[panel].title}"


def _is_drawn(row: ClaimRow) -> bool:
    """Rows that one figure has room for: the claims' own, the sharper form, and the controls in L1."""
    if row.metric not in METRICS or row.difference is None or row.role in ("premise", "reference", "overall"):
        return False
    if row.claim == "noise":
        return row.metric == "map_l1" and row.population != "right"
    return row.claim == "harmless" or row.metric == "map_l1"


def _panel_of(row: ClaimRow) -> str:
    return CONTROL if row.probe == "sign" else row.claim


def _label(row: ClaimRow) -> str:
    if row.claim == "harmless":
        return metric_name(row.metric)
    steps = " ×10 steps" if row.steps_factor > 1 else ""
    population = f", {POPULATIONS[row.population]}" if row.population in POPULATIONS else ""
    alone = " alone" if row.claim == "attack" and row.probe != STRONGEST else ""
    return f"{probe_name(row.probe, row.level)}{steps}{alone}: {short_metric_name(row.metric)}{population}"


def _limits(rows: Sequence[ClaimRow], panel: str) -> tuple[float, float]:
    """Ends of the horizontal scale: all intervals and zero, and of claim 3 its margins, with some room."""
    ends = [0.0] + [end for row in rows for end in (row.low, row.high, row.difference) if end is not None]
    low, high = min(ends), max(ends)
    if panel == "harmless":
        reach = max(0.075, -low, high)
        return -1.08 * reach, 1.08 * reach
    room = 0.08 * (high - low or 1e-3)
    return low - room, high + room


def _draw_panel(
    axes: Axes,
    rows: Sequence[ClaimRow],
    labels: list[str],
    limits: tuple[float, float],
    place: int,
    *,
    with_numbers: bool,
) -> None:
    for row in rows:
        assert row.difference is not None  # _is_drawn leaves the others out
        line, colour = labels.index(_label(row)), colour_of(row.interpreter, place)
        face = "white" if row.verdict in _UNDECIDED else colour
        if row.claim == "harmless":
            low, high = (min(max(end, limits[0]), limits[1]) for end in decision_rules.MARGINS[row.metric])
            axes.fill_betweenx([line - 0.42, line + 0.42], low, high, color="#e4e4e4", lw=0, zorder=0)
        if row.low is not None and row.high is not None:
            axes.plot([row.low, row.high], [line, line], color=colour, lw=1.3, solid_capstyle="butt")
        axes.plot([row.difference], [line], marker_of(row.interpreter), ms=3.8, mfc=face, mec=colour, mew=0.9)
        if with_numbers:
            axes.annotate(
                _in_numbers(row),
                (1, line),
                (4, 0),
                ("axes fraction", "data"),
                "offset points",
                va="center",
                fontsize=6.0,
            )
    axes.axvline(0, color="black", lw=0.7, zorder=0.5)
    axes.set_xlim(*limits)
    axes.set_ylim(len(labels) - 0.5, -0.5)
    axes.set_yticks([])
    axes.locator_params(axis="x", nbins=3)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.4g}".replace("-", "−"))
    axes.tick_params(axis="both", length=2)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)


def _in_numbers(row: ClaimRow) -> str:
    """'+0.0007 [−0.0002, 0.0015]': the small ones of attacks at four decimals, so that their sign is seen."""
    decimals = 4 if _panel_of(row) in _SMALL else 3
    ends = "" if row.low is None or row.high is None else f" [{row.low:.{decimals}f}, {row.high:.{decimals}f}]"
    return f"{row.difference:+.{decimals}f}{ends}".replace("-", "−")
