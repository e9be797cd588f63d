"""docs/records.md, made from the schema: what a record holds, for people who read records with their own tools."""

from __future__ import annotations

from collections.abc import Iterable

from benchmark.storage import paths
from benchmark.storage.cell_fields import FACTS, FIELDS
from benchmark.storage.columns import COLUMNS
from benchmark.storage.flags import BEATEN_BY_TRANSFER, FLAGS
from benchmark.storage.schema import CellField, Column, When

_INTRODUCTION = f"""# Records

A record is the folder `results/<name>/` of one cell. It has up to five files:

| file | content |
| --- | --- |
| `{paths.CELL}` | what the cell is, what it was computed with, and the checksums of the other files; written last |
| `{paths.SAMPLES}` | a row per sample in order of `sample_id`, with the columns below |
| `{paths.CURVES}` | of attacks that keep curves (`adv2_auto`): for every `member`, `all` for the whole attack, and \
every number of `passes` of an image, a member's own, the `success_rate` by then, the mean `map_l1` of the nearest \
successes so far, and of how many samples `n` |
| `{paths.IMAGES}.safetensors` | `benign` and, with a probe, `probed`: the first `measure.keep` inputs and perturbed \
inputs, uint8 (N, 3, H, W); without a probe also `mask`, uint8 (N, H, W), 1 on the object or in its boxes, where the \
data have any; `sample_id` int64 (N,) |
| `{paths.MAPS}.safetensors` | `benign` and, with a probe, `probed`: their maps, float16 (N, h, w); `sample_id` \
int64 (N,) |

A cell without samples has no images and maps, and a failed cell has `{paths.CELL}` alone.

```python
from benchmark.storage.records import read_records

for record in read_records("results", interpreter="rts", probe="pgd"):
    print(record.cell["name"], record.samples["map_l1"].mean(), record.maps["probed"].shape)
```
"""

_COLUMNS = f"""## Columns of `{paths.SAMPLES}`

x is the input, x' the perturbed input, f(x) the class that the classifier predicts, and m(x, c) the interpreter's map
of x for class c. Maps and images have values in [0, 1]. A record is checked against these tables before it is written.
"""

_FLAGS = f"""### Flags

A cell with a flag that withholds is no evidence of robustness: reports mark it, give no verdict on it, and choose
nothing by it. The other flags are caveats: they stand beside the verdict, which a stronger attack may change.
`{BEATEN_BY_TRANSFER}` takes two cells to see: no record has it, the report raises it and names the cells.
"""

_SUMMARY = """## Summary

These numbers stand for a record: `objective=` names one of them, and a run in W&B shows all. They are `n_samples`,
`seconds`, `fact/<name>` for every fact that is a number, and over all samples the means and rates
"""


def records_page() -> str:
    """The whole page."""
    parts = [
        _INTRODUCTION,
        _COLUMNS,
        columns_markdown(),
        f"## Fields of `{paths.CELL}`\n",
        fields_markdown(FIELDS),
        "### Facts\n",
        fields_markdown(FACTS),
        _FLAGS,
        _table(
            ("flag", "what was found", "verdict"),
            ((f"`{flag.name}`", flag.sentence, "withheld" if flag.withholds else "with a caveat") for flag in FLAGS),
        ),
        _SUMMARY + ", ".join(f"`{column.summary_name}`" for column in COLUMNS if column.summarised) + ".\n",
    ]
    return "\n".join(parts)


def columns_markdown(columns: Iterable[Column] = COLUMNS) -> str:
    """A table of columns for each kind of cell."""
    by_when: dict[When, list[Column]] = {}
    for column in columns:
        by_when.setdefault(column.when, []).append(column)
    parts = []
    for when, group in by_when.items():
        header = ("column", "in print", "type", "unit", "range", "larger is", "what it is", "computed by")
        parts.append(f"### In {when}\n\n{_table(header, map(_column_row, group))}")
    return "\n".join(parts)


def fields_markdown(fields: Iterable[CellField]) -> str:
    """A table of fields of cell.json."""
    rows = ((f"`{field.name}`", field.type, field.description, field.when) for field in fields)
    return _table(("field", "type", "what it is", "in"), rows)


def _column_row(column: Column) -> tuple[str, ...]:
    low, high = (f"{bound:g}".replace("inf", "∞") for bound in column.range)
    interval = f"[{low}, {high}{')' if high == '∞' else ']'}"
    null = f"; NaN where {column.null}" if column.null else ""
    numbers = (column.dtype, column.unit, interval, column.direction or "")
    return (f"`{column.name}`", column.label, *numbers, column.description + null, f"`{column.source}`")


def _table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [header, ("---",) * len(header), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)
