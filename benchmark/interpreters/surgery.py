"""Checks of copies with other activations: did the replacement reach every kink, and does it compute the same?

Replacing modules misses what is called as a function (``F.relu``), written with operators (``x * (x > 0)``), or hidden
in a plain list. Such a network is refused instead of being attacked, or explained, by half a rule.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from benchmark.interpreters.kinks import find_kinks, name_of
from benchmark.interpreters.surrogate import SmoothClip, SmoothELU, SmoothLeak, smooth
from benchmark.numerics import rng
from benchmark.numerics.modules import freeze, weight_sharing_copy
from benchmark.types import Classifier

SHARP, SOFT = 1e6, 2.0  # betas at which softplus is a ReLU to float32, and at which it bends slowly for values near 1
STEP = 1e-2  # in image units, per pixel: half of the segment along which slopes are compared
LEAST_CHANGE = 1e-3  # of the slope along the segment, relative: with less there is nothing to compare
GAP = 0.05  # between the change of the slope and the integral of its derivative, relative; smooth nets have below 0.01
POINTS = (1, 8, 64)  # of the integral; the next where the one before did not agree
SOFTENED = (nn.Softplus, SmoothClip, SmoothELU, SmoothLeak)
OUTPUT_GAP = 1e-2  # between logits, relative to the largest
ELSE = "or use a map that needs no copy of the net: interpreter=gradcam, rts or rise"
NO_SECOND = ("not implemented", "double backward", "differentiate twice", "once_differentiable")

Replace = Callable[[nn.Module], nn.Module | None]


def check_smooth_copy(classifier: Classifier, image_size: int) -> None:
    """Checks, by a few passes of one image, that ``smooth_copy`` leaves no kink but those of pooling.

    Raises:
        ValueError: it computes something else than the classifier even where it is sharp, a kink is left, or the
            network cannot be differentiated twice. The sentence names it.
    """
    _check_outputs(classifier, lambda activation: smooth(activation, SHARP), image_size)
    image_BCHW = _images(classifier, image_size)[:1]
    copied = _soft_copy(classifier, image_BCHW)
    if kinks := find_kinks(copied, image_BCHW):
        raise ValueError(
            f"attacks on such maps need a smooth copy of {name_of(classifier)}, and there is no smooth form of "
            f"{kinks[0]}{_more(len(kinks))}: write it as a module of torch.nn (nn.ReLU, nn.Hardswish, "
            f"nn.PReLU, ...), {ELSE}"
        )
    _check_slopes(copied, image_BCHW, name_of(classifier))


def check_guided_copy(classifier: Classifier, replace: Replace, guides: type[nn.Module], image_size: int) -> None:
    """Checks, by a few passes of one image, that every ReLU of the copy is one that ``guides``.

    Raises:
        ValueError: there is none, one does not guide, or the copy computes something else than the classifier.
    """
    _check_outputs(classifier, replace, image_size)
    image_BCHW = _images(classifier, image_size)[:1]
    relus = [kink for kink in find_kinks(_copy(classifier, replace), image_BCHW) if kink.is_relu]
    if left := [kink for kink in relus if not isinstance(kink.module, guides)]:
        raise ValueError(
            f"guided_backprop guides the ReLUs of {name_of(classifier)} that are modules, and would leave out "
            f"{left[0]}{_more(len(left))}: write it as nn.ReLU, or use interpreter=grad"
        )
    if not relus:
        raise ValueError("guided_backprop guides plain ReLUs and this net has none: use interpreter=grad")
    copied = _soft_copy(classifier, image_BCHW)
    if not find_kinks(copied, image_BCHW):  # kinks that are no ReLUs keep their own rule, and would hide others
        _check_slopes(copied, image_BCHW, name_of(classifier))


def check_activations_are_modules(classifier: Classifier, image_size: int, method: str) -> None:
    """Raises a ValueError, by one pass of an image, where the net calls an activation with a kink as a function."""
    kinks = find_kinks(_copy(classifier, lambda activation: None), _images(classifier, image_size)[:1])
    if left := [kink for kink in kinks if not kink.is_module]:
        raise ValueError(
            f"{method} works on the modules of {name_of(classifier)}, and would leave out {left[0]}{_more(len(left))}: "
            "write it as a module (nn.ReLU), or choose a method without rules for modules (Saliency, Occlusion, ...)"
        )


def _more(count: int) -> str:
    return f" (and of {count - 1} more places)" if count > 1 else ""


def _copy(classifier: Classifier, replace: Replace) -> Any:
    """A frozen copy with the same weights, which counts its own passes."""
    return freeze(weight_sharing_copy(classifier, replace))


@torch.no_grad()
def _soft_copy(classifier: Classifier, image_BCHW: Tensor) -> Any:
    """A smooth copy that bends slowly on the scale of what each activation gets, however large the net's values are."""
    copied = _copy(classifier, lambda activation: smooth(activation, SOFT))

    def soften(activation: nn.Module, args: tuple[Any, ...]) -> None:
        scale = float(args[0].std()) if args[0].numel() > 1 else 0.0
        activation.beta = min(activation.beta, SOFT / max(scale, 1.0))  # type: ignore[type-var, assignment]

    hooks = [each.register_forward_pre_hook(soften) for each in copied.modules() if isinstance(each, SOFTENED)]
    copied(image_BCHW)
    for hook in hooks:
        hook.remove()
    return copied


def _images(classifier: Classifier, size: int) -> Tensor:
    """Two images of uniform noise, always the same."""
    like = next(iter(classifier.parameters()), torch.zeros(()))
    key_B = rng.sample_keys(0, "surgery", torch.arange(2))
    return rng.uniform(key_B, 3, size, size).to(like.device, like.dtype)


@torch.no_grad()
def _check_outputs(classifier: Classifier, replace: Replace, image_size: int) -> None:
    image_BCHW, passes = _images(classifier, image_size), dict(classifier.passes)
    true_BK, copy_BK = classifier(image_BCHW), _copy(classifier, replace)(image_BCHW)
    classifier.passes.update(passes)  # the passes of a check are no part of a record
    if not torch.isfinite(true_BK).all():
        return  # nothing to compare with, which whoever reads the logits tells
    gap = float((copy_BK - true_BK).abs().max() / true_BK.abs().max().clamp(min=1e-30))
    if not gap <= OUTPUT_GAP:
        raise ValueError(
            f"a copy of {name_of(classifier)} with replaced activations gives other logits (off by {100 * gap:.3g} %): "
            "an activation has the name of a known one and computes something else, or the net is random at inference; "
            f"rename that class, make the net a function of its input, {ELSE}"
        )


def _check_slopes(copied: Classifier, image_BCHW: Tensor, name: str) -> None:
    """Compares how the slope of a mix of logits changes along a segment with the integral of its derivative.

    The derivative does not see kinks, such as those of ``x * (x > 0)``; the change of the slope does.
    """
    try:
        with torch.backends.cudnn.flags(allow_tf32=False), _MeanPooling():
            gap = _slope_gap(copied, image_BCHW)
    except RuntimeError as error:
        if not any(words in str(error) for words in NO_SECOND):
            raise
        reason = str(error).splitlines()[0]
        raise ValueError(
            f"attacks on such maps differentiate {name} twice, which it does not support ({reason}): use its unfused "
            f"form, {ELSE}"
        ) from None
    if gap > GAP:
        raise ValueError(
            f"the slopes of {name} change in a way that their derivative does not see ({100 * gap:.0f} % off): it has "
            "kinks that are not written as an activation (such as x * (x > 0), torch.where or a function of its own); "
            f"write them as nn.ReLU, {ELSE}"
        )


def _slope_gap(copied: Classifier, image_BCHW: Tensor) -> float:
    """|change - integral| / (|change| + |integral|), in [0, 1]: 0 for a smooth network."""
    key_B = rng.sample_keys(0, "direction", torch.arange(1))
    direction = rng.normal(key_B, *image_BCHW.shape[1:]).to(image_BCHW)

    def slopes(offset_N: Tensor, differentiable: bool = False) -> tuple[Tensor, Tensor]:
        image_NCHW = (image_BCHW + offset_N.to(image_BCHW)[:, None, None, None] * direction).requires_grad_()
        logits_NK = copied(image_NCHW)
        mix = logits_NK * torch.linspace(1, 2, logits_NK.shape[1]).to(logits_NK)
        return image_NCHW, torch.autograd.grad(mix.sum(), image_NCHW, create_graph=differentiable)[0]

    def derivative(offset_N: Tensor) -> Tensor:
        image_NCHW, slope_NCHW = slopes(offset_N, differentiable=True)
        if not slope_NCHW.requires_grad:
            return torch.zeros_like(image_NCHW[0])
        along = torch.autograd.grad((slope_NCHW * direction).sum(), image_NCHW, allow_unused=True)[0]
        return torch.zeros_like(image_NCHW[0]) if along is None else along.sum(0)

    behind, ahead = slopes(torch.tensor([-STEP, STEP]))[1]
    change, gap = ahead - behind, 0.0
    for points in POINTS if change.norm() > LEAST_CHANGE * ahead.norm() else ():
        width = 2 * STEP / points
        middle_N = (torch.arange(points) + 0.5) * width - STEP
        integral = width * torch.stack([derivative(each) for each in middle_N.split(4)]).sum(0)
        gap = float((change - integral).norm() / (change.norm() + integral.norm()))
        if gap <= GAP:
            break
    return gap


class _MeanPooling(TorchFunctionMode):
    """Takes means where a network takes maxima over places, whose kinks stay in every copy."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name, kwargs = getattr(func, "__name__", ""), dict(kwargs or {})
        if name in ("max_pool2d", "max_pool2d_with_indices", "_max_pool2d"):
            return _mean_pool(*args, **kwargs)
        if name in ("adaptive_max_pool2d", "_adaptive_max_pool2d"):
            return F.adaptive_avg_pool2d(*args[:2], **{key: kwargs[key] for key in kwargs if key != "return_indices"})
        if name == "amax":
            return torch.mean(*args, **kwargs)
        if name == "max" and ("dim" in kwargs or (len(args) > 1 and isinstance(args[1], int))):
            return torch.return_types.max((torch.mean(*args, **kwargs), torch.argmax(*args, **kwargs)))
        return func(*args, **kwargs)


def _mean_pool(
    features: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Tensor:
    return F.avg_pool2d(features, kernel_size, stride or None, padding, ceil_mode)
