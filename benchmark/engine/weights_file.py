"""Files of weights: read without unpickling anything, and what is wrong with those that cannot be read."""

from __future__ import annotations

import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

SAVE_ALONE = "save the network's own state_dict: torch.save(network.state_dict(), FILE)"


def read_state_dict(file: Path, key: str, entry: str | None = None) -> dict[str, Tensor]:
    """The tensors of a .safetensors or .pt/.pth/.ckpt file by name; of the latter also those of its one entry that
    holds some (``state_dict``, ``model``, ``ema.shadow``, ...), a dot for an entry inside of another.

    Args:
        key: the configuration key, for messages. entry: the entry to take where there are several, or what the names
            of the tensors to take begin with, before a dot.
    Raises:
        ValueError: damaged, or the file holds something else, with what to do.
        OSError: it cannot be read.
    """
    return _state_dict(_content_of(file, key), f"{key}={file}", f"{key}_entry", entry)


def is_safetensors(file: Path) -> bool:
    """Whether a file is one by its name or its content."""
    try:
        with file.open("rb") as opened:
            return file.suffix == ".safetensors" or _begins_as_safetensors(opened.read(16))
    except OSError:
        return False  # reading it says why


def _begins_as_safetensors(start: bytes) -> bool:
    return start[8:9] == b"{"  # after the length of the header


def _content_of(file: Path, key: str) -> Any:
    """What the file holds; the reason why it cannot be read is ours, because torch's would advise to unpickle it."""
    try:
        with file.open("rb") as opened:
            start = opened.read(512)
    except OSError as error:
        raise OSError(f"{key}={file} cannot be read ({error.strerror}): see to its permissions") from None
    try:
        if _begins_as_safetensors(start) or file.suffix == ".safetensors":
            return load_file(file)
        return torch.load(file, map_location="cpu", weights_only=True)
    except MemoryError:
        raise
    except Exception as error:  # a damaged file makes the readers fail in any way
        raise ValueError(f"{key}={file} is {_reason(start, error)}") from None


def _reason(start: bytes, error: Exception) -> str:
    """What is wrong with a file that begins with ``start`` and could not be read, and what to do."""
    if not start:
        return "damaged: it is empty; get it again"
    if start.startswith(b"version https://git-lfs"):
        return "a pointer of Git LFS instead of the weights: fetch them with git lfs pull"
    if all(byte in b"\t\n\r" or 32 <= byte < 127 for byte in start):
        return "a text file, damaged or no weights (a page of a server that asks to log in?): get it again"
    found = re.search(r"GLOBAL (\S+)", str(error))
    if "TorchScript" in str(error):
        return f"a TorchScript archive, which holds more than tensors: {SAVE_ALONE}"
    if found or (isinstance(error, pickle.UnpicklingError) and "weights_only" in str(error).lower()):
        held = f" ({found.group(1)})" if found else ""
        return f"damaged or holds more than tensors{held}, and objects in files are never loaded: {SAVE_ALONE}"
    return "damaged: it ends too early or is no file of weights; get it again"


def _state_dict(found: Any, what: str, entry_key: str, entry: str | None) -> dict[str, Tensor]:
    """The tensors by name, from the file's content or one of its entries."""
    if not isinstance(found, dict):
        kind = "a list" if isinstance(found, list | tuple) else f"one {type(found).__name__}"
        raise ValueError(f"{what} does not hold a state_dict of tensors but {kind}: {SAVE_ALONE}")
    outer = {str(name): value for name, value in found.items() if _is_state_dict(value)}
    inner = {
        f"{name}.{each}": value
        for name, inside in found.items()
        if isinstance(inside, dict) and str(name) not in outer
        for each, value in inside.items()
        if _is_state_dict(value)
    }
    if entry is not None:
        return _entry(found, outer | inner, what, entry_key, entry)
    if _is_state_dict(found):
        return _named(found)
    held = outer or inner
    if len(held) > 1:
        names = " and ".join(map(repr, held))
        raise ValueError(f"{what} holds weights under {names}: name the ones to take, {entry_key}={next(iter(held))}")
    if not held:
        raise ValueError(f"{what} does not hold a state_dict of tensors ({_content(found)}): {SAVE_ALONE}")
    return _named(next(iter(held.values())))


def _entry(
    found: dict[Any, Any], held: Mapping[str, Mapping[Any, Tensor]], what: str, entry_key: str, entry: str
) -> dict[str, Tensor]:
    """The tensors of one entry, whose name may end in what the names of the tensors begin with."""
    if entry in held:
        return _named(held[entry])
    below = [name for name in held if name.startswith(f"{entry}.")]
    if len(below) == 1:
        return _named(held[below[0]])
    whole: dict[str, Mapping[Any, Tensor]]
    whole = {"": found} if _is_state_dict(found) else {f"{name}.": value for name, value in held.items()}
    if len(held) == 1:
        whole[""] = next(iter(held.values()))
    for name, state in whole.items():
        first = f"{entry.removeprefix(name)}."
        taken = {each.removeprefix(first): value for each, value in _named(state).items() if each.startswith(first)}
        if entry.startswith(name) and taken:
            return taken
    there = ", ".join(map(repr, held)) or "none"
    raise ValueError(f"{what} has no entry {entry!r} with tensors ({there}): correct {entry_key}")


def _named(state: Mapping[Any, Tensor]) -> dict[str, Tensor]:
    return {str(name): value for name, value in state.items()}


def _is_state_dict(value: Any) -> bool:
    return isinstance(value, Mapping) and bool(value) and all(isinstance(each, Tensor) for each in value.values())


def _content(found: dict[Any, Any]) -> str:
    names = ", ".join(f"{str(name)[:40]!r}: {type(value).__name__}" for name, value in list(found.items())[:3])
    return f"it holds {names}{', ...' if len(found) > 3 else ''}" if found else "it is empty"
