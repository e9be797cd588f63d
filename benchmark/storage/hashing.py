"""One hash for one content: canonical JSON of plain values, whatever their order."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any


def content_hash(spec: dict[str, Any]) -> str:
    """16 hex digits of the SHA-256 of ``spec`` in canonical form.

    Dictionaries are sorted, floats are exact (a whole float equals the integer), tuples count as lists.

    Raises:
        TypeError: a value that is not None, bool, int, float, str, list or dict; the message says where it stands.
    """
    text = json.dumps(_canonical(spec, "spec"), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def without_modules(spec: Any) -> Any:
    """``spec`` with every class of this suite named without its module, so that moving a class changes no hash.

    Class names are unique in the suite. Classes of other packages keep their path: theirs may not be unique.
    """
    if isinstance(spec, dict):
        return {key: _class_name(item) if key == "_target_" else without_modules(item) for key, item in spec.items()}
    if isinstance(spec, list | tuple):
        return [without_modules(item) for item in spec]
    return spec


def _class_name(path: Any) -> Any:
    ours = isinstance(path, str) and path.partition(".")[0] in ("benchmark", "lightning_modules")
    return path.rpartition(".")[2] if ours else path


def _canonical(value: Any, where: str) -> Any:
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        return {"number": str(value)}
    if isinstance(value, float):
        if value != value or value in (float("inf"), float("-inf")):
            raise TypeError(f"{where} is {value}: only finite numbers can be hashed")
        return {"number": str(int(value)) if value == int(value) else value.hex()}
    if isinstance(value, list | tuple):
        return [_canonical(item, f"{where}[{index}]") for index, item in enumerate(value)]
    if isinstance(value, dict):
        return {"map": [[str(key), _canonical(value[key], f"{where}.{key}")] for key in sorted(value, key=str)]}
    raise TypeError(
        f"{where} is a {type(value).__name__}: a spec holds None, bool, int, float, str, list and dict only"
    )


def own_checksum(content: dict[str, Any]) -> str:
    """SHA-256 of a JSON object without its entry "checksum", where this stands in the file itself."""
    rest = {key: value for key, value in content.items() if key != "checksum"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def sha256_file(path: Path) -> str:
    """SHA-256 of a file, hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
