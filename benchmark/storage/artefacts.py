"""The store of artefacts: addressed by content, made once, whole or not there at all."""

from __future__ import annotations

import json
import logging
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from benchmark.processes import ranks
from benchmark.storage import paths
from benchmark.storage.atomic import write_atomic
from benchmark.storage.formats import FORMAT, format_of, is_other
from benchmark.storage.hashing import content_hash, own_checksum, sha256_file, without_modules
from benchmark.storage.leases import Lease

log = logging.getLogger("underfire")

Spec = dict[str, Any]  # what defines an artefact, of plain values
Metrics = dict[str, Any]  # what its maker reports of it, of plain values


@dataclass(frozen=True)
class Artefact:
    """A finished artefact: its folder, hash and metrics, and whether this call made it."""

    path: Path
    key: str
    metrics: Metrics
    made: bool


@dataclass(frozen=True)
class Manifest:
    """The content of artefact.json, which is written last: an artefact with one is finished."""

    kind: str
    format: int
    seconds: float  # that making it took
    checksums: dict[str, str]  # SHA-256 of every file by its path in the folder

    def write(self, folder: Path) -> None:
        """Writes it with a checksum of its own."""
        content = asdict(self)
        text = json.dumps({**content, "checksum": own_checksum(content)}, indent=1)
        write_atomic(folder / paths.ARTEFACT, text.encode())


def read_manifest(folder: Path) -> Manifest:
    """The manifest of an artefact.

    Raises:
        ValueError: it is missing, unreadable, changed or of another version's format; the message says which.
    """
    try:
        content = json.loads((folder / paths.ARTEFACT).read_text())
        expected = content.pop("checksum")
        known = {each.name for each in fields(Manifest)}
        manifest = Manifest(**{name: value for name, value in content.items() if name in known})
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise ValueError(f"{paths.ARTEFACT} is missing or unreadable") from None
    if expected != own_checksum(content):
        raise ValueError(f"{paths.ARTEFACT} has changed")
    if is_other(manifest.kind, manifest.format):
        raise ValueError(f"of format {manifest.format}, this suite writes {FORMAT.get(manifest.kind)}")
    return manifest


def is_other_format(folder: Path) -> bool:
    """Whether an artefact says that another version of the suite made it; its checksums are not read."""
    try:
        return is_other(folder.parent.name, format_of(folder / paths.ARTEFACT))
    except OSError:
        return False


def artefact_key(kind: str, spec: Spec) -> str:
    """The hash of an artefact: of its kind, the kind's format version, and its spec without our modules' paths.

    Raises:
        TypeError: the spec holds something else than plain values; the message says where.
    """
    try:
        text = json.dumps(spec, sort_keys=True)
    except TypeError:
        return _key(kind, spec)
    return _known_key(kind, text)


def _key(kind: str, spec: Spec) -> str:
    return content_hash({"kind": kind, "format": FORMAT[kind], "spec": without_modules(spec)})


@lru_cache(maxsize=100_000)
def _known_key(kind: str, text: str) -> str:
    """Of a spec as JSON: the cells of a sweep share most of theirs, and JSON is written faster than a hash is made."""
    return _key(kind, json.loads(text))


class Store:
    """``root/<kind>/<key>/`` for every artefact; paths.py names the files in it."""

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)

    def key(self, kind: str, spec: Spec) -> str:
        """The artefact's hash."""
        return artefact_key(kind, spec)

    def path(self, kind: str, key: str) -> Path:
        """The artefact's folder, whether it exists or not."""
        return self.root / kind / key

    def discard(self, kind: str, spec: Spec) -> None:
        """Deletes an artefact, finished or partial."""
        folder = self.path(kind, self.key(kind, spec))
        with Lease(paths.lease_beside(folder), f"{kind} {folder.name}"):
            for each in (folder, paths.partial_folder(folder)):
                if each.exists():
                    shutil.rmtree(each)

    def is_made(self, kind: str, key: str) -> bool:
        """Whether a finished artefact of this version is there; its checksums are not read."""
        folder = self.path(kind, key)
        return (folder / paths.ARTEFACT).is_file() and not is_other_format(folder)

    def get(self, kind: str, spec: Spec, make: Callable[[Path], Metrics], *, single_process: bool = True) -> Artefact:
        """The artefact of a spec, made by ``make(folder)`` if it is missing or damaged.

        Other processes that ask for the same artefact wait until it is made. A ``make`` that raises leaves its partial
        folder, from which a later call may continue.

        Args:
            make: writes the payload into a folder and returns the metrics.
            single_process: in a distributed run only the main process calls ``make`` while the others wait. Otherwise
                all of them call it, and the main process keeps what its own call returns.
        Raises:
            OSError: the store is not writable, or the disk is full.
        """
        key = self.key(kind, spec)
        folder = self.path(kind, key)
        if ranks.broadcast(lambda: folder.exists() and not corruption(folder)):
            return _load(folder, key, made=False)
        with main_process_lease(lambda: Lease(paths.lease_beside(folder), f"{kind} {key}")) as lease:
            if ranks.broadcast(lambda: _made_meanwhile(folder, kind, key)):
                return _load(folder, key, made=False)
            partial = paths.partial_folder(folder)
            start = time.perf_counter()
            metrics = _make(make, partial, single_process)
            ranks.barrier()
            if lease is not None:
                lease.must_be_held()
                _finish(partial, kind, spec, metrics, time.perf_counter() - start)
                _publish(partial, folder)
            ranks.barrier()
        return _load(folder, key, made=True)


@contextmanager
def main_process_lease(lease: Callable[[], Lease]) -> Iterator[Lease | None]:
    """The lease in the main process of a distributed run, None in the others."""
    with lease() if ranks.is_main_process() else nullcontext() as acquired:
        yield acquired


def _made_meanwhile(folder: Path, kind: str, key: str) -> bool:
    """Whether another process has made it by now. If not, a damaged one is removed and the partial folder made."""
    if folder.exists():
        if not (fault := corruption(folder)):
            return True
        what = fault if is_other_format(folder) else f"damaged ({fault})"
        log.warning("%s %s is %s and is made again", kind, key, what)
        shutil.rmtree(folder)
    partial = paths.partial_folder(folder)
    if partial.exists() and not corruption(partial):  # finished, and stopped before it was renamed
        _publish(partial, folder)
        return True
    partial.mkdir(exist_ok=True)
    return False


def _publish(partial: Path, folder: Path) -> None:
    """Renames a finished artefact; one that another process has published first stays."""
    shutil.rmtree(partial / paths.CHECKPOINTS, ignore_errors=True)
    if folder.exists():
        shutil.rmtree(partial)
    else:
        os.replace(partial, folder)


def _make(make: Callable[[Path], Metrics], partial: Path, single_process: bool) -> Metrics:
    if not single_process:
        return make(partial)
    if not ranks.is_main_process():
        return {}
    with ranks.single_process():
        return make(partial)


def corruption(folder: Path) -> str | None:
    """What is wrong with an artefact's folder, or None: every file must be there with its checksum."""
    try:
        manifest = read_manifest(folder)
    except ValueError as error:
        return str(error)
    for name, expected in manifest.checksums.items():
        path = folder / name
        if not path.is_file():
            return f"{name} is missing"
        if sha256_file(path) != expected:
            return f"{name} has changed"
    return None


def _finish(partial: Path, kind: str, spec: Spec, metrics: Metrics, seconds: float) -> None:
    write_atomic(partial / paths.CONFIG, yaml.safe_dump(spec, sort_keys=True).encode())
    write_atomic(partial / paths.METRICS, json.dumps(metrics, indent=1, sort_keys=True).encode())
    files = sorted(path for path in partial.rglob("*") if path.is_file() and path.suffix != paths.PARTIAL)
    files = [path for path in files if path.parent.name != paths.CHECKPOINTS]
    sums = {path.relative_to(partial).as_posix(): sha256_file(path) for path in files}
    Manifest(kind, FORMAT[kind], round(seconds, 3), sums).write(partial)


def _load(folder: Path, key: str, made: bool) -> Artefact:
    return Artefact(folder, key, json.loads((folder / paths.METRICS).read_text()), made)
