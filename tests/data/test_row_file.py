"""Rows on disk are the rows that were written; the file is a safetensors file like any other."""

from __future__ import annotations

import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from benchmark.data import row_file
from benchmark.data.digits import Digits
from benchmark.data.row_file import RowFile, read_rows, write_rows


def parts():
    for start in (0, 4, 8):
        yield {
            "image": torch.arange(start * 6, (start + 4) * 6).view(4, 2, 3).to(torch.uint8),
            "mask": torch.arange(start, start + 4).view(4, 1) % 3 == 0,
            "label": torch.arange(start, start + 4) * 10**12,
        }


@pytest.fixture
def file(tmp_path):
    write_rows(tmp_path / "rows.safetensors", 10, parts())
    return tmp_path / "rows.safetensors"


def test_the_library_reads_it_and_the_last_part_is_cut(file):
    found, expected = load_file(file), list(parts())
    for name in ("image", "mask", "label"):
        assert torch.equal(found[name], torch.cat([part[name] for part in expected])[:10])
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_rows_come_in_the_order_asked_for(file, monkeypatch):
    monkeypatch.setattr(row_file, "MEMORY", 0)
    found, whole = read_rows(file), load_file(file)
    assert isinstance(found["image"], RowFile) and isinstance(found["label"], torch.Tensor)
    assert torch.equal(found["label"], whole["label"])
    for wanted in ([3], [0, 1, 2], [9, 2, 3, 4, 2, 0]):
        chosen = torch.tensor(wanted)
        assert torch.equal(found["image"][chosen], whole["image"][chosen])
        assert torch.equal(found["mask"][chosen], whole["mask"][chosen])


def test_a_file_cut_short_is_damaged(file):
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(SafetensorError, match="its header speaks of"):
        read_rows(file)


@pytest.mark.parametrize("memory", [0, 2**20], ids=["on disk", "in memory"])
def test_every_flipped_bit_is_found(file, monkeypatch, memory):
    monkeypatch.setattr(row_file, "MEMORY", memory)
    whole = file.read_bytes()
    for index in range(len(whole)):
        file.write_bytes(whole[:index] + bytes([whole[index] ^ 4]) + whole[index + 1 :])
        with pytest.raises(SafetensorError):
            read_rows(file)


def test_digits_are_the_same_from_disk(tmp_path, monkeypatch):
    settings = {"root": str(tmp_path), "seed": 0, "train": 20, "calibration": 10, "test": 300}
    inside = Digits(**settings).split("test").__getitems__([7, 8, 250, 1])
    monkeypatch.setattr(row_file, "MEMORY", 0)
    outside = Digits(**settings).split("test").__getitems__([7, 8, 250, 1])
    assert inside.keys() == outside.keys()
    assert all(torch.equal(inside[name], outside[name]) for name in inside)
