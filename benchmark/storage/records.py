"""Results of record: one folder a cell, with its samples, images, maps and provenance."""

from __future__ import annotations

import io
import json
import logging
import math
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.storage import paths
from benchmark.storage.atomic import make_folder, write_atomic
from benchmark.storage.formats import FORMAT, format_of, is_other, records_left_out
from benchmark.storage.hashing import own_checksum, sha256_file
from benchmark.storage.record_check import OtherFormat, check_cell, check_format, check_samples
from benchmark.storage.schema import Column

# pandas, pyarrow and safetensors are imported where samples are read or written: whether a cell is done, json says.
if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

log = logging.getLogger("underfire")


Tensors = dict[str, "np.ndarray"]  # by name: ``sample_id``, ``benign`` and, where there is a probe, ``probed``


@dataclass(frozen=True)
class Record:
    """One cell: its folder and the content of cell.json. Samples, images and maps are read when they are asked for."""

    folder: Path
    cell: dict[str, Any]

    @cached_property
    def samples(self) -> pd.DataFrame:
        """A row per sample, see columns.py; empty for a failed cell."""
        import pandas as pd

        path = self.folder / paths.SAMPLES
        return pd.read_parquet(path) if path.exists() else pd.DataFrame()

    @cached_property
    def curves(self) -> pd.DataFrame | None:
        """The attack's map distance against its passes, see curves.py; None where it keeps none."""
        import pandas as pd

        path = self.folder / paths.CURVES
        return pd.read_parquet(path) if path.exists() else None

    @cached_property
    def images(self) -> Tensors:
        """``sample_id``, ``benign`` and ``probed`` of the kept samples, uint8 (N, 3, H, W); of clean cells ``mask``."""
        return self._tensors(paths.IMAGES)

    @cached_property
    def maps(self) -> Tensors:
        """``sample_id``, ``benign`` and ``probed`` of the kept samples, float16 (N, h, w)."""
        return self._tensors(paths.MAPS)

    def _tensors(self, name: str) -> Tensors:
        from safetensors.numpy import load_file

        path = paths.tensors_file(self.folder, name)
        return load_file(path) if path.exists() else {}


def write_record(
    folder: Path,
    samples: pd.DataFrame,
    tensors: dict[str, Tensors],
    cell: dict[str, Any],
    *,
    curves: pd.DataFrame | None = None,
    further: Sequence[Column] = (),
) -> Record:
    """Writes a finished cell; cell.json, with the checksums of the rest, comes last.

    Equal content gives equal bytes in every file but cell.json.

    Args:
        tensors: ``images`` and ``maps``. curves: the attack's, see curves.py; None where it keeps none.
        further: columns of a measure from outside the suite.
    Returns:
        The record, with samples and tensors in memory.
    Raises:
        ValueError: the samples or the fields of ``cell`` do not fit the schema.
    """
    import numpy as np
    from safetensors.numpy import save

    check_samples(samples, further)
    check_cell(cell)
    make_folder(folder.parent, "paths.results")
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir()
    write_atomic(folder / paths.SAMPLES, _parquet(samples))
    if curves is not None:
        write_atomic(folder / paths.CURVES, _parquet(curves))
    for name, arrays in tensors.items():
        content = save({key: np.ascontiguousarray(array) for key, array in sorted(arrays.items())})
        write_atomic(paths.tensors_file(folder, name), content)
    sums = {path.name: sha256_file(path) for path in sorted(folder.iterdir())}
    written = _write_cell(folder, {"format": FORMAT["cell"], **cell, "status": "done", "checksums": sums})
    record = Record(folder, written)
    # The values of its cached properties, so that nothing is read back.
    vars(record).update(
        samples=samples, curves=curves, images=tensors.get(paths.IMAGES, {}), maps=tensors.get(paths.MAPS, {})
    )
    return record


def write_failure(folder: Path, cell: dict[str, Any], *, stage: str, error: BaseException) -> None:
    """Writes a record that says why a cell failed; one that is done is never overwritten."""
    if is_done(folder):
        return
    make_folder(folder, "paths.results")
    reason = {"stage": stage, "error": type(error).__name__, "hint": str(error)}
    _write_cell(folder, {"format": FORMAT["cell"], **cell, "status": "failed", "reason": reason, "checksums": {}})


def read_record(folder: Path) -> Record:
    """One record.

    Raises:
        ValueError: it is damaged; the message names the file. OtherFormat: another version of the suite wrote it.
    """
    path = folder / paths.CELL
    try:
        cell = json.loads(path.read_text())
        check_format(folder, cell)
        sums, _ = cell["checksums"], cell["status"]
        changed = cell["checksum"] != own_checksum(cell)
    except OtherFormat:
        raise
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"the record {folder} is damaged: cell.json cannot be read ({error})") from None
    if changed:
        raise ValueError(f"the record {folder} is damaged: cell.json has changed; run the cell again")
    for name, expected in sums.items():
        if not (folder / name).is_file() or sha256_file(folder / name) != expected:
            raise ValueError(f"the record {folder} is damaged: {name} is missing or has changed; run the cell again")
    return Record(folder, cell)


def is_done(folder: Path) -> bool:
    """Whether the cell's record is there, finished, whole and of this version's format."""
    if not (folder / paths.CELL).exists():
        return False
    try:
        return bool(read_record(folder).cell["status"] == "done")
    except ValueError as error:
        _warn_once(str(error))
        return False


@cache
def _warn_once(sentence: str) -> None:
    """Logs a warning; a second call in this process logs nothing."""
    log.warning("%s", sentence)


def is_failed(folder: Path) -> bool:
    """Whether the cell's record says that it failed."""
    try:
        cell = json.loads((folder / paths.CELL).read_text())
        return bool(cell["status"] == "failed" and not is_other("cell", cell.get("format")))
    except (OSError, ValueError, KeyError, TypeError):
        return False


@dataclass(frozen=True)
class Scan:
    """Everything that lies below a folder of results."""

    records: list[Record] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)  # a sentence each
    other: list[OtherFormat] = field(default_factory=list)  # of other versions of the suite

    @property
    def others(self) -> str:
        """A sentence on the records of other formats, empty where there are none."""
        return records_left_out(each.found for each in self.other)

    def warn(self) -> None:
        """Names what is left out: each damaged record, and how many are of another format."""
        for sentence in self.damaged:
            log.warning("left out: %s", sentence)
        if self.other:
            log.warning("%s", self.others)

    def matching(self, **filters: Any) -> list[Record]:
        """The records whose cell matches every filter (a value or a list of them; None matches all)."""
        return [
            record
            for record in self.records
            if all(_matches(record.cell.get(name), wanted) for name, wanted in filters.items())
        ]


def scan_records(root: str | Path) -> Scan:
    """Reads every record below ``root``."""
    scan = Scan()
    for path in paths.cell_files(Path(root)):
        try:
            scan.records.append(read_record(path.parent))
        except OtherFormat as error:
            scan.other.append(error)
        except ValueError as error:
            scan.damaged.append(str(error))
    return scan


def read_records(root: str | Path, **filters: Any) -> list[Record]:
    """The records below ``root`` whose cell matches every filter (a value or a list of them; None matches all).

    Damaged ones are named in a warning and left out, those of another format are counted in one.
    """
    scan = scan_records(root)
    scan.warn()
    return scan.matching(**filters)


def other_formats(root: Path) -> list[Any]:
    """The formats of those records below ``root`` that other versions of the suite wrote; reads a line of each."""
    found = []
    for path in paths.cell_files(root):
        try:
            found.append(format_of(path))
        except OSError:
            continue
    return [each for each in found if is_other("cell", each)]


def most_are_portable(root: Path) -> bool:
    """Whether most of the finished records below ``root`` were made in portable mode; reads cell.json alone."""
    modes = []
    for path in paths.cell_files(root):
        try:
            cell = json.loads(path.read_text())
            modes += [bool(cell.get("portable"))] * (cell.get("status") == "done")
        except (OSError, ValueError, AttributeError):
            continue
    return 2 * sum(modes) > len(modes)


def _matches(value: Any, wanted: Any) -> bool:
    if wanted is None:
        return True
    return value in (wanted if isinstance(wanted, list | tuple | set) else [wanted])


def _parquet(samples: pd.DataFrame) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.Table.from_pandas(samples, preserve_index=False).replace_schema_metadata(None)
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd", compression_level=3, write_statistics=False)
    return buffer.getvalue()


def _write_cell(folder: Path, cell: dict[str, Any]) -> dict[str, Any]:
    """Writes cell.json and returns its content."""
    plain: dict[str, Any] = _plain(cell)
    content = {**plain, "checksum": own_checksum(plain)}
    write_atomic(folder / paths.CELL, json.dumps(content, indent=1, allow_nan=False).encode())
    return content


def _plain(value: Any) -> Any:
    """The same as JSON can hold it: strings as keys, lists, Python's numbers, null for NaN and infinity."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if hasattr(value, "item"):  # numpy's scalars
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
