"""Joint success against what it costs on benign images, a point a setting, and the frontier of each classifier."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmark.report.figures.style import MUTED, WIDTH, colour_of, marker_of
from benchmark.report.labels import interpreter_name
from benchmark.report.statistics.bootstrap import Estimate

CAPTION = (
    "Joint success under the strongest attack against the cost on benign images (1: a margin of claim 3 is reached). "
    "A number is a row of the table; whiskers are 95 % intervals; a line joins what no other setting beats in both."
)


@dataclass(frozen=True)
class Point:
    """One setting: its number in the table, classifier, interpreter, cost and joint success."""

    number: str
    classifier: str
    interpreter: str
    cost: float
    joint: Estimate
    frontier: bool


def draw(points: Sequence[Point]) -> Figure:
    """One panel a classifier, with common axes."""
    classifiers = sorted({point.classifier for point in points})
    figure, panels = plt.subplots(
        1, len(classifiers), figsize=(WIDTH, 3.2), sharex=True, sharey=True, squeeze=False, layout="constrained"
    )
    for axes, classifier in zip(panels[0], classifiers, strict=True):
        own = [point for point in points if point.classifier == classifier]
        axes.axvline(1.0, color=MUTED, linewidth=0.6, linestyle="--")
        best = sorted((point.cost, point.joint.value) for point in own if point.frontier)
        axes.plot(*zip(*best, strict=True) if best else ([], []), color=MUTED, linewidth=0.6)
        named: set[str] = set()
        for point in own:
            whiskers = [[point.joint.value - point.joint.low], [point.joint.high - point.joint.value]]
            axes.errorbar(
                point.cost,
                point.joint.value,
                yerr=whiskers,
                color=colour_of(point.interpreter),
                marker=marker_of(point.interpreter),
                markersize=3.5,
                linewidth=0.6,
                linestyle="none",
                label=None if point.interpreter in named else interpreter_name(point.interpreter),
            )
            named.add(point.interpreter)
        for point, offset in zip(own, _offsets(own), strict=True):
            place = (point.cost, point.joint.value)
            axes.annotate(point.number, place, xytext=offset, textcoords="offset points", fontsize=6)
        axes.set_title(classifier)
        axes.set_xlabel("cost on benign images, in margins of claim 3")
    figure.legend(*_handles(panels[0]), frameon=False, ncols=4, loc="outside lower center")
    panels[0][0].set_ylabel("joint success, share of images")
    panels[0][0].set_ylim(-0.02, 1.02)
    return figure


def _handles(panels: Sequence[Axes]) -> tuple[list[Any], list[str]]:
    """A mark for each interpreter, whichever panels it occurs in."""
    found = {label: handle for axes in panels for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)}
    return list(found.values()), list(found)


def _offsets(points: Sequence[Point]) -> list[tuple[int, int]]:
    """Where the number of each point stands, in typographic points from it: one of several places that no other number
    near it has taken, so that they can be told apart."""
    taken: list[tuple[float, float]] = []
    offsets = []
    for point in points:
        at = point.cost / 2.4 * 230, point.joint.value * 170  # about where it lies in a panel
        places = [(3, 3), (3, -9), (-9, 3), (-9, -9), (3, 10), (-9, 10), (3, -16)]
        free = [p for p in places if all(abs(at[0] + p[0] - x) > 8 or abs(at[1] + p[1] - y) > 6 for x, y in taken)]
        offsets.append((free or places)[0])
        taken.append((at[0] + offsets[-1][0], at[1] + offsets[-1][1]))
    return offsets
