"""Weights from outside: read without unpickling anything, and refused where they do not fit."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import torch
import yaml
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from benchmark.storage.paths import CONFIG, WEIGHTS


def load_external_weights(path: str | Path, module: nn.Module, key: str, **expected: Any) -> None:
    """Loads a checkpoint into ``module``.

    Args:
        path: a .safetensors file, an artefact's folder, or a .pt/.pth/.ckpt file that holds tensors only.
        key: the configuration key, for messages. expected: entries that the artefact's config.yaml must agree with
            (the classifier's hash, the data set's), where the checkpoint is one of ours.
    Raises:
        ValueError: damaged, of another network or class count, or trained for another classifier or data set.
        FileNotFoundError: there is no such file.
    """
    path = Path(path)
    file = path / WEIGHTS if path.is_dir() else path
    if not file.is_file():
        raise FileNotFoundError(f"{key}={path} is not there: name a .safetensors or .pt file, or an artefact's folder")
    _same_origin(file.with_name(CONFIG), key, expected)
    _fit(_read(file, key), module, file, key)


def _same_origin(config: Path, key: str, expected: dict[str, Any]) -> None:
    if not config.is_file():
        return
    spec = yaml.safe_load(config.read_text())
    for name, value in expected.items():
        if isinstance(spec, dict) and name in spec and spec[name] != value:
            raise ValueError(
                f"{key}={config.parent} was trained for another {name} ({str(spec[name])[:40]}, this run has {value}): "
                f"use the one it was trained for, or leave {key} null to train one"
            )


def _read(file: Path, key: str) -> dict[str, Tensor]:
    try:
        if file.suffix == ".safetensors":
            return load_file(file)
        found = torch.load(file, map_location="cpu", weights_only=True)
    except (SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError) as error:
        reason = (str(error).splitlines() or ["it is empty"])[0]
        raise ValueError(
            f"{key}={file} is damaged or holds more than tensors ({reason}): get it again, or save its state_dict alone"
        ) from None
    state = found.get("state_dict", found) if isinstance(found, dict) else None
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise ValueError(f"{key}={file} does not hold a state_dict of tensors: save model.state_dict()")
    return state


def _fit(state: dict[str, Tensor], module: nn.Module, file: Path, key: str) -> None:
    own = module.state_dict()
    if not set(state) & set(own) and {f"net.{name}" for name in state} & set(own):
        state = {f"net.{name}": value for name, value in state.items()}  # a bare timm network
    missing, unknown = sorted(set(own) - set(state)), sorted(set(state) - set(own))
    if missing or unknown:
        raise ValueError(
            f"{key}={file} belongs to another network: {len(missing)} of its {len(own)} tensors are missing (such as "
            f"{missing[:2]}), {len(unknown)} are not ours (such as {unknown[:2]}); choose its architecture"
        )
    for name, value in state.items():
        if value.shape != own[name].shape:
            raise ValueError(
                f"{key}={file}: {name} has shape {tuple(value.shape)}, this run needs {tuple(own[name].shape)}; it was "
                "trained for another number of classes or another width"
            )
    module.load_state_dict(state)
