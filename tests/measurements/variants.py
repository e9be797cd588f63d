"""The same network in lower precision, or compiled."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from benchmark.classifiers.timm_classifier import TimmClassifier


@contextmanager
def tf32(allowed: bool) -> Iterator[None]:
    """Whether matrix products and convolutions on a GPU may round their float32 inputs to 10 bits of mantissa."""
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = allowed
    try:
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = before


def in_bf16(network: TimmClassifier) -> TimmClassifier:
    """A copy whose layers run under autocast to bfloat16; what it returns is float32."""
    other = copy.deepcopy(network)
    for name in ("forward", "forward_features", "forward_intermediates", "forward_head"):
        setattr(other.net, name, _autocast(getattr(other.net, name)))
    return other


def _autocast(method: Any) -> Any:
    def run(image: Tensor, *args: Any, **options: Any) -> Any:
        with torch.autocast(image.device.type, torch.bfloat16):
            return _float(method(image, *args, **options))

    return run


def _float(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.float() if value.is_floating_point() else value
    return type(value)(_float(each) for each in value) if isinstance(value, list | tuple) else value


def compiled(network: TimmClassifier, backend: str) -> TimmClassifier:
    """A copy whose forward and backward pass are compiled; its features, which CAM reads, are not."""
    other = copy.deepcopy(network)
    other.net.forward = torch.compile(other.net.forward, backend=backend)
    return other
