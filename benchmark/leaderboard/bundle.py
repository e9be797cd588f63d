"""An entry of the leaderboard as one file: the records of its cells, their images, the configuration, and hashes.

    bundle.json              kind, name, who made it, hashes of the other files; of a defence the hashes of its weights
    configuration.yaml       the settings of the first cell, to be read by people: nothing reads it back
    cells/KEY/cell.json ...  the records, as docs/records.md has them

A bundle is data. What is read of it are numbers, texts and arrays, checked against the schema of records.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import yaml

from benchmark.leaderboard.sealed_file import Refused, SealedFile, parsed_json, write_sealed
from benchmark.storage import paths
from benchmark.storage.artefacts import Store
from benchmark.storage.formats import FORMAT
from benchmark.storage.hashing import own_checksum, sha256_file
from benchmark.storage.record_check import check_cell, check_samples
from benchmark.storage.records import Record, Tensors

Kind = Literal["attack", "defence"]
BUNDLE_FORMAT = 1
LONGEST = 200  # characters of a name
_SECTIONS = ("seed", "split", "data", "classifier", "interpreter", "probe", "measure", "budget", "trainer")
_TEXTS = ("name", "by", "url", "note")


@dataclass(frozen=True)
class Bundle:
    """A bundle that was read: its kind and texts, and its records, in memory. sha256: of the whole file."""

    kind: Kind
    name: str
    by: str
    url: str
    note: str
    weights: Mapping[str, str]
    records: Sequence[Record]
    sha256: str


def write_bundle(
    path: Path,
    records: Sequence[Record],
    *,
    kind: Kind,
    name: str,
    by: str,
    url: str = "",
    note: str = "",
    store: Path | None = None,
) -> None:
    """Packs finished records with their images into one file.

    Args:
        kind: attack, the attacked cells of somebody's defence; or defence, its clean and attacked cells.
        name: of the attack or defence. by: who made it. url: of a paper or page.
        store: where the weights of a defence lie, whose hashes go along; the weights do not.
    Raises:
        ValueError: no name, no record, records without the images of every sample, weights that are not in the store.
    """
    if kind not in ("attack", "defence"):
        raise ValueError(f"kind is attack or defence, got {kind!r}")
    texts = {"name": name, "by": by, "url": url, "note": note}
    for key, value in texts.items():
        if not isinstance(value, str) or len(value) > LONGEST or (key in ("name", "by") and not value.strip()):
            raise ValueError(
                f"{key} is a text of at most {LONGEST} characters{', not empty' * (key in ('name', 'by'))}"
            )
    attacked = [record for record in records if "goal" in record.samples]
    if not attacked:
        raise ValueError("no record of an attack among those chosen: run one, probe=adv2_auto, or choose others")
    if kind == "defence" and len(attacked) == len(records):
        raise ValueError("a defence takes its clean cells too, from which the pair alarm and the accuracy come")
    files: dict[str, bytes] = {}
    for record in records:
        files |= _files_of(record)
    config = _shared(records[0].cell["config"])
    files["configuration.yaml"] = yaml.safe_dump(config, sort_keys=False, allow_unicode=True).encode()
    weights = {} if kind == "attack" else _weights(records, store)
    write_sealed(path, files, {"format": BUNDLE_FORMAT, "kind": kind, **texts, "weights": weights})


def _files_of(record: Record) -> dict[str, bytes]:
    cell = {**record.cell, "config": _shared(record.cell["config"])}
    cell["checksums"] = {name: each for name, each in cell["checksums"].items() if name != paths.CURVES}
    cell["checksum"] = own_checksum(cell)
    folder = f"cells/{cell['cell']}"
    if "goal" in record.samples:
        missing = set(record.samples["sample_id"]) - set(record.images.get("sample_id", np.zeros(0)).tolist())
        if missing:
            raise ValueError(
                f"{cell['name']} has no images of {len(missing)} of its samples: run it with measure.keep="
                f"{len(record.samples)} or more"
            )
    found = {f"{folder}/cell.json": json.dumps(cell, indent=1, allow_nan=False).encode()}
    names = [paths.SAMPLES]
    if "goal" in record.samples:
        names += [f"{name}.safetensors" for name in (paths.IMAGES, paths.MAPS)]
    return found | {f"{folder}/{name}": (record.folder / name).read_bytes() for name in names}


def _shared(config: Mapping[str, Any]) -> dict[str, Any]:
    """What others may know of a configuration: no folders, no loggers."""
    found = {name: config[name] for name in _SECTIONS if name in config}
    if "data" in found:
        found["data"] = {key: value for key, value in found["data"].items() if key != "root"}
    return found


def _weights(records: Sequence[Record], store: Path | None) -> dict[str, str]:
    """SHA-256 of the weights of every classifier and interpreter, by the key of its artefact."""
    if store is None or not store.is_dir():
        raise ValueError("a defence names the hashes of its weights: name the store that has them, --store FOLDER")
    found: dict[str, str] = {}
    for record in records:
        for name, key in record.cell["artefacts"].items():
            kind = name.split()[0]
            if kind in ("classifier", "interpreter"):
                folder = Store(store).root / kind / key
                try:
                    found[key] = json.loads((folder / paths.ARTEFACT).read_text())["checksums"][paths.WEIGHTS]
                except (OSError, ValueError, KeyError):
                    raise ValueError(f"the weights of {name} are not in {folder}: name the store they are in") from None
    return found


def read_bundle(path: Path) -> Bundle:
    """A bundle whose every file is what it was when it was made, and fits the schema of records.

    Raises:
        Refused: it does not; the sentence says what is wrong.
        OSError: there is no such file.
    """
    sealed = SealedFile(path)
    manifest = sealed.manifest
    if manifest.get("format") != BUNDLE_FORMAT or manifest.get("kind") not in ("attack", "defence"):
        raise Refused(f"{path.name} is a bundle of another version, or of no known kind")
    texts = {key: manifest.get(key, "") for key in _TEXTS}
    if not all(isinstance(value, str) and len(value) <= LONGEST for value in texts.values()):
        raise Refused(f"name, by, url and note of {path.name} are texts of at most {LONGEST} characters")
    if texts["url"] and not texts["url"].startswith(("https://", "http://")):
        raise Refused(f"the url of {path.name} begins neither with https:// nor with http://")
    if not texts["name"].strip() or not texts["by"].strip():
        raise Refused(f"{path.name} does not say its name, or who made it")
    weights = manifest.get("weights", {})
    if not isinstance(weights, dict) or not all(isinstance(x, str) for pair in weights.items() for x in pair):
        raise Refused(f"the weights of {path.name} are no hashes")
    keys = sealed.cells()
    if not keys:
        raise Refused(f"{path.name} holds no cell")
    records = [_record(sealed, key) for key in keys]
    return Bundle(manifest["kind"], **texts, weights=weights, records=records, sha256=sha256_file(path))


def _record(sealed: SealedFile, key: str) -> Record:
    folder = f"cells/{key}"
    for name in ("cell.json", paths.SAMPLES):
        if not sealed.has(f"{folder}/{name}"):
            raise Refused(f"{folder} has no {name}")
    cell = parsed_json(sealed.read(f"{folder}/cell.json"), f"{folder}/cell.json")
    _check_cell(cell, key, folder)
    samples = _samples(sealed.read(f"{folder}/{paths.SAMPLES}"), folder)
    tensors = {
        name: _tensors(sealed.read(member), member) if sealed.has(member := f"{folder}/{name}.safetensors") else {}
        for name in (paths.IMAGES, paths.MAPS)
    }
    record = Record(Path(folder), cell)
    vars(record).update(samples=samples, curves=None, images=tensors[paths.IMAGES], maps=tensors[paths.MAPS])
    return record


def _check_cell(cell: dict[str, Any], key: str, folder: str) -> None:
    try:
        check_cell(cell)
        whole = cell["checksum"] == own_checksum(cell)
        fields = {"cell": key, "status": "done", "format": FORMAT["cell"]}
        odd = [name for name, value in fields.items() if cell[name] != value]
        numbers = all(isinstance(cell[name], int) for name in ("seed", "data_seed", "n_samples"))
        texts = all(isinstance(cell[name], str) for name in ("data", "classifier", "interpreter", "probe", "split"))
        parts = all(isinstance(cell[name], dict) for name in ("config", "facts", "artefacts", "versions"))
        sections = all(
            isinstance(cell["config"][name], dict) for name in ("data", "classifier", "interpreter", "probe")
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Refused(f"{folder}/cell.json is no record of a finished cell: {error}") from None
    if odd or not (whole and numbers and texts and parts and sections):
        raise Refused(f"{folder}/cell.json is no record of a finished cell of this version, or has changed")


def _samples(content: bytes, folder: str) -> pd.DataFrame:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(io.BytesIO(content), memory_map=False)
        if not all(pa.types.is_primitive(field.type) for field in table.schema):
            raise ValueError("a column is neither of numbers nor of flags")
        samples: pd.DataFrame = table.replace_schema_metadata(None).to_pandas()
        check_samples(samples)
    except (ValueError, KeyError, TypeError, OSError, pa.ArrowException) as error:
        raise Refused(f"{folder}/{paths.SAMPLES} does not fit the schema of records: {error}") from None
    if not len(samples) or samples["sample_id"].duplicated().any():
        raise Refused(f"{folder}/{paths.SAMPLES} has no sample, or one twice")
    return samples


def _tensors(content: bytes, name: str) -> Tensors:
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        found = load(content)
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise Refused(f"{name} is no safetensors file: {error}") from None
    kinds = {"sample_id": "iu", "benign": "u" if "images" in name else "f", "probed": "u" if "images" in name else "f"}
    if set(found) - set(kinds) or "sample_id" not in found:
        raise Refused(f"{name} holds other arrays than sample_id, benign and probed")
    rows = len(found["sample_id"])
    for key, array in found.items():
        wanted = 1 if key == "sample_id" else 4 if "images" in name else 3
        if array.dtype.kind not in kinds[key] or array.ndim != wanted or len(array) != rows:
            raise Refused(f"{name}: {key} is no array of the shape and type that records have")
    return found
