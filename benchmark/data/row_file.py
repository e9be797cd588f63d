"""Arrays too large for memory: safetensors files that are read and written row by row.

The file's metadata holds the SHA-256 of its table of arrays and of their bytes.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import BinaryIO, TypedDict

import torch
from safetensors import SafetensorError
from torch import Tensor

from benchmark.storage.paths import partial_file

# Bytes; a larger file is left on disk.
MEMORY = 64 * 2**20

_DTYPES = {"U8": torch.uint8, "BOOL": torch.bool, "I64": torch.int64}
_NAMES = {dtype: name for name, dtype in _DTYPES.items()}


class ArrayEntry(TypedDict):
    """What a safetensors header says of one array."""

    dtype: str
    shape: list[int]
    data_offsets: list[int]  # first byte and byte after the last, from the end of the header


class RowFile:
    """One tensor (N, ...) of a safetensors file, of which indexing reads the rows asked for only."""

    def __init__(self, path: Path, name: str, entry: ArrayEntry, start: int) -> None:
        self.path, self.name = path, name
        self.shape, self.dtype = tuple(entry["shape"]), _DTYPES[entry["dtype"]]
        self.start = start + entry["data_offsets"][0]
        self.width = (entry["data_offsets"][1] - entry["data_offsets"][0]) // max(self.shape[0], 1)
        self.file = path.open("rb")

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Tensor) -> Tensor:
        """The rows of these numbers, in this order."""
        content = bytearray()
        for first, count in _runs(rows.tolist()):
            part = os.pread(self.file.fileno(), count * self.width, self.start + first * self.width)
            if len(part) < count * self.width:
                raise OSError(f"{self.path} has become shorter while it was read: remove it, it is made again")
            content += part
        return torch.frombuffer(content, dtype=self.dtype).view(len(rows), *self.shape[1:])


def _runs(rows: list[int]) -> Iterable[tuple[int, int]]:
    """(first, length) of each run of consecutive numbers: one read each."""
    start = 0
    for index in range(1, len(rows) + 1):
        if index == len(rows) or rows[index] != rows[index - 1] + 1:
            yield rows[start], index - start
            start = index


def read_rows(path: Path) -> dict[str, Tensor | RowFile]:
    """The arrays of a file by ``write_rows``; of a file larger than MEMORY those of two dimensions or more as RowFile.

    Raises:
        SafetensorError: the file is damaged, by its length or its checksum.
    """
    from safetensors.torch import load_file

    start, header = checked(path)
    if path.stat().st_size <= MEMORY:
        return dict(load_file(path))
    arrays: dict[str, Tensor | RowFile] = {}
    for name, entry in header.items():
        rows = RowFile(path, name, entry, start)
        arrays[name] = rows if len(rows.shape) > 1 else rows[torch.arange(len(rows))]
    return arrays


def checked(path: Path) -> tuple[int, dict[str, ArrayEntry]]:
    """The offset of the arrays of a file, and its table of arrays, by safetensors' format.

    Raises:
        SafetensorError: the header, the length or the checksum is wrong.
    """
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        size = path.stat().st_size
        try:
            header = json.loads(file.read(length)) if length < size else {}
            checksum = header.pop("__metadata__")["sum"]
            end = 8 + length + max(entry["data_offsets"][1] for entry in header.values())
        except (ValueError, KeyError, TypeError, AttributeError):
            raise SafetensorError("its header cannot be read, or has no checksum") from None
        if size != end:
            raise SafetensorError(f"it has {size} bytes, its header speaks of {end}")
        if _sum(header, file) != checksum:
            raise SafetensorError("its checksum is not that of its content")
    return 8 + length, header


def _sum(header: Mapping[str, ArrayEntry], file: BinaryIO) -> str:
    """SHA-256 of the table of arrays and of the rest of the file from its current position."""
    digest = hashlib.sha256(json.dumps(header, sort_keys=True).encode())
    while part := file.read(2**20):
        digest.update(part)
    return digest.hexdigest()


def write_rows(path: Path, count: int, parts: Iterable[Mapping[str, Tensor]]) -> None:
    """Writes ``count`` rows of several arrays, part by part, as one safetensors file that appears when complete."""
    partial = partial_file(path)
    with partial.open("w+b") as file:
        header: dict[str, ArrayEntry] = {}
        start, done = 0, 0
        for part in parts:
            if not header:
                header = _table(count, part)
                start = _write_header(file, header, "0" * 64)
            for name, array in part.items():
                rows = array[: count - done].contiguous()
                width = rows[0].numel() * rows.element_size() if len(rows) else 0
                file.seek(start + header[name]["data_offsets"][0] + done * width)
                file.write(rows.numpy().tobytes())
            done += min(len(next(iter(part.values()))), count - done)
        file.seek(start)
        _write_header(file, header, _sum(header, file))
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)


def _table(count: int, part: Mapping[str, Tensor]) -> dict[str, ArrayEntry]:
    """The type, shape and byte range of each array."""
    table: dict[str, ArrayEntry] = {}
    offset = 0
    widest_first = sorted(part.items(), key=lambda item: -item[1].element_size())  # so that every array is aligned
    for name, array in widest_first:
        size = count * array[0].numel() * array.element_size()
        table[name] = {
            "dtype": _NAMES[array.dtype],
            "shape": [count, *array.shape[1:]],
            "data_offsets": [offset, offset + size],
        }
        offset += size
    return table


def _write_header(file: BinaryIO, table: Mapping[str, ArrayEntry], checksum: str) -> int:
    """Writes the header; returns the offset of the arrays."""
    text = json.dumps({"__metadata__": {"sum": checksum}, **table}).encode()
    text += b" " * (-len(text) % 8)
    file.seek(0)
    file.write(len(text).to_bytes(8, "little") + text)
    return 8 + len(text)
