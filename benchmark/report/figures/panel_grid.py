"""A grid of image panels, laid out in inches: groups of equal squares side by side, lines of text below each group."""

from __future__ import annotations

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from benchmark.report.figures.style import MUTED, WIDTH, map_scale

LEFT, RIGHT, BOTTOM = 0.62, 0.06, 0.5
LINE = 0.125  # inches of a line of text below a row of panels
BLOCK = 0.12  # extra space between blocks of rows
_GAP, _GROUP_GAP, _LARGEST = 0.03, 0.14, 1.0


class PanelGrid:
    """``groups`` groups a row of ``panels`` panels each, ``rows`` rows in ``blocks`` blocks.

    top: inches of headings. lines: of text below each group. left: inches for the names of rows.

    Rows are laid from the top; ``next_row`` and ``next_block`` move down.
    """

    def __init__(
        self, *, groups: int, rows: int, blocks: int, top: float, panels: int = 2, lines: int = 1, left: float = LEFT
    ) -> None:
        space = WIDTH - left - RIGHT - groups * (panels - 1) * _GAP - (groups - 1) * _GROUP_GAP
        self.panels, self.left = panels, left
        self.side = min(space / (panels * groups), _LARGEST)
        self.line = 0.045 + lines * LINE
        self.width = WIDTH - space + panels * groups * self.side
        self.height = top + BOTTOM + rows * (self.side + self.line) + (blocks - 1) * BLOCK
        self.figure = plt.figure(figsize=(self.width, self.height))
        self.y = self.height - top

    def next_row(self) -> None:
        self.y -= self.side + self.line

    def next_block(self) -> None:
        self.y -= BLOCK

    def _left(self, group: int) -> float:
        return self.left + group * (self.panels * self.side + (self.panels - 1) * _GAP + _GROUP_GAP)

    def middle(self, group: int, panel: int | None = None) -> float:
        """Centre, in inches from the left, of a group or of one of its panels."""
        if panel is None:
            return self._left(group) + (self.panels * self.side + (self.panels - 1) * _GAP) / 2
        return self._left(group) + self.side / 2 + panel * (self.side + _GAP)

    def panel(self, group: int, panel: int) -> Axes:
        """Axes of one square in the current row."""
        left, bottom = self._left(group) + panel * (self.side + _GAP), self.y - self.side
        rectangle = (left / self.width, bottom / self.height, self.side / self.width, self.side / self.height)
        return self.figure.add_axes(rectangle)

    def text(self, x: float, y: float, text: str, **options: object) -> None:
        """Text centred at (x, y) inches from the lower left corner."""
        settings: dict[str, object] = {"ha": "center", "va": "center", **options}
        self.figure.text(x / self.width, y / self.height, text, **settings)  # type: ignore[arg-type]

    def below(self, group: int, *lines: str) -> None:
        """The lines under a group of the current row."""
        for place, line in enumerate(lines):
            self.text(self.middle(group), self.y - self.side - 0.08 - place * LINE, line, fontsize=6.5)

    def heading(self, group: int, text: str, panels: tuple[str, ...] = ()) -> None:
        """Title above a group, and words above its panels."""
        self.text(self.middle(group), self.height - 0.13, text, weight="bold")
        for panel, word in enumerate(panels):
            self.text(self.middle(group, panel), self.height - 0.31, word, color=MUTED, fontsize=6.5)

    def row_label(self, text: str) -> None:
        """Left of the current row."""
        self.text(self.left - 0.1, self.y - self.side / 2, text, ha="right", weight="bold")

    def block_label(self, text: str, rows: int) -> None:
        """Upright, left of the ``rows`` rows that start here."""
        middle = self.y - (rows * (self.side + self.line) - self.line) / 2
        self.text(self.left - 0.2, middle, text, rotation=90, weight="bold")

    def remark(self, text: str) -> None:
        """At the lower left."""
        self.text(RIGHT, 0.09, text, ha="left", color=MUTED, fontsize=6.5)

    def scale(self) -> None:
        """The maps' colour scale at the lower right."""
        right = self.width - RIGHT - 0.1  # room for the last tick's number
        map_scale(self.figure, ((right - 1.6) / self.width, 0.3 / self.height, 1.6 / self.width, 0.07 / self.height))
        self.text(right - 1.68, 0.335, "importance", ha="right", color=MUTED)
