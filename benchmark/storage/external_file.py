"""Files from outside that a configuration names: weights, and the map of their tensors' names."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import yaml

from benchmark.storage.paths import WEIGHTS

# What precedes a file inside an installed Python package, as in Hydra: pkg://PACKAGE/FILE
PACKAGE = "pkg://"
ORDER = "order"

KeyMap = dict[str, str] | str | None  # patterns to replacements, "order", or names as they are


def weights_file(path: str | Path, key: str) -> Path:
    """The file of weights that a key names: a file, an artefact's folder, or ``pkg://PACKAGE/FILE``.

    Raises:
        FileNotFoundError: it is not there, or the package is not installed, with the command that installs it.
    """
    text = str(path)
    place = _in_package(text.removeprefix(PACKAGE), key) if text.startswith(PACKAGE) else Path(path).expanduser()
    if place.is_dir() and not (place / WEIGHTS).is_file():
        raise FileNotFoundError(
            f"{key}={path} is a folder without {WEIGHTS}: name a .safetensors or .pt file, or an artefact's folder"
        )
    file = place / WEIGHTS if place.is_dir() else place
    if not file.is_file():
        wrong = "is no regular file" if file.exists() else "is not there"
        raise FileNotFoundError(f"{key}={path} {wrong}: name a .safetensors or .pt file, or an artefact's folder")
    return file


def _in_package(place: str, key: str) -> Path:
    package, _, file = place.partition("/")
    found = importlib.util.find_spec(package) if package.isidentifier() else None
    if found is None or not found.submodule_search_locations:
        raise FileNotFoundError(
            f"{key}={PACKAGE}{place} is a file of the Python package {package}, which is not installed: "
            f"pip install {package.replace('_', '-')}"
        )
    return Path(next(iter(found.submodule_search_locations))) / file


def read_key_map(value: Any, key: str) -> KeyMap:
    """The map of names that a key holds: patterns, "order", null, or the content of a yaml file of patterns.

    Raises:
        ValueError: it is none of these. FileNotFoundError: no such file.
    """
    if value is None or value == ORDER:
        return ORDER if value == ORDER else None
    patterns = value
    if isinstance(value, str):
        file = Path(value).expanduser()
        if not file.is_file():
            raise FileNotFoundError(f"{key}={value} is not there: name a yaml file of patterns, or {key}={ORDER}")
        try:
            patterns = yaml.safe_load(file.read_text(encoding="utf-8"))
        except (yaml.YAMLError, UnicodeDecodeError):
            patterns = None
    if not isinstance(patterns, dict) or not all(isinstance(each, str) for pair in patterns.items() for each in pair):
        raise ValueError(
            f"{key} is null, {ORDER!r}, or regular expressions of names in the file with what stands for them in ours "
            f"({{'^features\\.': 'stages.'}}), in the configuration or in a yaml file, got {str(value)[:60]}"
        )
    return dict(patterns)
