"""Which samples the page shows: those of Figures 15 and 16 at full size, and a gallery of small ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmark.report.cohorts.cohort import Cohort
from benchmark.report.cohorts.trainings import Trainings
from benchmark.report.figures import attack_examples, noise_examples
from benchmark.report.figures.kept import kept_ids, masks_of
from benchmark.report.figures.panels import interpreters_to_draw, median_distance, representative
from benchmark.report.labels import interpreter_name, probe_name
from benchmark.report.web.cell_index import CellIndex
from benchmark.report.web.sheets import Originals, Sheet, cell_sheet

if TYPE_CHECKING:
    from benchmark.storage.records import Record

SAMPLES = 4  # of a figure, for each row of probes
SIDES = (320, 224, 160, 112, 80, 56)  # pixels of a figure's tiles, the largest that the page has room for
THUMBNAIL, SMALLER = 64, 40  # pixels; the smaller where a page has many samples
GALLERY = 10_000  # samples of the gallery, over all cells
PER_CELL = 48
ROOM_FIGURES, ROOM_GALLERY = 4_000_000, 13_000_000  # characters of the page
_FACTS = (
    *("sample_id", "label", "pred_benign", "pred_probe", "goal", "success", "looks_benign", "map_l1", "map_iou"),
    *("confidence_benign", "confidence_probe"),
)


class Pictures:
    """All sheets of a page and what the script must know of them. Objects are outlined by the masks that clean cells
    kept."""

    def __init__(self, index: CellIndex, records: Sequence[Record] = ()) -> None:
        self.index = index
        self._clean = [record for record in records if record.cell["probe"] == "clean"]
        self._masks: dict[tuple[Any, ...], dict[int, np.ndarray]] = {}
        self.originals = Originals()
        self.sheets: list[Sheet] = []
        self.described: list[dict[str, Any]] = []

    def masks(self, record: Record) -> dict[int, np.ndarray]:
        """Masks of the data of a cell, by sample id."""
        key = _task(record)
        if key not in self._masks:
            found: dict[int, np.ndarray] = {}
            for clean in (each for each in self._clean if _task(each) == key):
                missing = [i for i in kept_ids(clean) if i not in found]
                found |= masks_of([clean], missing) if missing else {}
            self._masks[key] = found
        return self._masks[key]

    def add(self, record: Record, sheet: Sheet) -> int:
        """The number of the sheet on the page."""
        self.sheets.append(sheet)
        self.described.append(
            {
                "cell": self.index.number(record),
                "gain": sheet.gain,
                "size": sheet.size,
                "map": sheet.map_size,
                "rows": _facts(record, sheet),
            }
        )
        return len(self.sheets) - 1


def _task(record: Record) -> tuple[Any, ...]:
    """Cells that agree in it show the same images under the same ids."""
    data = (record.cell.get("config") or {}).get("data") or {}
    return (*(record.cell.get(name) for name in ("data", "data_seed", "split")), data.get("image_size"))


def _facts(record: Record, sheet: Sheet) -> list[list[Any]]:
    """[number of the benign input, whether either map is empty, *_FACTS] of every tile."""
    table = record.samples.set_index("sample_id", drop=False)
    rows = []
    for sample, original, empty in zip(sheet.sample_ids, sheet.originals, sheet.empty, strict=True):
        own = table.loc[sample]
        rows.append([original, empty, *(_plain(own.get(name)) for name in _FACTS)])
    return rows


def _plain(value: Any) -> int | float | None:
    if value is None or not np.isfinite(value):
        return None
    return int(value) if float(value).is_integer() else float(f"{float(value):.4g}")


def figures(sections: Sequence[Trainings], pictures: Pictures) -> list[list[dict[str, Any]]]:
    """Of each setting its Figures 15 and 16, from the first training: rows of probes, columns of interpreters."""
    plans = [_plan(trainings.cohorts[0]) for trainings in sections]
    found = [
        (record, ids) for plan in plans for figure in plan for *_, ids, records in figure["rows"] for record in records
    ]
    side = _side(found)
    made: dict[tuple[int, tuple[int, ...]], int | None] = {}

    def sheet_of(record: Record | None, ids: Sequence[int]) -> int | None:
        if record is None:
            return None
        key = (id(record), tuple(ids))
        if key not in made:
            sheet = cell_sheet(record, ids, side, pictures.originals, masks=pictures.masks(record))
            made[key] = None if sheet is None else pictures.add(record, sheet)
        return made[key]

    return [
        [
            {
                "id": figure["id"],
                "title": figure["title"],
                "caption": figure["caption"],
                "columns": [interpreter_name(name) for name in figure["names"]],
                "rows": [
                    {
                        "label": label,
                        "n": len(ids),
                        "sheets": [sheet_of(record, ids) for record in records],
                        "medians": [None if record is None else _plain(median_distance(record)) for record in records],
                    }
                    for label, ids, records in figure["rows"]
                ],
            }
            for figure in plan
            if figure["rows"]
        ]
        for plan in plans
    ]


def _plan(cohort: Cohort) -> list[dict[str, Any]]:
    """Figures with (label, sample ids, a record a column or None) as rows; a row without samples is left out."""
    names = interpreters_to_draw(cohort.records)
    attacks = [(attack, None) for attack in attack_examples.ATTACKS]
    attacked = [(probe_name(probe), [cohort.find(name, probe) for name in names]) for probe, _ in attacks]
    present = [record for _, records in attacked for record in records if record is not None]
    shared = representative([record for record in present if kept_ids(record)], SAMPLES)
    noisy = [
        (probe_name(probe, level), [cohort.find(name, probe, level) for name in names])
        for probe, level in cohort.noises
    ]
    return [
        {
            "id": "figure_15",
            "title": "Figure 15: misclassified under noise",
            "caption": noise_examples.CHOICE,
            "names": names,
            "rows": [
                (label, ids, records)
                for label, records in noisy
                if (ids := representative([r for r in records if r is not None and kept_ids(r)], SAMPLES))
            ],
        },
        {
            "id": "figure_16",
            "title": "Figure 16: attacked",
            "caption": attack_examples.CHOICE,
            "names": names,
            "rows": [(label, shared, records) for label, records in attacked if shared and any(records)],
        },
    ]


def _side(found: Sequence[tuple[Record | None, Sequence[int]]]) -> int:
    """The largest side at which these tiles fit into the page; a pixel takes about a character."""
    tiles = sum(len(ids) for record, ids in found if record is not None)
    return next((side for side in SIDES if tiles * side * side <= ROOM_FIGURES), SIDES[-1])


def gallery(records: Sequence[Record], pictures: Pictures) -> list[int]:
    """The numbers of the gallery's sheets: some samples of every cell that kept images of a probe."""
    shown = [(record, ids) for record in records if record.cell["probe"] != "clean" and (ids := kept_ids(record))]
    if not shown:
        return []
    count = max(1, min(PER_CELL, GALLERY // len(shown)))
    many = len(shown) * count > GALLERY / 2

    def sheet_of(record: Record, ids: Sequence[int], *, coarse: bool) -> Sheet | None:
        masks = pictures.masks(record)
        side = SMALLER if coarse else THUMBNAIL
        return cell_sheet(record, ids, side, pictures.originals, masks=masks, coarse=coarse)

    sheets = [(record, sheet_of(record, _chosen(record, ids, count), coarse=many)) for record, ids in shown]
    drawn = [(record, sheet) for record, sheet in sheets if sheet is not None]
    size = sum(sheet.bytes for _, sheet in drawn)
    if size > ROOM_GALLERY:
        keep = max(1, int(count * ROOM_GALLERY / size))
        drawn = [
            (record, sheet)
            for record, wide in drawn
            if (sheet := sheet_of(record, wide.sample_ids[:keep], coarse=True))
        ]
    return [pictures.add(record, sheet) for record, sheet in drawn]


def _chosen(record: Record, ids: Sequence[int], count: int) -> list[int]:
    """Half of them samples on which the probe succeeded, as far as there are; each half by sample id."""
    table = record.samples
    succeeded = set(table.loc[table["success"].astype(bool), "sample_id"]) if "success" in table else set()
    first = [i for i in ids if i in succeeded][: (count + 1) // 2]
    rest = [i for i in ids if i not in set(first)][: count - len(first)]
    return sorted([*first, *rest])
