"""Tensors in a safetensors file that is written whole or not at all and holds a checksum of them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from benchmark.storage.atomic import write_atomic


def write_checked(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Writes tensors on the CPU, each contiguous."""
    write_atomic(path, save(dict(tensors), metadata={"sum": _checksum(tensors)}))


def read_checked(path: Path) -> dict[str, Tensor]:
    """The tensors of a file by :func:`write_checked`.

    Raises:
        SafetensorError: it is damaged, or another kind of file.
    """
    with safe_open(path, "pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if (file.metadata() or {}).get("sum") != _checksum(tensors):
            raise SafetensorError("its checksum is not that of its content")
    return tensors


def _checksum(tensors: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(name.encode() + tensors[name].numpy().tobytes())
    return digest.hexdigest()
