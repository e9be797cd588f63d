"""A zip file from a stranger, read as data: nothing is unpacked to disk, imported, instantiated or unpickled.

Members are read in memory, one by one, up to fixed sizes, whatever their headers say. Names are flat and of a fixed
form, so that none can lead out of a folder; links, encrypted members, repeated names and further members are refused.
"""

from __future__ import annotations

import hashlib
import json
import re
import stat
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

MANIFEST = "bundle.json"
_FILE = re.compile(r"(?:bundle\.json|configuration\.yaml|cells/[0-9a-f]{16}/(?:cell\.json|samples\.parquet|"
                   r"(?:images|maps)\.safetensors))")  # fmt: skip
MEMBERS = 2_000
LARGEST = {"json": 8 << 20, "yaml": 1 << 20, "parquet": 64 << 20, "safetensors": 512 << 20}  # bytes, unpacked
TOTAL = 2 << 30  # bytes of all members, unpacked
_RATIO = 200  # unpacked over packed bytes of the whole file: above it is no record, but a bomb
_CHUNK = 1 << 20


class Refused(ValueError):
    """A bundle that is not what a bundle may be."""


class SealedFile:
    """A bundle's members, checked against the manifest's SHA-256 when they are read.

    Args:
        path: of the zip file.
    Raises:
        Refused: it is no zip file, or holds something that no bundle holds.
        OSError: it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.is_file():
            raise FileNotFoundError(f"there is no bundle {path}: name the file that submit wrote")
        try:
            self.zip = zipfile.ZipFile(path)
            infos = self.zip.infolist()
        except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
            raise Refused(f"{path.name} is no zip file ({error})") from None
        _check_members(path, infos)
        self.infos = {info.filename: info for info in infos}
        if MANIFEST not in self.infos:
            raise Refused(f"{path.name} has no {MANIFEST}: it is no bundle")
        self.manifest = self._manifest()

    def _manifest(self) -> dict[str, Any]:
        found = parsed_json(self._read(MANIFEST), MANIFEST)
        files = found.get("files")
        if not isinstance(files, dict) or not all(isinstance(each, str) for each in files.values()):
            raise Refused(f"{MANIFEST} has no SHA-256 of the other files")
        if set(files) != set(self.infos) - {MANIFEST}:
            odd = sorted(set(files) ^ (set(self.infos) - {MANIFEST}))
            raise Refused(f"{odd[0]!r} is in the bundle and not in {MANIFEST}, or the other way round")
        return found

    def read(self, name: str) -> bytes:
        """A member's bytes.

        Raises:
            Refused: it has changed since the bundle was made, is damaged or too large.
        """
        content = self._read(name)
        if hashlib.sha256(content).hexdigest() != self.manifest["files"][name]:
            raise Refused(f"{name} has changed since the bundle was made: its SHA-256 is another")
        return content

    def _read(self, name: str) -> bytes:
        limit = LARGEST[name.rpartition(".")[2]]
        parts, size = [], 0
        try:
            with self.zip.open(self.infos[name]) as member:
                while part := member.read(_CHUNK):
                    size += len(part)
                    if size > limit:
                        raise Refused(f"{name} unpacks to more than {limit >> 20} MB")
                    parts.append(part)
        except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, OSError) as error:
            raise Refused(f"{name} cannot be read: {error}") from None
        except Exception as error:
            if isinstance(error, Refused):
                raise
            raise Refused(f"{name} is damaged: {error}") from None  # of a decompressor
        return b"".join(parts)

    def cells(self) -> list[str]:
        """Keys of the cells, in order."""
        return sorted({name.split("/")[1] for name in self.infos if name.startswith("cells/")})

    def has(self, name: str) -> bool:
        """Whether there is such a member."""
        return name in self.infos


def _check_members(path: Path, infos: list[zipfile.ZipInfo]) -> None:
    if len(infos) > MEMBERS:
        raise Refused(f"{path.name} has {len(infos)} members, at most {MEMBERS} are read")
    seen: set[str] = set()
    for info in infos:
        name = info.filename
        if not _FILE.fullmatch(name) or info.orig_filename != name:
            raise Refused(
                f"{path.name} holds {info.orig_filename[:80]!r}, which no bundle holds: cell.json, samples.parquet, "
                "images.safetensors and maps.safetensors of cells, configuration.yaml and bundle.json"
            )
        kind = stat.S_IFMT(info.external_attr >> 16)
        if kind not in (0, stat.S_IFREG):
            raise Refused(f"{name} is no plain file but a link or device")
        if info.flag_bits & 0x1:
            raise Refused(f"{name} is encrypted")
        if name in seen:
            raise Refused(f"{name} is in the bundle twice")
        seen.add(name)
        if info.file_size > LARGEST[name.rpartition(".")[2]]:
            raise Refused(f"{name} unpacks to {info.file_size} bytes, more than a bundle may hold")
    total = sum(info.file_size for info in infos)
    if total > TOTAL or total > _RATIO * max(path.stat().st_size, 1):
        raise Refused(f"{path.name} unpacks from {path.stat().st_size} to {total} bytes: more than a bundle may hold")


def parsed_json(content: bytes, name: str) -> dict[str, Any]:
    """A JSON object.

    Raises:
        Refused: it is none.
    """
    try:
        found = json.loads(content.decode("utf-8"), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise Refused(f"{name} is no JSON: {error}") from None
    if not isinstance(found, dict):
        raise Refused(f"{name} is no JSON object")
    return found


def _no_constant(text: str) -> float:
    raise ValueError(f"{text} is no number of JSON")


def write_sealed(path: Path, files: Mapping[str, bytes], manifest: Mapping[str, Any]) -> None:
    """Writes a bundle: the files, and bundle.json with their SHA-256. Equal content gives equal bytes.

    Raises:
        ValueError: a name that no bundle may hold.
    """
    if odd := [name for name in files if not _FILE.fullmatch(name)]:
        raise ValueError(f"a bundle does not hold {odd[0]!r}")
    sums = {name: hashlib.sha256(content).hexdigest() for name, content in sorted(files.items())}
    head = json.dumps({**manifest, "files": sums}, indent=1, ensure_ascii=False, allow_nan=False).encode()
    partial = path.with_name(f"{path.name}.partial")
    with zipfile.ZipFile(partial, "w") as file:
        for name, content in [(MANIFEST, head), *sorted(files.items())]:
            info = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            info.external_attr = (stat.S_IFREG | 0o644) << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            file.writestr(info, content)
    partial.replace(path)
