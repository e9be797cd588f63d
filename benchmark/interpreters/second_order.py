"""Convolutions of frozen weights whose second derivative costs what it has to, for attacks on maps that are gradients.

A convolution is linear in its input, and so is its gradient in the output's: the second derivative is one more
convolution. PyTorch's own also makes the gradient in the weights, which nobody asks for, by a loop over the groups: of
a depthwise convolution that is one small convolution a channel.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import FunctionCtx
from torch.overrides import TorchFunctionMode

# stride, padding, dilation, groups
_Settings = tuple[list[int], list[int], list[int], int]


@contextmanager
def cheap_second_order() -> Iterator[None]:
    """Convolutions inside have the same values and derivatives, to the byte, at a lower cost of the second ones."""
    with _Convolutions():
        yield


class _Convolutions(TorchFunctionMode):
    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func is F.conv2d and not kwargs and len(args) == 7 and _is_frozen(args):
            image, weight, bias, stride, padding, dilation, groups = args
            return _Convolution.apply(image, weight, bias, (_two(stride), _two(padding), _two(dilation), groups))
        return func(*args, **kwargs)


def _is_frozen(args: Sequence[Any]) -> bool:
    """Whether only the input asks for a gradient, and the padding is given in numbers."""
    image, weight, bias, _, padding = args[:5]
    frozen = not weight.requires_grad and (bias is None or not bias.requires_grad)
    return frozen and image.requires_grad and image.ndim == 4 and not isinstance(padding, str)


def _two(value: int | Sequence[int]) -> list[int]:
    return [value, value] if isinstance(value, int) else list(value) * (2 // len(value))


class _Convolution(torch.autograd.Function):
    """y = w * x + b, a function of x."""

    @staticmethod
    def forward(ctx: Any, image: Tensor, weight: Tensor, bias: Tensor | None, settings: _Settings) -> Tensor:
        ctx.save_for_backward(image, weight)
        ctx.settings = settings
        return F.conv2d(image, weight.to(image.dtype), None if bias is None else bias.to(image.dtype), *settings)

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor | None, ...]:
        image, weight = ctx.saved_tensors
        return _Slope.apply(slopes[0], image.detach(), weight, ctx.settings), None, None, None


class _Slope(torch.autograd.Function):
    """The gradient in x from the gradient in y: linear in the latter, and independent of x but for its shape."""

    @staticmethod
    def forward(ctx: Any, slope: Tensor, image: Tensor, weight: Tensor, settings: _Settings) -> Tensor:
        ctx.save_for_backward(weight)
        ctx.settings = settings
        stride, padding, dilation, groups = settings
        fixed = (stride, padding, dilation, False, [0, 0], groups)
        gradients = torch.ops.aten.convolution_backward(
            slope, image, weight.to(slope.dtype), None, *fixed, [True, False, False]
        )
        return gradients[0]

    @staticmethod
    def backward(ctx: FunctionCtx, *changes: Tensor) -> tuple[Tensor | None, ...]:
        (weight,) = ctx.saved_tensors  # type: ignore[attr-defined]
        return _Convolution.apply(changes[0], weight, None, ctx.settings), None, None, None  # type: ignore[attr-defined]
