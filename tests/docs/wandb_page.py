"""Writes the tables of docs/wandb.md and its picture from what runs log: ``python -m tests.docs.wandb_page``."""

from __future__ import annotations

import re

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.patches import FancyBboxPatch

from benchmark.storage.columns import COLUMNS
from benchmark.tracking.dashboard.layout import LAYOUT, Panel, Section
from benchmark.tracking.run_config import CONFIG_KEYS
from benchmark.tracking.run_summary import POPULATIONS
from tests.helpers import PROJECT

PAGE = PROJECT / "docs" / "wandb.md"
PICTURE = PROJECT / "docs" / "figures" / "dashboard.svg"
BLOCK = re.compile(r"<!-- runs: (\w+) -->\n.*?<!-- end -->", re.S)

SHAPES = {"bars": "bars", "lines": "lines", "scatter": "scatter", "coordinates": "parallel axes"}
SHAPES |= {"table": "table", "media": "pictures"}
_COLOURS = {"bars": "#0072B2", "lines": "#D55E00", "scatter": "#009E73", "coordinates": "#CC79A7"}
_COLOURS |= {"table": "#E69F00", "media": "#56B4E9"}


def config_table() -> str:
    return _table(("key", "what it is"), [(f"`{name}`", what) for name, what in CONFIG_KEYS.items()])


def summary_table() -> str:
    rows = [
        (f"`{column.summary_name}`", f"{column.when}", column.label or column.name)
        for column in COLUMNS
        if column.summarised
    ]
    rows.append(
        ("`joint_success_rate`", "attacks that reach for a class", "the class is reached and the map looks benign")
    )
    return _table(("key", "in", "mean or rate of"), rows)


def population_table() -> str:
    return _table(("population", "what it is"), [(f"`{name}`", what) for name, what in POPULATIONS.items()])


def panel_table() -> str:
    rows = []
    for section in LAYOUT:
        for panel in section.panels:
            keys = ", ".join(f"`{key}`" for key in (*panel.settings, *panel.keys))
            rows.append(
                (section.title, panel.title, SHAPES[panel.kind], keys + (f" against `{panel.x}`" * bool(panel.x)))
            )
    return _table(("section", "panel", "drawn as", "keys"), rows)


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


BLOCKS = {"config": config_table, "summary": summary_table, "populations": population_table, "panels": panel_table}


def rewritten(text: str) -> str:
    """The page with every table made anew."""
    return BLOCK.sub(lambda found: f"<!-- runs: {found[1]} -->\n{BLOCKS[found[1]]()}\n<!-- end -->", text)


def draw() -> None:
    """The layout as a picture: a strip for each section, a box for each panel."""
    rows = sum(-(-len(section.panels) // 2) for section in LAYOUT)
    figure, axes = plt.subplots(figsize=(7.2, 0.42 * rows + 0.36 * len(LAYOUT)))
    axes.set_xlim(0, 2)
    axes.axis("off")
    top = 0.0
    for section in LAYOUT:
        top = _strip(axes, section, top)
    axes.set_ylim(top, 0.1)
    figure.subplots_adjust(left=0.01, right=0.99, bottom=0.01, top=0.99)
    figure.savefig(PICTURE, metadata={"Date": None})
    plt.close(figure)


def _strip(axes: plt.Axes, section: Section, top: float) -> float:
    """Draws one section below ``top`` and returns where it ends."""
    kinds = ", ".join(section.only["kind"])
    axes.text(0.01, top - 0.55, section.title, fontsize=9, weight="bold")
    axes.text(1.99, top - 0.55, f"runs: {kinds}", fontsize=7, ha="right", color="#5f5f5f")
    top -= 0.7
    for index, panel in enumerate(section.panels):
        wide = panel.kind in ("table", "media")
        column, row = (0, index) if wide else (index % 2, index // 2)
        left, bottom = column + 0.01, top - row - 0.94
        colour = _COLOURS[panel.kind]
        box = FancyBboxPatch(
            (left, bottom),
            (2 if wide else 1) - 0.03,
            0.86,
            boxstyle="round,pad=0,rounding_size=0.03",
            fc="white",
            ec=colour,
        )
        axes.add_patch(box)
        axes.text(left + 0.02, bottom + 0.54, panel.title, fontsize=7.5)
        axes.text(left + 0.02, bottom + 0.16, _keys(panel), fontsize=5.5, color="#5f5f5f", family="monospace")
        shape = SHAPES[panel.kind]
        axes.text(left + (1.94 if wide else 0.94), bottom + 0.54, shape, fontsize=6.5, ha="right", color=colour)
    heights = len(section.panels) if section.panels[0].kind == "table" else -(-len(section.panels) // 2)
    return top - heights - 0.1


def _keys(panel: Panel) -> str:
    """The keys of a panel on one line; of an interval its mean."""
    ends = panel.keys[0].endswith("/low")
    words = f"{panel.keys[1]} between low and high" if ends else ", ".join(panel.keys)
    return f"{words} against {panel.x}" if panel.x else words


def main() -> None:
    with plt.rc_context({"svg.fonttype": "none", "svg.hashsalt": "underfire", "font.family": "DejaVu Sans"}):
        draw()
    PAGE.write_text(rewritten(PAGE.read_text()))


if __name__ == "__main__":
    main()
