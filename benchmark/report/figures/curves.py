"""Map distance against passes: how far an attack comes with how much work, for every interpreter and classifier."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from benchmark.report.cohorts.strongest import AUTOMATIC
from benchmark.report.cohorts.trainings import Trainings
from benchmark.report.figures.style import colour_of
from benchmark.report.labels import interpreter_name
from benchmark.report.tables.formats import Entry, Table

WHOLE = "all"  # the member that stands for the whole attack
CAPTION = (
    "Mean L1 between the maps of the input and of the adversarial input, over the images whose class is reached by "
    "then, against the passes of the network for an image, forward and backward. Lines: mean over trainings; bands: "
    "from the lowest to the highest training. The scale of distances is logarithmic."
)
_STYLES = ("-", "--", ":", "-.")
_POINTS = 8  # rows of the table for a line


@dataclass(frozen=True)
class Line:
    """One interpreter of one classifier: columns are passes (P,), rows trainings (T, P)."""

    interpreter: str
    classifier: str
    passes_P: np.ndarray
    map_l1_TP: np.ndarray
    success_TP: np.ndarray


def lines_of(groups: Sequence[Trainings]) -> list[Line]:
    """A line for each interpreter of each group whose records keep curves."""
    found = []
    for group in groups:
        for name in group.interpreters:
            curves = [_whole(record.curves) for record in group.cells(name, AUTOMATIC) if record.curves is not None]
            curves = [curve for curve in curves if len(curve)]
            if curves:
                passes = sorted(set.intersection(*(set(curve.index) for curve in curves)))
                distance, success = (
                    np.stack([curve.loc[passes, column].to_numpy(float) for curve in curves])
                    for column in ("map_l1", "success_rate")
                )
                found.append(Line(name, str(group.key.classifier), np.array(passes, float), distance, success))
    return found


def _whole(curves: pd.DataFrame) -> pd.DataFrame:
    return curves[curves["member"] == WHOLE].set_index("passes").sort_index()


def draw(lines: Sequence[Line]) -> Figure | None:
    """The figure, of the size of half a page; None without a line."""
    if not lines:
        return None
    figure, axes = plt.subplots(figsize=(4.4, 2.9))
    classifiers = list(dict.fromkeys(line.classifier for line in lines))
    names = list(dict.fromkeys(line.interpreter for line in lines))
    for line in lines:
        colour = colour_of(line.interpreter, names.index(line.interpreter))
        style = _STYLES[classifiers.index(line.classifier) % len(_STYLES)]
        shown = np.isfinite(line.map_l1_TP).all(axis=0)
        shown &= (line.map_l1_TP > 0).all(axis=0)  # what the scale can show
        passes, distance = line.passes_P[shown], line.map_l1_TP[:, shown]
        label = interpreter_name(line.interpreter) + (f", {line.classifier}" if len(classifiers) > 1 else "")
        axes.plot(passes, distance.mean(axis=0), style, color=colour, lw=1.3, label=label)
        axes.fill_between(passes, distance.min(axis=0), distance.max(axis=0), color=colour, alpha=0.15, lw=0)
    axes.set_xlabel("passes an image")
    axes.set_ylabel("map L1, input to adversarial input")
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.grid(axis="y", color="#e4e4e4", lw=0.5)
    columns = len(classifiers) if len(lines) > 4 else 1
    figure.legend(frameon=False, loc="lower center", ncols=columns if columns > 1 else len(lines), fontsize=6.5)
    rows = len(names) if columns > 1 else 1
    figure.subplots_adjust(left=0.14, right=0.985, bottom=(0.46 + 0.13 * rows) / 2.9, top=0.97)
    return figure


def curve_table(lines: Sequence[Line]) -> Table:
    """The same as numbers, at some of the passes."""
    rows: list[list[Entry]] = []
    for line in lines:
        for at in np.unique(np.linspace(0, len(line.passes_P) - 1, _POINTS).round().astype(int)):
            distance, success = line.map_l1_TP[:, at], line.success_TP[:, at]
            ends = [float(distance.min()), float(distance.max())]
            means = [float(success.mean()), float(distance.mean())]
            rows.append([line.classifier, line.interpreter, int(line.passes_P[at]), *means, *ends, len(distance)])
    columns = ["classifier", "interpreter", "passes", "success", "map L1", "lowest", "highest", "trainings"]
    return Table("curves", f"Distance against passes, {AUTOMATIC}. {CAPTION}", columns, rows)
