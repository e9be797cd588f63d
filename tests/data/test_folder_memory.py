"""What was found out about a folder is found out again where a file of it has changed, and nowhere else."""

from __future__ import annotations

import os

import pytest

from benchmark.data import folder_memory, image_folder
from benchmark.data.folder_memory import FolderMemory
from benchmark.data.image_folder import ImageFolder
from tests.data.folders import small


@pytest.fixture
def asked(tmp_path):
    """Asks a new process's memory of a planted folder; returns the answer and how often it was worked out."""
    root, found = small(tmp_path / "set", masks=True), []

    def ask(name="count"):
        folder_memory.folder_stamp.cache_clear()
        return FolderMemory(root, tmp_path / "cache").recall(name, lambda: found.append(name) or len(found)), len(found)

    ask.root, ask.cache = root, tmp_path / "cache"
    return ask


def test_an_answer_is_worked_out_once_a_name(asked):
    assert [asked(), asked(), asked("other"), asked("other"), asked()] == [(1, 1), (1, 1), (2, 2), (2, 2), (1, 2)]


@pytest.mark.parametrize(
    "change",
    [
        lambda root: (root / "train/ant/003.png").write_bytes(b"x"),
        lambda root: os.utime(root / "train/ant/003.png", (0, 0)),
        lambda root: (root / "train/ant/003.png").rename(root / "train/ant/103.png"),
        lambda root: (root / "masks/test/bee/001.png").unlink(),
        lambda root: (root / "train/ant/notes.txt").write_text("new"),
    ],
)
def test_a_change_of_any_file_makes_it_be_worked_out_again(asked, change):
    asked()
    change(asked.root)
    assert asked() == (2, 2)


def test_a_damaged_memory_is_none(asked):
    asked()
    (kept,) = asked.cache.glob("folder-*.json")
    kept.write_bytes(kept.read_bytes()[:-9])
    assert asked() == (2, 2)


def test_without_a_folder_to_write_to_it_is_worked_out_each_time(asked):
    asked.cache.write_text("a file where the folder would be")
    assert [asked(), asked()] == [(1, 1), (2, 2)]


def test_headers_of_a_set_on_disk_are_read_once(tmp_path, monkeypatch):
    root, read = small(tmp_path / "set", masks=True), []
    check_header = image_folder.check_header
    monkeypatch.setattr(image_folder, "MEMORY", 0)
    monkeypatch.setattr(image_folder, "check_header", lambda file: (read.append(file), check_header(file)))

    def masks():
        folder_memory.folder_stamp.cache_clear()
        data = ImageFolder(root=str(root), seed=0, image_size=16, cache=str(tmp_path / "cache"))
        return data.split("test").mask_counts(), len(data.split("test"))

    first, count = masks()
    assert len(read) == count
    assert masks() == (first, count) and len(read) == count
