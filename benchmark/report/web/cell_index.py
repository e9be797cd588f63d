"""The cells behind a page: each once, by number, with its record, its hash and the command that makes it again."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from benchmark.report.cohorts.cohort import fact_of, level_of, steps_factor_of
from benchmark.report.cohorts.flags import flags_of
from benchmark.report.labels import interpreter_name, probe_setting
from benchmark.report.published.pack import CELLS, is_pack
from benchmark.storage import paths
from benchmark.storage.flags import BY_NAME

if TYPE_CHECKING:
    from benchmark.storage.records import Record

# Options of a folder of images that are no sizes, with their defaults; those that are places are this machine's own.
_OF_FOLDERS = {"classes": "folders", "test_folder": "test", "balanced": False, "calibration_share": 0.1}
_PLACES = {"root": "FOLDER", "boxes": "BOXES", "val_labels": "LABELS"}
_NAMED_LEVELS = {0.03: "03", 0.3: "30"}  # conf/probe has a file for each kind of noise at these


class CellIndex:
    """Numbers cells in the order in which they are asked for. ``page`` is the folder that links start from."""

    def __init__(self, results: Path, page: Path, swept: Mapping[str, Mapping[str, Any]] | None = None) -> None:
        """swept: by name of the cell, the settings that its sweep varied."""
        self._results, self._page, self._packed = results, page, is_pack(results)
        self._swept = swept or {}
        self._numbers: dict[str, int] = {}
        self.cells: list[dict[str, Any]] = []
        self.classes: list[dict[str, str]] = []

    def number(self, record: Record) -> int:
        name = str(record.cell["name"])
        if name not in self._numbers:
            self._numbers[name] = len(self.cells)
            self.cells.append(self._described(record))
        return self._numbers[name]

    def numbers(self, names: Iterable[str]) -> list[int]:
        """Those of cells that have a number."""
        return [self._numbers[name] for name in names if name in self._numbers]

    def _described(self, record: Record) -> dict[str, Any]:
        cell = record.cell
        return {
            "name": cell["name"],
            "hash": cell.get("cell") or "",
            "href": self._link(record),
            "command": command(cell, self._swept.get(str(cell["name"]), {})),
            "data": str(cell.get("data")),
            "classifier": str(cell.get("classifier")),
            "interpreter": interpreter_name(str(cell["interpreter"])),
            "key": str(cell["interpreter"]),
            "probe": probe_setting(str(cell["probe"]), level_of(record), steps_factor_of(record)),
            "seed": cell.get("seed"),
            "classes": self._classes(cell.get("class_names") or {}),
            "n": f"{cell.get('n_samples', 0)} / {cell.get('n_sources', 0)}",
            "spread": fact_of(record, "benign_spread"),
            "flags": [[name, BY_NAME[name].sentence] for name in flags_of(record) if name in BY_NAME],
            "seconds": round(sum((cell.get("seconds") or {}).values()), 1),
            "commit": str(cell.get("commit") or "")[:12],
            "device": str(cell.get("device") or ""),
        }

    def _classes(self, names: dict[str, str]) -> int:
        """The place of the names of classes in ``classes``, where cells of one data set share them. A name that is its
        own number is none."""
        names = {index: name for index, name in names.items() if name != index}
        if names not in self.classes:
            self.classes.append(names)
        return self.classes.index(names)

    def _link(self, record: Record) -> str:
        """Relative, so that report and results may move together."""
        target = self._results / (CELLS if self._packed else f"{record.folder.name}/{paths.CELL}")
        return quote(os.path.relpath(target, self._page).replace(os.sep, "/"))


def command(cell: Mapping[str, Any], swept: Mapping[str, Any]) -> str:
    """What computes the cell again, on this machine's own folders; ``swept`` are settings that its sweep varied."""
    config = cell.get("config") or {}
    probe = config.get("probe") or {}
    words = [f"experiment={cell['experiment']}"] if cell.get("experiment") else []
    words += [*_data(config, cell), *_classifier(config, cell), f"interpreter={cell['interpreter']}", *_probe(cell)]
    if probe.get("source"):
        words.append(f"interpreter@probe.source={probe['source']['name']}")
    if probe.get("surrogate"):
        words.append(f"classifier@probe.surrogate={probe['surrogate']['label']}")
    words += [f"{path}={value}" for path, value in swept.items() if "." in path]
    words += [f"seed={cell.get('seed', 0)}"]
    words += [f"data.seed={cell['data_seed']}"] if cell.get("data_seed") else []
    words += [f"budget={cell['budget']}"] if cell.get("budget") not in (None, "bench") else []
    words += [f"split={cell['split']}"] if cell.get("split") not in (None, "test") else []
    return " ".join(["python -m benchmark run", *words])


def _data(config: Mapping[str, Any], cell: Mapping[str, Any]) -> Sequence[str]:
    data = config.get("data") or {}
    if not str(data.get("_target_", "")).endswith("ImageFolder"):
        return [f"data={cell.get('data')}"]
    named = {name: data[name] for name in ("name", "image_size")}
    everything = bool(cell.get("experiment"))  # which may have other defaults
    named |= {n: data.get(n, usual) for n, usual in _OF_FOLDERS.items() if everything or data.get(n, usual) != usual}
    places = {name: place for name, place in _PLACES.items() if name == "root" or data.get(name) is not None}
    words = [f"data.{name}={value}" for name, value in places.items()]
    return ["data=image_folder", *words, *(f"data.{name}={_typed(value)}" for name, value in named.items())]


def _typed(value: Any) -> str:
    """A value as it is typed in a shell."""
    return str(value).lower() if isinstance(value, bool) else shlex.quote(str(value))


def _classifier(config: Mapping[str, Any], cell: Mapping[str, Any]) -> Sequence[str]:
    training = (config.get("classifier") or {}).get("training") or {}
    suffix = str(training.get("suffix") or "")
    label = str(cell.get("classifier")).removesuffix(suffix)
    return [f"classifier={label}", *([f"classifier/training={suffix.lstrip('_')}"] if suffix else [])]


def _probe(cell: Mapping[str, Any]) -> Sequence[str]:
    probe, level, factor = str(cell["probe"]), cell.get("level"), int(cell.get("steps_factor") or 1)
    if level in _NAMED_LEVELS:
        return [f"probe={probe}_{_NAMED_LEVELS[level]}"]
    if level is not None:
        return [f"probe={probe}", f"probe.level={level:g}"]
    if (probe, factor) == ("adv2", 10):
        return ["probe=adv2_x10"]
    return [f"probe={probe}", *([f"probe.steps_factor={factor}"] if factor > 1 else [])]
