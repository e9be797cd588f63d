"""Small charts as SVG, which take their colours from the page: distance against passes, and the frontier of AID."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from benchmark.report.figures.curves import Line
from benchmark.report.figures.frontier import Point
from benchmark.report.labels import interpreter_name

_FIXED = {"rts": 0, "rtsa": 1, "rtsa_anchored": 2}
_COLOURS = 7  # --series-0 ... of the style sheet


def series(name: str, index: int = 0) -> int:
    """The colour of an interpreter: fixed for RTS and its relatives, by place for others."""
    return _FIXED.get(name, 3 + index % (_COLOURS - 3))


@dataclass(frozen=True)
class _Frame:
    """A plot's area and scales; ``log`` for the vertical one."""

    width: int
    height: int
    x: tuple[float, float]
    y: tuple[float, float]
    log: bool = False
    left: int = 46
    right: int = 10
    top: int = 10
    bottom: int = 34

    def across(self, value: float) -> float:
        share = (value - self.x[0]) / (self.x[1] - self.x[0] or 1)
        return self.left + share * (self.width - self.left - self.right)

    def up(self, value: float) -> float:
        low, high = (math.log(end) for end in self.y) if self.log else self.y
        share = ((math.log(value) if self.log else value) - low) / ((high - low) or 1)
        return self.height - self.bottom - share * (self.height - self.top - self.bottom)

    def axes(self, across: Sequence[float], up: Sequence[float], names: tuple[str, str]) -> list[str]:
        """Hairlines, numbers and titles."""
        end, floor = self.width - self.right, self.height - self.bottom
        parts = [f'<line class="axis" x1="{self.left}" x2="{end}" y1="{floor}" y2="{floor}"/>']
        for value in up:
            at = self.up(value)
            parts.append(f'<line class="grid" x1="{self.left}" x2="{end}" y1="{at:.1f}" y2="{at:.1f}"/>')
            parts.append(f'<text x="{self.left - 6}" y="{at + 3.5:.1f}" text-anchor="end">{value:g}</text>')
        for value in across:
            parts.append(f'<text x="{self.across(value):.1f}" y="{floor + 14}" text-anchor="middle">{value:g}</text>')
        middle = (self.left + end) / 2
        parts.append(
            f'<text class="name" x="{middle:.0f}" y="{self.height - 4}" text-anchor="middle">{names[0]}</text>'
        )
        turned = f"rotate(-90 11 {(self.top + floor) / 2:.0f})"
        parts.append(
            f'<text class="name" x="11" y="{(self.top + floor) / 2:.0f}" text-anchor="middle" transform="{turned}">'
            f"{names[1]}</text>"
        )
        return parts


def distance_by_passes(lines: Sequence[Line]) -> str:
    """Map distance against passes, the distance on a logarithmic scale; "" without a line."""
    curves = [(line, *_mean(line)) for line in lines]
    curves = [curve for curve in curves if len(curve[1]) > 1]
    if not curves:
        return ""
    distance = np.concatenate([curve[2] for curve in curves])
    passes = np.concatenate([curve[1] for curve in curves])
    ends = 10 ** math.floor(math.log10(distance.min())), 10 ** math.ceil(math.log10(distance.max()))
    frame = _Frame(440, 250, (0.0, float(passes.max())), ends, log=True)
    decades = [10.0**power for power in range(round(math.log10(ends[0])), round(math.log10(ends[1])) + 1)]
    parts = frame.axes(_ticks(float(passes.max())), decades, ("passes an image", "map L1, mean"))
    classifiers = list(dict.fromkeys(line.classifier for line in lines))
    for place, (line, across, up) in enumerate(curves):
        points = " ".join(f"{frame.across(x):.1f},{frame.up(y):.1f}" for x, y in zip(across, up, strict=True))
        dashes = "" if classifiers.index(line.classifier) == 0 else ' stroke-dasharray="5 3"'
        parts.append(f'<polyline class="s{series(line.interpreter, place)}" points="{points}"{dashes}/>')
    said = "; ".join(f"{interpreter_name(line.interpreter)} from {up[0]:.3f} to {up[-1]:.3f}" for line, _, up in curves)
    return _svg(frame, f"Map distance against passes of adv2_auto: {said}", parts)


def _mean(line: Line) -> tuple[np.ndarray, np.ndarray]:
    shown = np.isfinite(line.map_l1_TP).all(axis=0) & (line.map_l1_TP.mean(axis=0) > 0)
    return line.passes_P[shown], line.map_l1_TP[:, shown].mean(axis=0)


def frontier(points: Sequence[Point]) -> str:
    """Joint success against the cost on benign images: a mark a setting, numbered as in the table."""
    if not points:
        return ""
    reach = max(1.1, *(point.cost for point in points))
    frame = _Frame(640, 320, (min(0.0, *(point.cost for point in points)), reach), (0.0, 1.0))
    names = "cost on benign images (1: a margin of claim 3 is reached)", "joint success"
    parts = frame.axes(_ticks(reach), [0, 0.25, 0.5, 0.75, 1], names)
    margin = frame.across(1.0)
    parts.append(
        f'<line class="margin" x1="{margin:.1f}" x2="{margin:.1f}" y1="{frame.top}" y2="{frame.height - 34}"/>'
    )
    for point in points:
        at, tall = frame.across(point.cost), frame.up(point.joint.value)
        low, high = (frame.up(min(max(end, 0.0), 1.0)) for end in (point.joint.low, point.joint.high))
        label = f"{interpreter_name(point.interpreter)} on {point.classifier}"
        label += f", setting {point.number}" if point.number else ""
        text = f"{label}: joint success {point.joint.value:.3f}, cost {point.cost:.2f}"
        mark = f"s{series(point.interpreter)}" + (" frontier" if point.frontier else "")
        parts.append(
            f'<g class="{mark}"><title>{escape(text)}</title>'
            f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{low:.1f}" y2="{high:.1f}"/>'
            f'<circle cx="{at:.1f}" cy="{tall:.1f}" r="4"/>'
            f'<text x="{at + 6:.1f}" y="{tall - 4:.1f}">{escape(point.number)}</text></g>'
        )
    return _svg(frame, "Joint success against the cost on benign images", parts)


def _ticks(reach: float) -> list[float]:
    """Four or five round numbers from 0."""
    step = 10.0 ** math.floor(math.log10(reach / 4 or 1))
    step *= next(factor for factor in (1, 2, 2.5, 5, 10) if reach / (step * factor) <= 5)
    return [round(step * place, 10) for place in range(int(reach / step + 1e-9) + 1)]


def _svg(frame: _Frame, label: str, parts: Iterable[str]) -> str:
    return (
        f'<svg viewBox="0 0 {frame.width} {frame.height}" role="img" aria-label="{escape(label)}">'
        f"{''.join(parts)}</svg>"
    )
