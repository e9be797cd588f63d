"""Any attribution method of captum, for measuring (extra ``peers``)."""

from __future__ import annotations

import importlib
import inspect
from typing import Any

import torch
from torch import Tensor, nn

from benchmark.interpreters.postprocess import pooled_magnitude
from benchmark.tensors import check_classes, freeze
from benchmark.types import ClassifierModule, Explanation


class CaptumAttribution(nn.Module):
    """map = min-max of the pooled magnitude of what captum's ``method`` attributes to the image's pixels.

    captum detaches its results: such a map is measured, and cannot be attacked by gradient.

    Args:
        method: a class of captum.attr that takes the model alone (Saliency, DeepLift, Occlusion, ...).
        options: of its ``attribute``. pool: pixels per map pixel.
    Raises:
        ValueError: captum is not installed, or has no such method.
    """

    differentiable = False
    classifier: ClassifierModule

    def __init__(
        self,
        *,
        classifier: ClassifierModule,
        image_size: int,
        method: str,
        options: dict[str, Any] | None = None,
        pool: int = 2,
    ) -> None:
        super().__init__()
        if not 1 <= pool <= image_size:
            raise ValueError(f"interpreter.pool lies between 1 and the image's {image_size} pixels, got {pool}")
        self.classifier, self.pool, self.options = freeze(classifier), pool, options or {}
        try:
            self.method = _method(method)(self.classifier)
        except TypeError as error:
            raise ValueError(
                f"captum's {method} does not take the model alone ({error}): choose one that does (Saliency, DeepLift, "
                "InputXGradient, IntegratedGradients, Occlusion, ...)"
            ) from None

    def forward(self, image_BCHW: Tensor, class_B: Tensor) -> Tensor:
        """Attribution map (B, H / pool, W / pool)."""
        check_classes(class_B, self.classifier.num_classes)
        with torch.enable_grad():
            image = image_BCHW.detach().requires_grad_()
            try:
                attribution = self.method.attribute(image, target=class_B, **self.options)
            except TypeError as error:
                raise ValueError(f"captum does not take interpreter.options={self.options}: {error}") from None
        return pooled_magnitude(attribution.detach(), self.pool)

    def explain(self, image_BCHW: Tensor, class_B: Tensor) -> Explanation:
        """Logits and map."""
        return Explanation(self.classifier(image_BCHW), self(image_BCHW, class_B))


def _method(name: str) -> Any:
    try:
        captum = importlib.import_module("captum.attr")
    except ImportError:
        raise ValueError("interpreter=captum needs captum: pip install 'underfire[peers]'") from None
    method = getattr(captum, name, None)
    if not inspect.isclass(method) or not hasattr(method, "attribute"):
        kinds = {key: getattr(captum, key) for key in dir(captum) if inspect.isclass(getattr(captum, key))}
        known = sorted(key for key, kind in kinds.items() if issubclass(kind, captum.Attribution))
        known = [key for key in known if not key.startswith(("Layer", "Neuron")) and not key.endswith("Attribution")]
        raise ValueError(f"interpreter.method {name!r} is no attribution method of captum; it has {', '.join(known)}")
    return method
