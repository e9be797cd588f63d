"""A grid of image panels, laid out in inches: pairs of equal squares side by side, a line of text below each pair."""

from __future__ import annotations

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from benchmark.report.figures.style import MUTED, WIDTH, map_scale

LEFT, RIGHT, BOTTOM = 0.62, 0.06, 0.46
LINE = 0.17  # text below a row of panels
BLOCK = 0.14  # extra space between blocks of rows
_GAP, _PAIR_GAP, _LARGEST = 0.03, 0.14, 1.0


class PanelGrid:
    """``pairs`` pairs a row, ``rows`` rows in ``blocks`` blocks, ``top`` inches of headings.

    Rows are laid from the top; ``next_row`` and ``next_block`` move down.
    """

    def __init__(self, *, pairs: int, rows: int, blocks: int, top: float) -> None:
        space = WIDTH - LEFT - RIGHT - pairs * _GAP - (pairs - 1) * _PAIR_GAP
        self.side = min(space / (2 * pairs), _LARGEST)
        self.width = WIDTH - space + 2 * pairs * self.side
        self.height = top + BOTTOM + rows * (self.side + LINE) + (blocks - 1) * BLOCK
        self.figure = plt.figure(figsize=(self.width, self.height))
        self.y = self.height - top

    def next_row(self) -> None:
        self.y -= self.side + LINE

    def next_block(self) -> None:
        self.y -= BLOCK

    def _left(self, pair: int) -> float:
        return LEFT + pair * (2 * self.side + _GAP + _PAIR_GAP)

    def middle(self, pair: int, half: int | None = None) -> float:
        """Centre, in inches from the left, of a pair or of one of its halves."""
        if half is None:
            return self._left(pair) + self.side + _GAP / 2
        return self._left(pair) + self.side / 2 + half * (self.side + _GAP)

    def panel(self, pair: int, half: int) -> Axes:
        """Axes of one square in the current row."""
        left, bottom = self._left(pair) + half * (self.side + _GAP), self.y - self.side
        rectangle = (left / self.width, bottom / self.height, self.side / self.width, self.side / self.height)
        return self.figure.add_axes(rectangle)

    def text(self, x: float, y: float, text: str, **options: object) -> None:
        """Text centred at (x, y) inches from the lower left corner."""
        settings: dict[str, object] = {"ha": "center", "va": "center", **options}
        self.figure.text(x / self.width, y / self.height, text, **settings)  # type: ignore[arg-type]

    def below(self, pair: int, text: str) -> None:
        """The line under a pair of the current row."""
        self.text(self.middle(pair), self.y - self.side - 0.075, text, fontsize=7)

    def heading(self, pair: int, text: str, halves: tuple[str, str] | None = None) -> None:
        """Title above a pair, and words above its halves."""
        self.text(self.middle(pair), self.height - 0.13, text, weight="bold")
        for half, word in enumerate(halves or ()):
            self.text(self.middle(pair, half), self.height - 0.31, word, color=MUTED)

    def row_label(self, text: str) -> None:
        """Left of the current row."""
        self.text(LEFT - 0.1, self.y - self.side / 2, text, ha="right", weight="bold")

    def block_label(self, text: str, rows: int) -> None:
        """Upright, left of the ``rows`` rows that start here."""
        middle = self.y - (rows * (self.side + LINE) - LINE) / 2
        self.text(LEFT - 0.2, middle, text, rotation=90, weight="bold")

    def remark(self, text: str) -> None:
        """At the lower left."""
        self.text(RIGHT, 0.09, text, ha="left", color=MUTED, fontsize=7)

    def scale(self) -> None:
        """The maps' colour scale at the lower right."""
        right = self.width - RIGHT - 0.1  # room for the last tick's number
        map_scale(self.figure, ((right - 1.6) / self.width, 0.28 / self.height, 1.6 / self.width, 0.07 / self.height))
        self.text(right - 1.68, 0.315, "importance", ha="right", color=MUTED)
