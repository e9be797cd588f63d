"""Draws a picture of every interpreter, probe and measure for the site: ``python -m tests.docs.pictures [RESULTS]``.

RESULTS are those of ``make bench`` (results), for RTS and its relatives. The other cells are computed below
outputs/pictures; the same command goes on.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from benchmark.report.figures.kept import kept_ids, kept_rows, masks_of
from benchmark.report.figures.panels import ExampleImages, kept_examples, representative
from benchmark.report.figures.style import gain_of, show_difference, show_image, show_overlay, styled
from benchmark.storage.columns import COLUMNS
from benchmark.storage.records import Record
from benchmark.storage.schema import Column
from tests.docs.picture_cells import INTERPRETER, NO_PICTURE, compute, of_bench
from tests.docs.site_pages import Option, options
from tests.helpers import PROJECT

FOLDER = PROJECT / "docs" / "figures" / "parts"
SAMPLES = 6  # of an interpreter's picture
COLOURS = 64  # of a picture, which has few
# Of several cells that have a measure, the first in which it differs from sample to sample.
ORDER = ("pgd", "adv2_auto", "adv2_shape", "normal_30")
Masks = dict[int, np.ndarray]


def write(figure: Figure, name: str) -> None:
    """A small PNG."""
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=100)
    plt.close(figure)
    with Image.open(buffer) as picture:
        few = picture.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    few.save(FOLDER / f"{name}.png", optimize=True)


def panels(rows: int, columns: int, height: float) -> tuple[Figure, np.ndarray]:
    figure, axes = plt.subplots(rows, columns, figsize=(7.2, height), squeeze=False, layout="constrained")
    return figure, axes


def interpreter_picture(record: Record, masks: Masks, ids: Sequence[int]) -> Figure:
    """Above the inputs with the outlines of their objects, below the maps of the predicted class over them."""
    images, maps = (kept_rows(record, name, ids)["benign"] for name in ("images", "maps"))
    figure, axes = panels(2, len(ids), 2.6)
    for column, sample in enumerate(ids):
        row = record.samples.set_index("sample_id").loc[sample]
        show_image(axes[0, column], images[column], masks.get(sample))
        show_overlay(axes[1, column], images[column], maps[column])
        axes[0, column].set_title(f"class {int(row['pred_benign'])}")
    return figure


def probe_picture(record: Record) -> Figure:
    """One sample that stands for the cell: input, perturbed, difference, and the maps of both."""
    ids = representative([record], 1) or kept_ids(record)[:1]
    (example,) = kept_examples(record, ids).values()
    gain = gain_of(example.probed.astype(np.int32) - example.benign)
    figure, axes = panels(1, 5, 1.75)
    for place, title in enumerate(("input", "perturbed", f"difference × {gain}", "benign map", "its map")):
        axes[0, place].set_title(title)
    show_image(axes[0, 0], example.benign)
    show_image(axes[0, 1], example.probed)
    show_difference(axes[0, 2], example.benign, example.probed, gain)
    show_overlay(axes[0, 3], example.benign, example.map_benign)
    show_overlay(axes[0, 4], example.probed, example.map_probed)
    axes[0, 1].set_xlabel(f"class {example.change}")
    axes[0, 4].set_xlabel(f"map {example.distance}")
    return figure


def measure_picture(column: Column, record: Record) -> Figure:
    """The values of the samples, and what it says of the lowest, the middle and the highest."""
    table = record.samples[record.samples["sample_id"].isin(kept_ids(record))]
    value = table.set_index("sample_id")[column.name].astype(float).dropna().sort_values(kind="stable")
    chosen = list(dict.fromkeys(int(value.index[place]) for place in (0, len(value) // 2, len(value) - 1)))
    figure = plt.figure(figsize=(7.2, 1.6), layout="constrained")
    axes = figure.subplots(1, 7, width_ratios=[1.6, 1, 1, 1, 1, 1, 1])
    axes[0].hist(value, bins=12, color="#0072B2")
    axes[0].set(yticks=[], xlabel=f"value of {len(value)} samples")
    axes[0].spines["left"].set_visible(False)
    for each in axes[1:]:
        each.axis("off")
    masks = masks_of([record], chosen)
    for place, sample in enumerate(chosen):
        left, right = axes[1 + 2 * place : 3 + 2 * place]
        left.axis("on")
        right.axis("on")
        _pair(left, right, record, sample, masks.get(sample))
        left.set_title(f"{value[sample]:.3g}", loc="left", fontweight="bold")
    return figure


def _pair(left: Axes, right: Axes, record: Record, sample: int, mask: np.ndarray | None) -> None:
    """The benign map and that under the probe; of a clean cell the input and its map, with the object's outline."""
    if record.cell["probe"] == "clean":
        image, chart = (kept_rows(record, name, [sample])["benign"][0] for name in ("images", "maps"))
        show_image(left, image, mask)
        show_overlay(right, image, chart, mask)
        return
    example: ExampleImages = kept_examples(record, [sample])[sample]
    show_overlay(left, example.benign, example.map_benign)
    show_overlay(right, example.probed, example.map_probed)


def cell_with(column: Column, records: Sequence[Record]) -> Record | None:
    """The cell that shows a measure best: see ``ORDER``; None where no cell has it."""
    place = {name: number for number, name in enumerate(ORDER)}
    ours = [record for record in records if record.cell["interpreter"] in (INTERPRETER, "rtsa")]
    ordered = sorted(ours, key=lambda each: (place.get(each.cell["probe"], len(ORDER)), each.cell["interpreter"]))
    having = [each for each in ordered if column.name in each.samples and each.samples[column.name].notna().any()]
    varied = [each for each in having if each.samples[column.name].nunique() > 1]
    return next(iter(varied or having), None)


def cell_of(option: Option, records: Sequence[Record]) -> Record:
    """The cell that was made with an option of conf/probe, by its own name, level and steps."""
    wanted = (option.config["name"], option.config.get("level"), option.config.get("steps_factor") or 1)
    for record in records:
        if (record.cell["probe"], record.cell["level"], record.cell["steps_factor"] or 1) == wanted:
            return record
    raise LookupError(f"no cell was made with probe={option.name}")


def examples(record: Record) -> list[int]:
    """The first kept samples of a clean cell, each of another class."""
    label = record.samples.set_index("sample_id")["label"]
    first = {int(label[sample]): sample for sample in reversed(kept_ids(record))}
    return sorted(first.values())[:SAMPLES]


def main() -> None:
    bench = of_bench(Path(sys.argv[1] if len(sys.argv) > 1 else "results"))
    records = [*compute(PROJECT / "outputs" / "pictures"), *bench]
    clean = {record.cell["interpreter"]: record for record in records if record.cell["probe"] == "clean"}
    FOLDER.mkdir(parents=True, exist_ok=True)
    with styled():
        for name, record in clean.items():
            shown = examples(record)
            masks = masks_of([record, clean[INTERPRETER]], shown)
            write(interpreter_picture(record, masks, shown), f"interpreter_{name}")
        for option in options("probe"):
            if option.name not in NO_PICTURE:
                write(probe_picture(cell_of(option, records)), f"probe_{option.name}")
        for column in COLUMNS:
            if column.label and (found := cell_with(column, records)) is not None:
                write(measure_picture(column, found), f"measure_{column.name}")


if __name__ == "__main__":
    main()
