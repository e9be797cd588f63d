"""Attribution objects of other libraries, and plain functions, as interpreters of a wrapped model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor, nn

from benchmark.interpreters.base import BaseInterpreter
from benchmark.interpreters.postprocess import min_max
from benchmark.numerics.modules import restored
from benchmark.types import Classifier


def package_of(thing: object) -> str:
    """The library that an object's class, or one that it inherits from, comes from; empty for others."""
    found = {kind.__module__.partition(".")[0] for kind in type(thing).__mro__}
    return next((name for name in ("captum", "pytorch_grad_cam", "torchattacks", "foolbox") if name in found), "")


def input_of(model: Classifier, network: object, what: str) -> Callable[[Tensor], Tensor]:
    """What a foreign object has to be given: images in [0, 1] where it was made for the wrapped model, normalised ones
    where it was made for the net inside.

    Raises:
        ValueError: it was made for another network.
    """
    if network is model:
        return lambda image_BCHW: image_BCHW
    inner = getattr(model, "net", None)
    if network is inner or getattr(network, "__self__", None) is inner:
        return getattr(model, "normalised", None) or getattr(model, "_normalised")  # noqa: B009
    raise ValueError(
        f"{what} was made for another network ({type(network).__name__}) than the model that it is to explain: make it "
        "for the wrapped model, or for the net inside (model.net)"
    )


class CaptumObject(BaseInterpreter):
    """map = min-max of what a captum attribution object gives: its magnitude, the largest channel; of a layer's
    attribution its positive part, summed over channels (as captum's own LayerGradCam is shown).

    captum detaches its results: such a map can be measured, not attacked by gradient.

    Args:
        method: an object with ``attribute(inputs, target=...)``, made for the model or the net inside.
        options: further arguments of ``attribute``.
    """

    differentiable = False

    def __init__(self, *, classifier: Classifier, method: Any, options: dict[str, Any] | None = None) -> None:
        super().__init__(classifier=classifier)
        self.method, self.options = method, options or {}
        self.prepare = input_of(classifier, method.forward_func, f"captum's {type(method).__name__}")

    def attribution_map(self, image_BCHW: Tensor, class_B: Tensor) -> Tensor:
        """(B, h, w), at the resolution of the attribution."""
        with torch.enable_grad(), restored(cast(nn.Module, self.classifier)):
            image = self.prepare(image_BCHW.detach()).detach().requires_grad_()
            found = self.method.attribute(image, target=class_B, **self.options)
        if not isinstance(found, Tensor) or found.ndim != 4:
            raise ValueError(f"captum's {type(self.method).__name__} gives no attribution (B, C, h, w)")
        found = found.detach()
        of_image = found.shape[1:] == image_BCHW.shape[1:]
        return min_max(found.abs().amax(1) if of_image else found.sum(1).relu())


class GradCamObject(BaseInterpreter):
    """The map of a pytorch-grad-cam object, which gives numpy arrays in [0, 1]: for measuring.

    Args:
        method: made for the model or the net inside.
    """

    differentiable = False

    def __init__(self, *, classifier: Classifier, method: Any) -> None:
        super().__init__(classifier=classifier)
        self.method = method
        self.prepare = input_of(classifier, method.model, f"grad-cam's {type(method).__name__}")

    def attribution_map(self, image_BCHW: Tensor, class_B: Tensor) -> Tensor:
        """(B, H, W)."""
        targets = [_Logit(int(label)) for label in class_B]
        with torch.enable_grad():
            found = self.method(input_tensor=self.prepare(image_BCHW.detach()), targets=targets)
        return min_max(torch.as_tensor(found).to(image_BCHW))


class _Logit:
    """The logit of one class, as pytorch-grad-cam asks for it: of one image (K,) or of several (B, K)."""

    def __init__(self, label: int) -> None:
        self.label = label

    def __call__(self, logits: Tensor) -> Tensor:
        return logits[..., self.label]


class FunctionInterpreter(BaseInterpreter):
    """The maps of a function (images, classes) -> (B, h, w) in [0, 1].

    It can be attacked where they have a gradient in the images.
    """

    def __init__(self, *, classifier: Classifier, function: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__(classifier=classifier)
        self.function = function

    def attribution_map(self, image_BCHW: Tensor, class_B: Tensor) -> Tensor:
        """What the function gives.

        Raises:
            ValueError: another shape, or values outside [0, 1].
        """
        found = self.function(image_BCHW, class_B)
        if not isinstance(found, Tensor) or found.ndim != 3 or len(found) != len(image_BCHW):
            got = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
            raise ValueError(f"method must give maps (B, h, w) for {len(image_BCHW)} images, got {got}")
        with torch.no_grad():
            if not bool(((found >= 0) & (found <= 1)).all()):
                low, high = float(found.amin()), float(found.amax())
                raise ValueError(f"method must give maps in [0, 1], 1 = important, got {low:.3g} to {high:.3g}")
        return found
