"""Small operations on modules that several rooms need."""

from __future__ import annotations

from typing import TypeVar

from torch import nn

AnyModule = TypeVar("AnyModule", bound=nn.Module)


def freeze(module: AnyModule) -> AnyModule:
    """The module in eval mode with no parameter that asks for a gradient."""
    return module.eval().requires_grad_(False)
