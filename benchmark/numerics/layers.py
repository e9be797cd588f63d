"""How the layers of networks run in trainings and attacks: in float32 or bfloat16, as they are written or compiled.

Only layers do: losses, gradients in the image, maps and steps are float32, and so is everything that is measured.
"""

from __future__ import annotations

import functools
import os
import shutil
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from benchmark.numerics.precisions import BFLOAT16


@dataclass(frozen=True)
class Layers:
    """bfloat16: whether matrix products and convolutions take bfloat16 (torch.autocast). compiled: by torch.compile."""

    bfloat16: bool = False
    compiled: bool = False


_AS_USUAL = Layers()
_layers: ContextVar[Layers] = ContextVar("layers", default=_AS_USUAL)


@contextmanager
def _running(how: Layers) -> Iterator[None]:
    token = _layers.set(how)
    try:
        with warnings.catch_warnings():
            if how.compiled:  # the compiler asks images for a gradient that they do not keep
                warnings.filterwarnings("ignore", message="The .grad attribute of a Tensor that is not a leaf")
            yield
    finally:
        _layers.reset(token)


def configured(trainer: dict[str, Any]) -> AbstractContextManager[None]:
    """A context in which layers run as ``trainer.precision`` and ``trainer.compile`` say."""
    return _running(Layers(trainer.get("precision") == BFLOAT16, bool(trainer.get("compile"))))


def as_written() -> AbstractContextManager[None]:
    """A context in which nothing is compiled: for maps that are gradients, which compiled layers cannot be
    differentiated for twice, and for hooks.
    """
    return _running(replace(_layers.get(), compiled=False))


def run(method: Callable[..., Any], *args: Any) -> Any:
    """What a module, or a method of one, returns, in float32, its layers run as the context says.

    Args:
        method: a module stands for its forward. args: of it, the first a tensor or a list of tensors.
    """
    how = _layers.get()
    if how.compiled:
        bound: Any = method.forward if isinstance(method, nn.Module) else method
        method = functools.partial(_compiled(bound.__func__), bound.__self__)
    if not how.bfloat16:
        return method(*args)
    first = args[0] if isinstance(args[0], Tensor) else args[0][0]
    with torch.autocast(first.device.type, torch.bfloat16):
        return _float32(method(*args))


@functools.cache
def _compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Of a class, not of a module: modules of one structure share what is compiled."""
    return torch.compile(function)


def _float32(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.float() if value.is_floating_point() else value
    return type(value)(_float32(each) for each in value) if isinstance(value, list | tuple) else value


def check_compiler(trainer: dict[str, Any], device: torch.device) -> None:
    """Raises a ValueError where ``trainer.compile`` is on and nothing here can compile for the device."""
    compiler = os.environ.get("CXX", "g++")
    if trainer.get("compile") and device.type == "cpu" and shutil.which(compiler) is None:
        raise ValueError(
            f"trainer.compile=true compiles for the CPU with {compiler}, which is not there: install a C++ compiler, "
            "name one in the environment variable CXX, or set trainer.compile=false"
        )
