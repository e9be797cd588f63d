"""Weights from outside: read without unpickling anything, and refused where they do not fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import yaml
from torch import Tensor, nn

from benchmark.engine.weights_file import read_state_dict
from benchmark.storage.paths import CONFIG, WEIGHTS

# What precedes the names of weights that were saved from inside something else.
PREFIXES = {
    "module.": "DistributedDataParallel, DataParallel or an averaged model",
    "_orig_mod.": "torch.compile",
    "network.": "a Lightning module",
    "model.": "a Lightning module or a trainer's wrapper",
    "net.": "a wrapper",
    "backbone.": "a wrapper",
    "encoder.": "a wrapper",
}


def load_external_weights(path: str | Path, module: nn.Module, key: str, **expected: Any) -> None:
    """Loads a checkpoint into ``module``.

    Args:
        path: a .safetensors file, an artefact's folder, or a .pt/.pth/.ckpt file that holds tensors only.
        key: the configuration key, for messages. expected: entries that the artefact's config.yaml must agree with
            (the classifier's hash, the data set's), where the checkpoint is one of ours.
    Raises:
        ValueError: damaged, of another network or class count, not finite, of a type that weights do not have, or
            trained for another classifier or data set.
        OSError: there is no such file, or it cannot be read.
    """
    file = _file(Path(path), key)
    _check_origin(file.with_name(CONFIG), key, expected)
    state = _named_like(read_state_dict(file, key), module)
    _check_names(state, module, f"{key}={file}")
    _check_values(state, module, f"{key}={file}")
    module.load_state_dict(state)


def _file(path: Path, key: str) -> Path:
    if path.is_dir() and not (path / WEIGHTS).is_file():
        raise FileNotFoundError(
            f"{key}={path} is a folder without {WEIGHTS}: name a .safetensors or .pt file, or an artefact's folder"
        )
    file = path / WEIGHTS if path.is_dir() else path
    if not file.is_file():
        wrong = "is no regular file" if file.exists() else "is not there"
        raise FileNotFoundError(f"{key}={path} {wrong}: name a .safetensors or .pt file, or an artefact's folder")
    return file


def _check_origin(config: Path, key: str, expected: dict[str, Any]) -> None:
    if not config.is_file():
        return
    try:
        spec = yaml.safe_load(config.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError):
        raise ValueError(
            f"{key}: {config}, which says what the weights beside it were trained for, is damaged (no YAML): get the "
            "folder again, or move the weights to a folder of their own"
        ) from None
    for name, value in expected.items():
        if isinstance(spec, dict) and name in spec and spec[name] != value:
            raise ValueError(
                f"{key}={config.parent} was trained for another {name} ({str(spec[name])[:40]}, this run has {value}): "
                f"use the one it was trained for, or leave {key} null to train one"
            )


def _named_like(state: dict[str, Tensor], module: nn.Module) -> dict[str, Tensor]:
    """The tensors of a bare timm network under our names; others as they are."""
    own = set(module.state_dict())
    if not set(state) & own and {f"net.{name}" for name in state} & own:
        return {f"net.{name}": value for name, value in state.items()}
    return state


def _check_names(state: dict[str, Tensor], module: nn.Module, what: str) -> None:
    own = module.state_dict()
    missing, unknown = sorted(set(own) - set(state)), sorted(set(state) - set(own))
    for prefix, origin in PREFIXES.items():
        inner = {name.removeprefix(prefix) for name in state if name.startswith(prefix)}
        if unknown and set(own) <= inner | {f"net.{name}" for name in inner}:
            raise ValueError(
                f"{what}: the names of its tensors begin with {prefix!r} (such as {prefix + missing[0]!r}), as saved "
                f"from inside {origin}: save the weights of the network itself, "
                f"{{name.removeprefix({prefix!r}): value for name, value in state.items()}}"
            )
    if missing or unknown:
        raise ValueError(
            f"{what} belongs to another network: {len(missing)} of its {len(own)} tensors are missing (such as "
            f"{missing[:2]}), {len(unknown)} are not ours (such as {unknown[:2]}); choose its architecture"
        )
    for name, value in state.items():
        if value.shape != own[name].shape:
            raise ValueError(
                f"{what}: {name} has shape {tuple(value.shape)}, this run needs {tuple(own[name].shape)}; it was "
                "trained for another number of classes or another width"
            )


def _check_values(state: dict[str, Tensor], module: nn.Module, what: str) -> None:
    """Raises a ValueError for tensors of a type that weights do not have, and for NaN and infinite values."""
    own = module.state_dict()
    foreign = [name for name, value in state.items() if not _is_of_kind(value, own[name])]
    if foreign:
        value, wanted = state[foreign[0]], str(own[foreign[0]].dtype).removeprefix("torch.")
        kind = str(value.dtype).removeprefix("torch.")
        kind = kind if value.layout is torch.strided else f"{str(value.layout).removeprefix('torch.')} {kind}"
        raise ValueError(
            f"{what}: {foreign[0]} is {kind}{_more(len(foreign))}, this run needs {wanted} or another ordinary type "
            "of the kind (float16, bfloat16, float32, float64 for weights): save it converted, tensor.float()"
        )
    broken = {name: count for name, value in state.items() if (count := int((~torch.isfinite(value)).sum()))}
    if broken:
        first, count = next(iter(broken.items()))
        raise ValueError(
            f"{what}: {count} of the {state[first].numel()} values of {first} are NaN or infinite"
            f"{_more(len(broken))}: its training has diverged or it was saved in too small a type; take an earlier "
            "checkpoint"
        )


def _is_of_kind(value: Tensor, own: Tensor) -> bool:
    """Whether a tensor can stand for one of ours: floats for floats, whole numbers for counts."""
    if value.is_quantized or value.is_meta or value.layout is not torch.strided:
        return False
    if own.is_floating_point():
        return value.dtype in (torch.float16, torch.bfloat16, torch.float32, torch.float64)
    return value.dtype == own.dtype


def _more(count: int) -> str:
    return f" (and {count - 1} more tensors)" if count > 1 else ""
