"""Finished records as published: a small folder that a release can carry, without images, maps and names of folders.

    index.json         version, format, provenance of the cells, SHA-256 of the other files
    cells.parquet      a row a cell: its cell.json as text, the dtypes of its columns, its number of samples
    samples.parquet    the samples of all cells one below another, in the order of cells.parquet
    curves.parquet     the curves of attacks in the same way, where there are any

Equal records give equal bytes. Reading gives records like those that were published, so that the tables and verdicts
made from them come from the code that makes them from anybody's records.
"""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmark.report.cohorts.settings import PLACES
from benchmark.report.published.columns import STEP, packed, published_columns, unpacked
from benchmark.storage.atomic import write_atomic
from benchmark.storage.formats import FORMAT
from benchmark.storage.hashing import sha256_file
from benchmark.storage.records import Record, Scan, scan_records

INDEX, CELLS, SAMPLES, CURVES = "index.json", "cells.parquet", "samples.parquet", "curves.parquet"
# Of a configuration what results depend on or are grouped by; folders and loggers are nobody else's business.
_SECTIONS = ("seed", "split", "data", "classifier", "interpreter", "probe", "measure", "budget", "trainer")
_PAGE = 1 << 26  # bytes of a column that are compressed together: the cells of one training repeat one another


@dataclass(frozen=True)
class Pack:
    """Published records: ``index`` is the content of index.json."""

    folder: Path
    index: dict[str, Any]

    @property
    def version(self) -> str:
        """The name of this publication, as "v1"."""
        return str(self.index["version"])

    @cached_property
    def records(self) -> list[Record]:
        """The cells, with their samples in memory and without images and maps."""
        cells = pd.read_parquet(self.folder / CELLS)
        samples = pd.read_parquet(self.folder / SAMPLES)
        curves = dict(list(self._curves.groupby("cell", sort=False)))
        found, start = [], 0
        for text, dtypes, rows in cells.itertuples(index=False):
            own = samples.iloc[start : start + rows]
            start += rows
            columns = {name: unpacked(own[name].to_numpy(), dtype) for name, dtype in json.loads(dtypes).items()}
            cell = json.loads(text)
            record = Record(self.folder / cell["name"], cell)
            own_curves = curves[cell["cell"]].drop(columns="cell") if cell["cell"] in curves else None
            vars(record).update(samples=pd.DataFrame(columns), curves=own_curves, images={}, maps={})
            found.append(record)
        return found

    @property
    def _curves(self) -> pd.DataFrame:
        path = self.folder / CURVES
        return pd.read_parquet(path) if path.is_file() else pd.DataFrame({"cell": []})


def scan_results(folder: Path) -> Scan:
    """The records below a folder of results, or those published in it."""
    return Scan(list(read_pack(folder).records)) if is_pack(folder) else scan_records(folder)


def is_pack(folder: Path) -> bool:
    """Whether published records lie there."""
    return (folder / INDEX).is_file() and (folder / CELLS).is_file()


def read_pack(folder: Path) -> Pack:
    """The published records in a folder.

    Raises:
        ValueError: there are none, they are damaged, or another version of the suite published them.
    """
    try:
        index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        found, sums = index["format"], index["files"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{folder} holds no published results: {INDEX} cannot be read ({error})") from None
    if found != FORMAT["published"]:
        raise ValueError(f"{folder} holds published results of format {found}, this suite reads {FORMAT['published']}")
    for name, expected in sums.items():
        if not (folder / name).is_file() or sha256_file(folder / name) != expected:
            raise ValueError(f"the published results in {folder} are damaged: {name} is missing or has changed")
    return Pack(folder, index)


def write_pack(records: Sequence[Record], folder: Path, version: str) -> Pack:
    """Publishes finished records into ``folder``, in place of what was published there.

    Raises:
        ValueError: there is no record, or the folder holds something else.
    """
    if not records:
        raise ValueError("there is no finished record to publish")
    if folder.exists() and any(folder.iterdir()) and not is_pack(folder):
        raise ValueError(f"folder={folder} holds other files: name one of its own")
    ordered = sorted(records, key=lambda record: str(record.cell["name"]))
    tables = [_table(record) for record in ordered]
    cells = pd.DataFrame(
        {
            "cell": [json.dumps(_published(record.cell)) for record in ordered],
            "dtypes": [
                json.dumps({name: str(record.samples[name].dtype) for name in table})
                for record, table in zip(ordered, tables, strict=True)
            ],
            "rows": [len(table) for table in tables],
        }
    )
    folder.mkdir(parents=True, exist_ok=True)
    write_atomic(folder / CELLS, _parquet(cells))
    write_atomic(folder / SAMPLES, _parquet(pd.concat(tables, ignore_index=True).fillna(0).astype(np.int32)))
    (folder / CURVES).unlink(missing_ok=True)
    if curves := [record.curves.assign(cell=record.cell["cell"]) for record in ordered if record.curves is not None]:
        write_atomic(folder / CURVES, _parquet(pd.concat(curves, ignore_index=True)))
    files = {name: sha256_file(folder / name) for name in (CELLS, SAMPLES, CURVES) if (folder / name).is_file()}
    index = {"version": version, "format": FORMAT["published"], **_provenance(ordered), "step": STEP, "files": files}
    write_atomic(folder / INDEX, (json.dumps(index, indent=1, ensure_ascii=False) + "\n").encode())
    return Pack(folder, index)


def _table(record: Record) -> pd.DataFrame:
    """The published columns of one cell as whole numbers, by sample id."""
    rows = record.samples.sort_values("sample_id", kind="stable")
    return pd.DataFrame({name: packed(rows[name]) for name in published_columns(rows)})


def _published(cell: dict[str, Any]) -> dict[str, Any]:
    """cell.json without what only the machine that computed it can use."""
    config = {name: cell["config"][name] for name in _SECTIONS if name in cell["config"]}
    if "data" in config:
        config["data"] = {name: value for name, value in config["data"].items() if f"data.{name}" not in PLACES}
    return {**cell, "config": config}


def _provenance(records: Sequence[Record]) -> dict[str, Any]:
    """What the cells were computed with: each value that occurs, once."""

    def occurring(name: str) -> list[Any]:
        texts = {json.dumps(record.cell.get(name), sort_keys=True) for record in records}
        return [json.loads(text) for text in sorted(texts)]

    names = ("data", "classifier", "interpreter", "budget", "seed", "data_seed", "split")
    made_with = ("commit", "device", "threads", "versions")
    samples = sum(len(record.samples) for record in records)
    return {"cells": len(records), "samples": samples, **{name: occurring(name) for name in (*names, *made_with)}}


def _parquet(table: pd.DataFrame) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    plain = pa.Table.from_pandas(table, preserve_index=False).replace_schema_metadata(None)
    numbers = [name for name in table if table[name].dtype == np.int32]
    buffer = io.BytesIO()
    pq.write_table(
        plain,
        buffer,
        compression="zstd",
        compression_level=19,
        use_dictionary=False,
        column_encoding=dict.fromkeys(numbers, "BYTE_STREAM_SPLIT") or None,
        data_page_size=_PAGE,
        row_group_size=max(len(table), 1),
        write_statistics=False,
    )
    return buffer.getvalue()
