"""Small operations on modules that several rooms need."""

from __future__ import annotations

import copy
import pickle
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
    """A deep copy with the very same weights and buffers; the module itself stays as it is.

    A submodule that is registered several times is replaced everywhere, by one and the same replacement.

    Args:
        replace: gives what takes the place of a submodule, or None where it stays. shared: further objects that the
            copy has in common with the module.
    Raises:
        ValueError: the module cannot be copied.
    """
    memo = {id(each): each for each in (*module.parameters(), *module.buffers(), *shared)}
    try:
        other = copy.deepcopy(module, memo=memo)
    except (RuntimeError, TypeError, pickle.PicklingError) as error:
        raise ValueError(
            f"{type(module).__name__} cannot be copied ({_first_line(error)}): keep only modules, parameters, buffers "
            "and plain values as its attributes"
        ) from None
    replacements: dict[nn.Module, nn.Module | None] = {}
    for parent in list(other.modules()):
        for name, child in list(parent._modules.items()):  # named_children() skips the second name of a submodule
            if child is not None and child not in replacements:
                replacements[child] = replace(child)
            if child is not None and (replacement := replacements[child]) is not None:
                setattr(parent, name, replacement)
    return other


@contextmanager
def restored(module: nn.Module) -> Iterator[None]:
    """Afterwards every submodule has the mode, hooks and plain attributes that it had before, and every parameter its
    ``requires_grad``, whatever was raised inside.
    """
    attributes = [(vars(each), dict(vars(each))) for each in module.modules()]
    tables = [hooks for _, before in attributes for name, hooks in before.items() if name.endswith("_hooks")]
    entries = [(hooks, dict(hooks)) for hooks in tables if isinstance(hooks, dict)]
    flags = [(each, each.requires_grad) for each in module.parameters()]
    try:
        yield
    finally:
        for current, before in [*attributes, *entries]:
            current.clear()
            current.update(before)
        for parameter, flag in flags:
            parameter.requires_grad_(flag)


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
