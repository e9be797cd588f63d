"""Joint success against what it costs on benign images, a point a setting, and the frontier of each classifier."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from benchmark.report.figures.style import MUTED, WIDTH, colour_of, marker_of
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
                label=None if point.interpreter in named else point.interpreter,
            )
            named.add(point.interpreter)
            axes.annotate(
                point.number, (point.cost, point.joint.value), xytext=(3, 3), textcoords="offset points", fontsize=6
            )
        axes.set_title(classifier)
        axes.set_xlabel("cost on benign images")
        axes.legend(frameon=False)
    panels[0][0].set_ylabel("joint success")
    panels[0][0].set_ylim(-0.02, 1.02)
    return figure
