"""What is not used of a folder, and what is in it twice, is told once with numbers."""

from __future__ import annotations

import logging
import os
import shutil

import numpy as np
import pytest

from benchmark.data import folder_notes as notes_module
from benchmark.data import repeated_files
from benchmark.data.folder_notes import folder_notes
from benchmark.data.repeated_files import repeated_files as compare
from tests.data.folders import folder, save, small

GREY = np.full((16, 16), 100, np.uint8)


@pytest.fixture
def root(tmp_path):
    return small(tmp_path / "set")


def note(root) -> str:
    """The only note on a folder."""
    (text,) = folder_notes(root)
    return text


def test_nothing_is_said_of_a_folder_without_litter(root, caplog):
    (root / "train/ant/Thumbs.db").write_text("")
    (root / "train/ant/.DS_Store").write_text("")
    (root / "train/ant/._000.png").write_text("")
    (root / ".git").mkdir()
    folder(root)
    assert folder_notes(root) == () and not caplog.records


def test_skipped_images_are_counted_by_their_reason(root):
    for name in ("train/ant/deeper/a.png", "train/ant/deeper/down/b.png", "test/bee/x/c.jpg", "train/loose.png"):
        save(root / name, GREY)
    for name in ("train/.ipynb_checkpoints/d.png", "train/bee/.hidden.png", "train/bee/.thumbs/e.png"):
        save(root / name, GREY)
    for name in ("train/ant/f.tif", "train/ant/g.TIF", "test/ant/h.heic", "test/ant/readme"):
        (root / name).write_text("")
    for name in ("val", "extra"):
        (root / name).mkdir()
    text = note(root)
    assert text.startswith(f"not used of data.root={root}: ")
    for part in (
        "3 images in folders inside class folders, e.g. train/ant/deeper/a.png",
        "1 images beside the class folders, e.g. train/loose.png",
        "3 hidden images, e.g. train/.ipynb_checkpoints/d.png",
        "4 files of another kind (.tif 2, .heic 1, no suffix 1), e.g. train/ant/f.tif",
        "2 folders beside the splits (extra, val)",
    ):
        assert part in text


def test_a_loop_inside_a_class_is_not_followed(root):
    (root / "train/ant/again").symlink_to("..")
    assert "1 files of another kind (no suffix 1), e.g. train/ant/again" in note(root)


def test_a_test_set_that_repeats_training_images(root):
    for index in range(3):
        shutil.copy(root / f"train/ant/00{index}.png", root / f"test/ant/copy{index}.png")
    assert (
        f"3 of 9 test images of data.root={root} are train images too, byte for byte (e.g. test/ant/copy0.png and "
        "train/ant/000.png): results on them say nothing of unseen images"
    ) in note(root)


def test_a_calibration_folder_takes_part(root):
    shutil.copytree(root / "test", root / "calibration")
    shutil.copy(root / "train/bee/000.png", root / "calibration/bee/100.png")
    first, second = folder_notes(root)
    assert "1 of 7 calibration images" in first and "are train images too" in first
    assert "6 of 6 test images" in second and "are calibration images too" in second


def test_copies_within_a_class_and_between_classes(root):
    shutil.copy(root / "train/ant/000.png", root / "train/ant/900.png")
    shutil.copy(root / "train/ant/001.png", root / "train/bee/900.png")
    within, classes = folder_notes(root)
    assert "1 of 32 train images" in within and "train/ant/900.png and train/ant/000.png" in within
    assert "2 images of" in classes and "train/ant/001.png and train/bee/900.png" in classes


def test_files_of_the_same_size_and_end_are_not_the_same(tmp_path):
    """Only content counts: here sizes and the last 4096 bytes agree, and of one pair also the first ones."""
    for name, first in {"a": b"1", "b": b"2", "c": b"1"}.items():
        (tmp_path / name).write_bytes(first + bytes(5000))
    found = compare({"train": [(tmp_path / "a", 0), (tmp_path / "b", 0)], "test": [(tmp_path / "c", 0)]})
    assert found.across == {("test", "train"): 1} and not found.within and not found.classes
    assert found.first["test", "train"] == (tmp_path / "c", tmp_path / "a")


def test_only_files_of_equal_size_are_opened(root, monkeypatch):
    opened = []
    read = repeated_files.content
    monkeypatch.setattr(repeated_files, "content", lambda file, last=None: opened.append(file) or read(file, last))
    for number, file in enumerate(sorted(root.glob("*/*/*.png"))):
        file.write_bytes(file.read_bytes() + bytes(number * 100_000))
    folder(root)
    assert not opened


def test_a_large_set_is_not_searched_and_says_so(root, monkeypatch):
    monkeypatch.setattr(notes_module, "MOST_FILES", 30)
    assert note(root) == f"data.root={root} has 36 images: more than 30 are not searched for repeated ones"


def test_names_that_other_systems_change(root):
    for name in ("a:b.png", "c?.png", os.fsdecode(b"caf\xe9.png")):
        save(root / "train/ant" / name, np.random.default_rng(len(name)).integers(0, 9, (16, 16), np.uint8))
    assert "3 names in data.root=" in note(root) and "'a:b.png'), another system" not in note(root)
    assert "(e.g. 'a:b.png'): another system may change them" in note(root)


def test_classes_that_differ_by_case(root):
    for split in ("train", "test"):
        (root / split / "bee").rename(root / split / "Ant")
    assert "1 classes of" in note(root) and "(e.g. Ant and ant): other systems merge them" in note(root)


def test_a_note_is_told_once(root, caplog):
    save(root / "train/loose.png", GREY)
    with caplog.at_level(logging.WARNING, "underfire"):
        folder(root), folder(root, seed=1)
    assert caplog.text.count("images beside the class folders") == 1
