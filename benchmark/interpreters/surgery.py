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
from benchmark.interpreters.surrogate import smooth
from benchmark.numerics import rng
from benchmark.numerics.modules import freeze, weight_sharing_copy
from benchmark.types import Classifier

SHARP, SOFT = 1e6, 2.0  # betas at which softplus is a ReLU to float32, and at which it bends slowly
STEP = 1e-3  # in image units, per pixel: half of the segment along which slopes are compared
LEAST_CHANGE = 1e-3  # of the slope along the segment, relative: with less there is nothing to compare
GAP = 0.05  # between the change of the slope and the integral of its derivative, relative; smooth nets have below 0.01
POINTS = (1, 8, 64)  # of the integral; the next where the one before did not agree
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
    copied, image_BCHW = _copy(classifier, lambda activation: smooth(activation, SOFT)), _images(classifier, image_size)
    if kinks := find_kinks(copied, image_BCHW[:1]):
        raise ValueError(
            f"attacks on such maps need a smooth copy of {name_of(classifier)}, and there is no smooth form of "
            f"{kinks[0]}{_more(len(kinks))}: write it as a module of torch.nn (nn.ReLU, nn.Hardswish, "
            f"nn.PReLU, ...), {ELSE}"
        )
    _check_slopes(copied, image_BCHW[:1], name_of(classifier))


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
    softened = _copy(classifier, lambda activation: smooth(activation, SOFT))
    if not find_kinks(softened, image_BCHW):  # kinks that are no ReLUs keep their own rule, and would hide others
        _check_slopes(softened, image_BCHW, name_of(classifier))


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
            f"the slopes of {name} jump where their derivative is zero ({100 * gap:.0f} % of their change): it has "
            "kinks that are not written as an activation (such as x * (x > 0), torch.where or a function of its own); "
            f"write them as nn.ReLU, {ELSE}"
        )


def _slope_gap(copied: Classifier, image_BCHW: Tensor) -> float:
    """|change - integral| / (|change| + |integral|), in [0, 1]: 0 for a smooth network."""
    key_B = rng.sample_keys(0, "direction", torch.arange(1))
    direction = rng.normal(key_B, *image_BCHW.shape[1:]).to(image_BCHW)

    def slope(offset: float, differentiable: bool = False) -> tuple[Tensor, Tensor]:
        image = (image_BCHW + offset * direction).requires_grad_()
        logits_BK = copied(image)
        mix = logits_BK * torch.linspace(1, 2, logits_BK.shape[1], device=image.device, dtype=image.dtype)
        return image, torch.autograd.grad(mix.sum(), image, create_graph=differentiable)[0]

    def derivative(offset: float) -> Tensor:
        image, found = slope(offset, True)
        if not found.requires_grad:
            return torch.zeros_like(image)
        along = torch.autograd.grad((found * direction).sum(), image, allow_unused=True)[0]
        return torch.zeros_like(image) if along is None else along

    ahead, behind = slope(STEP)[1], slope(-STEP)[1]
    change = ahead - behind
    gap = 0.0
    for points in POINTS if change.norm() > LEAST_CHANGE * ahead.norm() else ():
        width = 2 * STEP / points
        integral = torch.stack([width * derivative((index + 0.5) * width - STEP) for index in range(points)]).sum(0)
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
