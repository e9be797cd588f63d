"""The name of every file and folder that is kept, each written here once.

```
results/<cell>/          cell.json samples.parquet curves.parquet images.safetensors maps.safetensors
results/.leases/<cell>   the lease of a cell that is being computed
store/<kind>/<key>/      artefact.json config.yaml metrics.json, and what the kind holds: weights.safetensors and
                         history.jsonl, predictions.safetensors, or group-000000.safetensors ...
store/<kind>/<key>.lease, store/<kind>/<key>.partial/   of an artefact that is being made
store/times.json         seconds of a unit of each loop, by machine: what a forecast is made from
store/data/              digits-<split>-<key>.safetensors: composites of the digits; folder-<key>.json: what is known of
                         an image folder
```
"""

from __future__ import annotations

import hashlib
import uuid
from pathlib import Path

CELL = "cell.json"
SAMPLES = "samples.parquet"
CURVES = "curves.parquet"
IMAGES = "images"  # of a record's tensors, see tensors_file
MAPS = "maps"

ARTEFACT = "artefact.json"
CONFIG = "config.yaml"
METRICS = "metrics.json"
WEIGHTS = "weights.safetensors"
PREDICTIONS = "predictions.safetensors"
HISTORY = "history.jsonl"
LOOKS = "looks.json"  # of a noise calibration that is not finished: what it has seen
CHECKPOINTS = "checkpoints"

DATA = "data"  # the folder of the store with caches of data sets instead of artefacts

PARTIAL = ".partial"
_LEASE = ".lease"
_LEASES = ".leases"
_MUTEX = ".mutex"
_TENSORS = ".safetensors"


def tensors_file(folder: Path, name: str) -> Path:
    """The file of a record's ``images`` or ``maps``."""
    return folder / f"{name}{_TENSORS}"


def cell_files(results: Path) -> list[Path]:
    """The cell.json of every record, by name of its folder."""
    return sorted(results.glob(f"*/{CELL}"))


def artefact_folders(store: Path) -> list[Path]:
    """The folder of every artefact that is finished or has lost its artefact.json."""
    kinds = [path for path in store.glob("*/") if path.name != DATA]
    return sorted(path for kind in kinds for path in kind.glob("*/") if path.suffix != PARTIAL)


def times_file(store: Path) -> Path:
    """The times that forecasts are made from."""
    return store / "times.json"


def history_files(store: Path) -> list[Path]:
    """The history of every training in the store."""
    return sorted(store.glob(f"*/*/{HISTORY}"))


def group_file(folder: Path, number: int) -> Path:
    """The perturbed images of one group of samples, in the artefact's folder."""
    return folder / f"group-{number:06d}{_TENSORS}"


def state_file(folder: Path, number: int) -> Path:
    """The state of the attack on one group while it is under way."""
    return folder / f"state-{number:06d}{_TENSORS}"


def composites_file(folder: Path, split: str, key: str) -> Path:
    """The cache of one split of composites of digits."""
    return folder / f"digits-{split}-{key}{_TENSORS}"


def folder_file(folder: Path, root: Path) -> Path:
    """What is known of an image folder."""
    return folder / f"folder-{hashlib.sha256(str(root).encode('utf-8', 'surrogateescape')).hexdigest()[:16]}.json"


def composites_files(store: Path) -> list[Path]:
    """Every cache of composites in the store."""
    return sorted((store / DATA).glob(f"digits-*{_TENSORS}"))


def partial_folder(folder: Path) -> Path:
    """Where an artefact is made before it gets its name; what a stopped one has left is continued there."""
    return folder.with_name(f"{folder.name}{PARTIAL}")


def partial_file(path: Path) -> Path:
    """The name of a file while it is written, which no other process uses, on this machine or another."""
    return path.with_name(f"{path.name}.{uuid.uuid4().hex}{PARTIAL}")


def partial_files_of(path: Path) -> list[Path]:
    """What writers of ``path`` that were killed have left."""
    return sorted(path.parent.glob(f"{path.name}.*{PARTIAL}"))


def partials(store: Path) -> list[Path]:
    """Every unfinished artefact and unfinished cache of the store."""
    folders = [path for path in store.glob(f"*/*{PARTIAL}") if path.is_dir()]
    return sorted([*folders, *(store / DATA).glob(f"digits-*{PARTIAL}")])


def lease_beside(path: Path) -> Path:
    """The lease on an artefact or a cache while it is made; it lies beside it."""
    return path.with_name(f"{path.name}{_LEASE}")


def artefact_leases(store: Path) -> list[Path]:
    """Every lease on an artefact or a cache of the store."""
    return sorted(store.glob(f"*/*{_LEASE}"))


def lease_in_folder(folder: Path) -> Path:
    """The lease on the folder of a cell or a sweep; it lies in ``.leases`` beside the folder."""
    return folder.parent / _LEASES / folder.name


def cell_leases(results: Path) -> list[Path]:
    """Every lease on a cell."""
    return sorted(path for path in results.glob(f"{_LEASES}/*") if path.suffix != _MUTEX)


def mutex_of(lease: Path) -> Path:
    """The file that is locked while a lease is read and written."""
    return lease.with_name(f"{lease.name}{_MUTEX}")
