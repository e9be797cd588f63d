"""What a folder may not hold is named within a moment, and nothing hangs: planted pipes, loops, names and rights."""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path

import pytest

from benchmark.data import folder_index, folder_scan
from benchmark.data.folder_scan import is_portable
from tests.data.folders import folder, small


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A planted folder, in which sockets have names that are short enough."""
    monkeypatch.chdir(tmp_path)
    return small(tmp_path / "set", masks=True)


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as opened:
        opened.bind(os.path.relpath(path))


def _link(path: Path, target: Path | str) -> None:
    path.symlink_to(target)


HARMS = {
    "a pipe": (lambda root: os.mkfifo(root / "train/ant/pipe.png"), r"ant/pipe\.png is a pipe, expected an image: rem"),
    "a pipe in test": (lambda root: os.mkfifo(root / "test/bee/pipe.jpg"), r"bee/pipe\.jpg is a pipe"),
    "a socket": (lambda root: _socket(root / "train/ant/s.png"), r"s\.png is a socket, expected an image"),
    "a device": (lambda root: _link(root / "train/ant/null.png", "/dev/null"), r"null\.png is a device"),
    "a link to a pipe": (
        lambda root: (os.mkfifo(root / "pipe"), _link(root / "train/ant/link.png", root / "pipe")),
        r"link\.png is a pipe",
    ),
    "a broken link": (lambda root: _link(root / "train/ant/gone.png", "gone"), r"gone\.png cannot be read .*restore"),
    "a link to itself": (
        lambda root: _link(root / "train/ant/self.png", "self.png"),
        r"self\.png is a link that leads back to itself: remove it",
    ),
    "links in a circle": (
        lambda root: (_link(root / "train/cat", "dog"), _link(root / "train/dog", "cat")),
        r"train/cat is a link that leads back to itself: remove it",
    ),
    "a class in a loop": (lambda root: _link(root / "train/cat", ".."), r"cat is a link to .*, which it lies in: remo"),
    "a class that is its split": (lambda root: _link(root / "train/cat", "."), r"which it lies in: remove the link"),
}


@pytest.mark.parametrize(("harm", "message"), HARMS.values(), ids=HARMS)
def test_what_is_no_file_is_named_and_not_opened(root, harm, message):
    harm(root)
    with pytest.raises((OSError, ValueError), match=message):
        folder_index.fingerprint(str(root))
    with pytest.raises((OSError, ValueError), match=message):
        folder(root)


def test_links_to_other_folders_and_files_are_used(root, tmp_path):
    (root / "train/ant").rename(tmp_path / "ants")
    (root / "train/ant").symlink_to(tmp_path / "ants")
    (root / "train/bee/more.png").symlink_to(tmp_path / "ants/000.png")
    (root / "masks/train/bee/more.png").symlink_to(root / "masks/train/ant/000.png")
    data = folder(root)
    assert len(data.split("train")) + len(data.split("calibration")) == 31


@pytest.mark.parametrize("where", ["train/bee/004.png", "test/ant/001.png", "masks/train/ant/003.png"])
def test_an_empty_file_is_named_by_the_plan_already(root, where):
    (root / where).write_bytes(b"")
    with pytest.raises(ValueError, match=rf"{where} is empty \(0 bytes\): restore the file or remove it"):
        folder_index.fingerprint(str(root))


@pytest.mark.parametrize("where", ["train/bee/004.png", "test/ant/001.png"])
def test_a_file_without_permission_is_named(root, where, monkeypatch):
    (root / where).chmod(0)
    if not os.geteuid():  # root may read everything
        monkeypatch.setattr(os, "access", lambda path, mode: not str(path).endswith(where))
    with pytest.raises(PermissionError, match=rf"{where} may not be read .*: make it readable \(chmod -R u\+rX\)"):
        folder(root)


def test_a_folder_without_permission_is_named(root, monkeypatch):
    scan = os.scandir

    def refuse(path):
        if str(path).endswith("train/bee"):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(folder_scan.os, "scandir", refuse)
    for take in (folder, folder_index.fingerprint):
        with pytest.raises(PermissionError, match=r"train/bee may not be read \(Permission denied\): make it readable"):
            take(str(root))


def test_a_root_that_may_not_be_entered_is_named(root, monkeypatch):
    def refuse(path):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(folder_scan.os, "stat", refuse)
    with pytest.raises(PermissionError, match=r"set may not be read \(Permission denied\): make it readable"):
        folder_index.fingerprint(str(root))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("x" * 300, r"x{60}… is too long for the name of a file \(300 characters\): shorten it"),
        ("x/" * 3000, r"is too long for the name of a file \(59\d\d characters\): shorten it"),
        ("a\0b", "does not exist, expected ROOT/train"),
        ("~nobody-of-this-name/set", "there is no such user: correct data.root"),
    ],
)
def test_a_root_that_is_no_path_is_told_in_a_sentence(wrong, message):
    with pytest.raises(OSError, match=message):
        folder_index.fingerprint(wrong)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("c" * 144, r"class folder c{40}… in .*train has a name of 144 bytes, at most 143 are allowed: rename it"),
        ("é" * 72, "has a name of 144 bytes"),
        ("cat\n", r"class folder 'cat\\n' in .* has a name with characters that cannot be printed: rename it"),
        ("cat\x1b[31m", "cannot be printed"),
        (os.fsdecode(b"caf\xe9"), r"'caf\\udce9' in .* cannot be printed"),
    ],
)
def test_a_class_needs_a_name(root, name, message):
    for split in ("train", "test", "masks/train", "masks/test"):
        (root / split / "bee").rename(root / split / name)
    with pytest.raises(ValueError, match=message):
        folder(root)


@pytest.mark.parametrize("name", ["cat", "n01440764", "Große Katze", "猫", "c" * 143, "a.b-c_(1)+"])
def test_names_that_every_system_has(root, name):
    assert is_portable(name)
    for split in ("train", "test", "masks/train", "masks/test"):
        (root / split / "bee").rename(root / split / name)
    assert set(folder(root).class_names) == {"ant", name}


@pytest.mark.parametrize("name", ["a:b", "a?", "con", "NUL.png", "a.", "a ", "a\\b", "a\n", "c" * 144, "\udce9"])
def test_names_that_some_system_has_not(name):
    assert not is_portable(name)
