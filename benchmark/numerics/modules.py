"""Small operations on modules that several rooms need."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol, Self, TypeVar

from torch import nn


class Freezable(Protocol):
    """Any nn.Module, also where it is known by a protocol of its own."""

    def eval(self) -> Self: ...

    def requires_grad_(self, requires_grad: bool = ...) -> Self: ...


AnyFreezable = TypeVar("AnyFreezable", bound=Freezable)
AnyModule = TypeVar("AnyModule", bound=nn.Module)


def freeze(module: AnyFreezable) -> AnyFreezable:
    """The module itself, in eval mode and with no parameter that asks for a gradient."""
    return module.eval().requires_grad_(False)


@contextmanager
def eval_mode(module: nn.Module) -> Iterator[None]:
    """Eval mode inside; afterwards every submodule is in the mode that it was in."""
    modes = [(each, each.training) for each in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for each, mode in modes:
            each.training = mode


def shallow_copy(module: AnyModule) -> AnyModule:
    """Another module with the same weights, buffers and submodules; a submodule set on one is not set on the other."""
    other = copy.copy(module)
    other._modules = dict(module._modules)
    return other


def weight_sharing_copy(
    module: Any, replace: Callable[[nn.Module], nn.Module | None], shared: Iterable[object] = ()
) -> Any:
    """A deep copy with the very same weights and buffers.

    Args:
        replace: gives what takes the place of a submodule, or None where it stays. shared: further objects that the
            copy has in common with the module.
    """
    memo = {id(each): each for each in (*module.parameters(), *module.buffers(), *shared)}
    other = copy.deepcopy(module, memo=memo)
    for parent in list(other.modules()):
        for name, child in parent.named_children():
            if (replacement := replace(child)) is not None:
                setattr(parent, name, replacement)
    return other
