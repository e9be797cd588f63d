"""Weights from outside: read without unpickling anything, and refused where they do not fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import yaml
from torch import Tensor, nn

from benchmark.engine.key_map import mapped
from benchmark.engine.weights_file import is_safetensors, read_state_dict
from benchmark.processes.notices import tell_once
from benchmark.storage.external_file import ORDER, KeyMap, weights_file
from benchmark.storage.paths import CONFIG


def load_external_weights(
    path: str | Path,
    module: nn.Module,
    key: str,
    *,
    entry: str | None = None,
    key_map: KeyMap = None,
    **expected: Any,
) -> None:
    """Loads a checkpoint into ``module``.

    Args:
        path: a .safetensors file, an artefact's folder, a .pt/.pth/.ckpt file that holds tensors only, or one of these
            in an installed package (pkg://PACKAGE/FILE).
        key: the configuration key, for messages. entry: of the file, where several hold tensors.
        key_map: see :func:`benchmark.engine.key_map.mapped`.
        expected: entries that the artefact's config.yaml must agree with (the classifier's hash, the data set's), where
            the checkpoint is one of ours.
    Raises:
        ValueError: damaged, of another network or class count, not finite, of a type that weights do not have, or
            trained for another classifier or data set.
        OSError: there is no such file, or it cannot be read.
    """
    file = weights_file(path, key)
    _check_origin(file.with_name(CONFIG), key, expected)
    what = f"{key}={file}"
    if key_map == ORDER and is_safetensors(file):
        raise ValueError(
            f"{what}: safetensors do not keep the order of their tensors: save them as .pt (torch.save of the "
            "state_dict), or map the names with patterns (classifier.key_map)"
        )
    state, told = mapped(read_state_dict(file, key, entry), module, key_map, what, entry)
    _check_names(state, module, what, key_map)
    _check_values(state, module, what)
    module.load_state_dict(state)
    if told:
        tell_once(told)


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


def _check_names(state: dict[str, Tensor], module: nn.Module, what: str, key_map: KeyMap) -> None:
    own = module.state_dict()
    missing, unknown = sorted(set(own) - set(state)), sorted(set(state) - set(own))
    if missing or unknown:
        named_otherwise = len(missing) == len(own) and key_map is None
        mend = "; if only the names differ, map them (classifier.key_map)" if named_otherwise else ""
        raise ValueError(
            f"{what} belongs to another network: {len(missing)} of its {len(own)} tensors are missing "
            f"{_such_as(missing)}, {len(unknown)} are not ours {_such_as(unknown)}: choose its architecture{mend}"
        )
    unlike = [name for name, value in state.items() if value.shape != own[name].shape]
    if unlike:
        name = unlike[0]
        raise ValueError(
            f"{what}: {name} has shape {tuple(state[name].shape)}, this run needs {tuple(own[name].shape)}"
            f"{_more(len(unlike))}: it was trained for another number of classes (data.classes=imagenet reads a folder "
            "of some of ImageNet's classes as all 1,000) or another width"
        )


def _such_as(names: list[str]) -> str:
    return f"(such as {', '.join(names[:3])})" if names else ""


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
    negative = [name for name, value in state.items() if name.endswith("running_var") and bool((value < 0).any())]
    if negative:
        raise ValueError(
            f"{what}: {negative[0]} has values below 0{_more(len(negative))}, which variances never have: its tensors "
            "are paired with the wrong ones (classifier.key_map)"
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
