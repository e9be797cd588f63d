"""The store of artefacts: addressed by content, made once, whole or not there at all."""

from __future__ import annotations

import json
import logging
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from benchmark.processes import ranks
from benchmark.storage.atomic import write_atomic
from benchmark.storage.formats import FORMAT
from benchmark.storage.hashing import content_hash, own_checksum, sha256_file, without_modules
from benchmark.storage.leases import Lease

log = logging.getLogger("underfire")


@dataclass(frozen=True)
class Artefact:
    """A finished artefact: its folder, hash and metrics, and whether this call made it."""

    path: Path
    key: str
    metrics: dict[str, Any]
    made: bool


def artefact_key(kind: str, spec: dict[str, Any]) -> str:
    """The hash of a spec of one kind, the kind's format version folded in; where our classes live is not."""
    return content_hash({"kind": kind, "format": FORMAT[kind], "spec": without_modules(spec)})


class Store:
    """``root/<kind>/<key>/``: config.yaml (the spec), metrics.json, payload, and artefact.json, written last."""

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)

    def key(self, kind: str, spec: dict[str, Any]) -> str:
        """The artefact's hash."""
        return artefact_key(kind, spec)

    def path(self, kind: str, key: str) -> Path:
        """Where the artefact lies, or would."""
        return self.root / kind / key

    def discard(self, kind: str, spec: dict[str, Any]) -> None:
        """Forgets an artefact and what is half made of it."""
        folder = self.path(kind, self.key(kind, spec))
        with Lease(lease_file(folder), f"{kind} {folder.name}"):
            for each in (folder, _partial(folder)):
                if each.exists():
                    shutil.rmtree(each)

    def is_made(self, kind: str, key: str) -> bool:
        """Whether a finished artefact is there; its checksums are not read."""
        return (self.path(kind, key) / "artefact.json").is_file()

    def get(
        self, kind: str, spec: dict[str, Any], make: Callable[[Path], dict[str, Any]], *, alone: bool = True
    ) -> Artefact:
        """The artefact of a spec, made by ``make(folder)`` if it is missing or damaged.

        Whoever else asks for the same one meanwhile waits and then finds it. A ``make`` that raises leaves its partial
        folder, where a later one may go on. Of a distributed run the first process makes it ``alone`` while the others
        wait, or all of them do, and the first keeps what it returns.

        Raises:
            OSError: the store is not writable, or the disk is full.
        """
        key = self.key(kind, spec)
        folder = self.path(kind, key)
        if ranks.broadcast(lambda: folder.exists() and not corruption(folder)):
            return _load(folder, key, made=False)
        with first_holds(lambda: Lease(lease_file(folder), f"{kind} {key}")) as lease:
            if ranks.broadcast(lambda: _found(folder, kind, key)):
                return _load(folder, key, made=False)
            partial = _partial(folder)
            start = time.perf_counter()
            metrics = _made(make, partial, alone)
            ranks.barrier()
            if lease is not None:
                lease.must_be_held()
                _finish(partial, kind, spec, metrics, time.perf_counter() - start)
                _publish(partial, folder)
            ranks.barrier()
        return _load(folder, key, made=True)


@contextmanager
def first_holds(lease: Callable[[], Lease]) -> Iterator[Lease | None]:
    """The lease in the first process of a distributed run, None in the others."""
    with lease() if ranks.is_main_process() else nullcontext() as held:
        yield held


def _found(folder: Path, kind: str, key: str) -> bool:
    """Whether somebody has made it meanwhile; else a damaged one is removed and the partial folder is there."""
    if folder.exists():
        if not (fault := corruption(folder)):
            return True
        log.warning("%s %s is damaged (%s) and is made again", kind, key, fault)
        shutil.rmtree(folder)
    partial = _partial(folder)
    if partial.exists() and not corruption(partial):  # finished, and cut off before it had its name
        _publish(partial, folder)
        return True
    partial.mkdir(exist_ok=True)
    return False


def _publish(partial: Path, folder: Path) -> None:
    """Gives what is finished its name; where somebody has been quicker, theirs stays."""
    shutil.rmtree(partial / "checkpoints", ignore_errors=True)
    if folder.exists():
        shutil.rmtree(partial)
    else:
        os.replace(partial, folder)


def _made(make: Callable[[Path], dict[str, Any]], partial: Path, alone: bool) -> dict[str, Any]:
    if not alone:
        return make(partial)
    if not ranks.is_main_process():
        return {}
    with ranks.single_process():
        return make(partial)


def corruption(folder: Path) -> str | None:
    """What is wrong with an artefact's folder, or None: every file must be there with its checksum."""
    try:
        about = json.loads((folder / "artefact.json").read_text())
        sums, changed = about["checksums"], about["checksum"] != own_checksum(about)
    except (OSError, ValueError, KeyError, TypeError):
        return "artefact.json is missing or unreadable"
    if changed:
        return "artefact.json has changed"
    for name, expected in sums.items():
        path = folder / name
        if not path.is_file():
            return f"{name} is missing"
        if sha256_file(path) != expected:
            return f"{name} has changed"
    return None


def _partial(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.partial")


def lease_file(folder: Path) -> Path:
    """Who is making the artefact of that folder, if anybody is."""
    return folder.with_name(f"{folder.name}.lease")


def _finish(partial: Path, kind: str, spec: dict[str, Any], metrics: dict[str, Any], seconds: float) -> None:
    write_atomic(partial / "config.yaml", yaml.safe_dump(spec, sort_keys=True).encode())
    write_atomic(partial / "metrics.json", json.dumps(metrics, indent=1, sort_keys=True).encode())
    files = sorted(path for path in partial.rglob("*") if path.is_file() and path.suffix != ".partial")
    files = [path for path in files if path.parent.name != "checkpoints"]
    about = {
        "kind": kind,
        "format": FORMAT[kind],
        "seconds": round(seconds, 3),
        "checksums": {path.relative_to(partial).as_posix(): sha256_file(path) for path in files},
    }
    text = json.dumps({**about, "checksum": own_checksum(about)}, indent=1)
    write_atomic(partial / "artefact.json", text.encode())


def _load(folder: Path, key: str, made: bool) -> Artefact:
    return Artefact(folder, key, json.loads((folder / "metrics.json").read_text()), made)
