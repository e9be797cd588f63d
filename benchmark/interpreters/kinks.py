"""Where a network has kinks: operations, found in autograd's graph, whose second derivative is zero almost everywhere.

The graph lists what was computed, whether by a module, a function or an operator, and however often.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import Node

from benchmark.types import Classifier

# Operations with a kink, by the stem of their node's name; True where the kink counts only if the values of the pass
# lie on both sides of it: an epsilon below a norm is no activation.
KINKED = {
    **dict.fromkeys(("Relu", "LeakyRelu", "PreluKernel", "RreluWithNoise", "Threshold"), False),
    **dict.fromkeys(("Hardtanh", "Hardsigmoid", "Hardswish", "Hardshrink", "Softshrink"), False),
    **dict.fromkeys(("Round", "Floor", "Ceil", "Trunc", "Sign", "Sgn"), False),
    **dict.fromkeys(("Clamp", "ClampMin", "ClampMax", "Maximum", "Minimum", "Fmax", "Fmin", "Abs"), True),
}


@dataclass(frozen=True)
class Kink:
    """One operation with a kink.

    Attributes:
        operation: its name, such as relu. is_relu: whether it may be max(x, 0), however that is written.
        module: the innermost module in which it was computed. path: that module's name in the network.
    """

    operation: str
    is_relu: bool
    module: nn.Module
    path: str

    @property
    def is_module(self) -> bool:
        """Whether it is an activation module of its own, rather than a function called by a layer or a block."""
        weights = [*self.module.parameters(), *self.module.buffers()]
        return not any(True for _ in self.module.children()) and all(weight.ndim <= 1 for weight in weights)

    def __str__(self) -> str:
        kind, path = type(self.module).__name__, f" ({self.path})" if self.path else ""
        if self.is_module:
            return f"the activation {kind}{path}"
        return f"the functional {self.operation} (which is not a module) in {kind}{path}"


def find_kinks(network: Classifier, image_BCHW: Tensor) -> list[Kink]:
    """The kinks of one pass between images and logits, in no order; maxima over places (pooling) are none.

    The parameters of the network ask for no gradient.

    Raises:
        ValueError: the logits have no gradient in the image.
    """
    assert isinstance(network, nn.Module)
    with torch.enable_grad(), _recording(network) as owners:
        logits_BK = network(image_BCHW.detach().requires_grad_())
    if logits_BK.grad_fn is None:
        raise ValueError(
            f"the logits of {name_of(network)} have no gradient in the image (something on the way is detached, "
            "quantised or under no_grad): use interpreter=rise, which needs none"
        )
    kinks = []
    for node in _ancestors([logits_BK.grad_fn], set()):
        stem = node.name().rpartition("::")[2].rpartition("Backward")[0]
        if stem in KINKED and not (KINKED[stem] and _is_one_sided(node, stem)):
            path, module = owners.get(node, ("", network))
            kinks.append(Kink(stem.lower().removesuffix("kernel"), _is_relu(node, stem), module, path))
    return kinks


def name_of(network: object) -> str:
    """What a sentence calls a network."""
    return str(getattr(network, "name", type(network).__name__))


@dataclass
class _Calls:
    """The graph's nodes by the innermost module that computed them, while a network runs."""

    owners: dict[Node, tuple[str, nn.Module]] = field(default_factory=dict)
    entered: list[set[Node]] = field(default_factory=list)

    def enter(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.entered.append({tensor.grad_fn for tensor in _tensors((args, kwargs)) if tensor.grad_fn is not None})

    def leave(self, path: str, module: nn.Module, output: Any) -> None:
        before = self.entered.pop()
        last = [tensor.grad_fn for tensor in _tensors(output) if tensor.grad_fn is not None]
        for node in _ancestors(last, before):
            self.owners.setdefault(node, (path, module))


@contextmanager
def _recording(network: nn.Module) -> Iterator[dict[Node, tuple[str, nn.Module]]]:
    calls, handles = _Calls(), []
    for path, module in network.named_modules():
        handles.append(module.register_forward_pre_hook(calls.enter, with_kwargs=True))
        handles.append(
            module.register_forward_hook(lambda module, args, output, path=path: calls.leave(path, module, output))
        )
    try:
        yield calls.owners
    finally:
        for handle in handles:
            handle.remove()


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, list | tuple | dict):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _tensors(each)


def _ancestors(nodes: list[Node], stop: set[Node]) -> Iterator[Node]:
    """The nodes and all that they were computed from, without ``stop`` and what lies behind it."""
    seen, todo = set(stop), list(nodes)
    while todo:
        node = todo.pop()
        if node not in seen:
            seen.add(node)
            yield node
            todo += [before for before, _ in node.next_functions if before is not None]


def _is_one_sided(node: Node, stem: str) -> bool:
    """Whether all values of the pass lie on the same side of the kink."""
    try:
        value = node._saved_self  # type: ignore[attr-defined]
        if stem == "Abs":
            return bool((value >= 0).all() or (value <= 0).all())
        if stem.startswith("Clamp"):
            low, high = getattr(node, "_saved_min", None), getattr(node, "_saved_max", None)
            return not ((low is not None and (value < low).any()) or (high is not None and (value > high).any()))
        other = node._saved_other  # type: ignore[attr-defined]
        return bool((value >= other).all() or (value <= other).all())
    except (AttributeError, RuntimeError):  # autograd kept something else, or it was overwritten
        return False


def _is_relu(node: Node, stem: str) -> bool:
    if stem.startswith("Clamp"):
        bounds = [bound for name in ("_saved_min", "_saved_max") if (bound := getattr(node, name, None)) is not None]
        return len(bounds) == 1 and bool(torch.as_tensor(bounds[0] == 0).all())
    if stem == "Threshold":
        return bool(node._saved_threshold == 0)  # type: ignore[attr-defined]
    return stem in ("Relu", "Maximum", "Fmax", "Minimum", "Fmin", "Abs")
