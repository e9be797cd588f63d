"""The folders and image files in a folder, with an error that names what is in the way; imports no torch."""

from __future__ import annotations

import errno
import os
import stat
import unicodedata
from pathlib import Path

from benchmark.numerics.bounds import RESERVED_NAMES

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".webp")
# Bytes of a file name that every usual file system takes (eCryptfs: 143).
LONGEST_NAME = 143
_KINDS = {stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}


def entries(folder: Path) -> list[os.DirEntry[str]]:
    """What is in a folder, by name.

    Raises:
        OSError: the folder may not be listed.
    """
    try:
        with os.scandir(folder) as found:
            return sorted(found, key=lambda entry: entry.name)
    except OSError as error:
        raise _unreadable(folder, error) from None


def folders(parent: Path) -> list[Path]:
    """The folders in ``parent`` by name, without hidden ones; none where there is no ``parent``.

    Raises:
        ValueError: a link to a folder above itself. OSError: ``parent`` may not be listed, or a link leads to itself.
    """
    if not is_folder(parent):
        return []
    found = [entry for entry in entries(parent) if not entry.name.startswith(".") and is_folder(entry)]
    for entry in found:
        if entry.is_symlink():
            _check_link(Path(entry.path))
    return [parent / entry.name for entry in found]


def images(folder: Path) -> list[Path]:
    """The files in ``folder`` whose names end as an image's does, by name, without hidden ones; none is opened.

    Raises:
        ValueError: a pipe, socket or device. OSError: a file or folder that may not be read, a broken link.
    """
    found = [entry for entry in entries(folder) if is_image(entry.name) and not is_folder(entry)]
    for entry in found:
        _check_file(entry)
    return [folder / entry.name for entry in found]


def is_image(name: str) -> bool:
    """Whether a file of this name is taken for an image."""
    return name.lower().endswith(SUFFIXES) and not name.startswith(".")


def is_folder(path: Path | os.DirEntry[str]) -> bool:
    """Whether there is a folder, or a link to one.

    Raises:
        OSError: a link that leads to itself, a name that is too long, a folder that may not be entered.
    """
    try:
        return path.is_dir() if isinstance(path, os.DirEntry) else stat.S_ISDIR(os.stat(path).st_mode)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return False
    except OSError as error:
        raise _unreadable(path, error) from None


def file_size(file: Path) -> int:
    """Bytes of a file; raises an OSError that names it."""
    try:
        return file.stat().st_size
    except OSError as error:
        raise _unreadable(file, error) from None


def content(file: Path, last: int | None = None) -> bytes:
    """The bytes of a file, or the ``last`` ones of it; raises an OSError that names it."""
    try:
        with file.open("rb") as opened:
            if last is not None:
                opened.seek(max(0, os.fstat(opened.fileno()).st_size - last))
            return opened.read()
    except OSError as error:
        raise _unreadable(file, error) from None


def check_class_name(name: str, folder: Path) -> None:
    """Raises a ValueError for the name of a class that cannot be printed or is longer than 143 bytes."""
    if not _is_text(name):
        raise ValueError(
            f"the class folder {name!r} in {folder} has a name with characters that cannot be printed: rename it in "
            "every split"
        )
    if (length := len(os.fsencode(name))) > LONGEST_NAME:
        raise ValueError(
            f"the class folder {name[:40]}… in {folder} has a name of {length} bytes, at most {LONGEST_NAME} are "
            "allowed: rename it in every split"
        )


def is_portable(name: str) -> bool:
    """Whether every usual system can have a file of this name."""
    plain = _is_text(name) and not set('/\\<>:"|?*') & set(name) and not name.endswith((".", " "))
    return plain and len(os.fsencode(name)) <= LONGEST_NAME and name.split(".")[0].lower() not in RESERVED_NAMES


def _is_text(name: str) -> bool:
    """Whether a name has neither control characters nor bytes that are no text."""
    if name.isascii() and name.isprintable():
        return True
    return not any(unicodedata.category(character) in ("Cc", "Cs") for character in name)


def _check_file(entry: os.DirEntry[str]) -> None:
    try:
        kind = 0 if entry.is_file() else stat.S_IFMT(os.stat(entry.path).st_mode)
    except OSError as error:
        raise _unreadable(entry, error) from None
    if kind:
        raise ValueError(f"{entry.path} is {_KINDS.get(kind, 'no file')}, expected an image: remove it")
    if not os.access(entry.path, os.R_OK):
        raise _unreadable(entry, PermissionError(errno.EACCES, os.strerror(errno.EACCES)))


def _check_link(link: Path) -> None:
    above = link.parent.resolve()
    if (target := link.resolve()) in (above, *above.parents):
        raise ValueError(f"{link} is a link to {target}, which it lies in: remove the link")


def _unreadable(path: Path | os.DirEntry[str], error: OSError) -> OSError:
    """The same error with a sentence."""
    name = os.fspath(path)
    if error.errno == errno.ELOOP:
        return OSError(f"{name} is a link that leads back to itself: remove it")
    if error.errno == errno.ENAMETOOLONG:
        return OSError(f"{name[:60]}… is too long for the name of a file ({len(name)} characters): shorten it")
    if isinstance(error, PermissionError):
        mend = "make it readable (chmod -R u+rX) or remove it"
        return PermissionError(f"{name} may not be read ({error.strerror}): {mend}")
    return type(error)(f"{name} cannot be read ({error.strerror}): restore the file or remove it")
