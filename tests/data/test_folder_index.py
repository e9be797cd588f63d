"""The fingerprint changes with the files that are used, and with nothing else."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmark.data import folder_index
from tests.data.folders import small


@pytest.fixture
def taken(tmp_path):
    """Takes the fingerprint of a planted folder anew."""
    root = small(tmp_path / "set", masks=True)

    def take(where: Path = root) -> str:
        folder_index._fingerprint.cache_clear()
        return folder_index.fingerprint(str(where))

    take.root = root
    return take


def _longer(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"x")


@pytest.mark.parametrize(
    "change",
    [
        lambda root: _longer(root / "train/ant/003.png"),
        lambda root: _longer(root / "masks/test/bee/001.png"),
        lambda root: (root / "train/ant/003.png").rename(root / "train/ant/103.png"),
        lambda root: (root / "test/bee/001.png").unlink(),
        lambda root: (root / "train/ant").rename(root / "train/wasp"),
        lambda root: shutil.copytree(root / "test", root / "calibration"),
    ],
)
def test_it_changes_with_name_and_size(taken, change):
    before = taken()
    change(taken.root)
    assert taken() != before


def test_it_stays_with_place_time_and_litter(taken, tmp_path):
    before = taken()
    shutil.copytree(taken.root, tmp_path / "copy")
    os.utime(taken.root / "train/ant/003.png", (0, 0))
    (taken.root / "train/ant/.DS_Store").write_text("litter")
    (taken.root / "train/ant/notes.txt").write_text("litter")
    assert taken() == taken(tmp_path / "copy") == before


def test_two_renamed_files_do_not_cancel_out(taken):
    """Names and sizes belong together: swapping two files of different size is a change."""
    first, second = taken.root / "train/ant/000.png", taken.root / "train/ant/001.png"
    _longer(first)
    before = taken()
    first.rename(taken.root / "swap")
    second.rename(first)
    (taken.root / "swap").rename(second)
    assert taken() != before


def test_a_broken_link_is_named(taken):
    (taken.root / "train/ant/link.png").symlink_to(taken.root / "nowhere.png")
    with pytest.raises(FileNotFoundError, match=r"link\.png cannot be read"):
        taken()


@pytest.mark.parametrize(
    ("root", "kind", "message"),
    [
        ("???", ValueError, "data.root is not set: name the folder of the images, data.root=FOLDER"),
        (None, ValueError, "data.root is not set"),
        ("no/such/folder", FileNotFoundError, "data.root=no/such/folder does not exist, expected ROOT/train"),
        (__file__, FileNotFoundError, "is a file, expected ROOT/train"),
    ],
)
def test_a_bad_root_is_told_in_a_sentence(root, kind, message):
    with pytest.raises(kind, match=message):
        folder_index.fingerprint(root)


def test_it_imports_no_torch():
    code = "import sys, benchmark.data.folder_index; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2]).returncode == 0
